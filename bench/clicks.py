"""The tutorial by clicks in Chromium: an empty folder to a sharpened map, with the server and a running job killed on the way.

    PYTHONPATH=src python bench/clicks.py MOVIES_DIR [--folder NEW] [--reference PROJECT] [--classes 10] [--mini-batches 100]

MOVIES_DIR holds movie_*.tiff and gain.mrc (bench/motion.py makes them). The same workflow is first run by `verglas workflow run` into NEW/cli
(unless --reference names such a project), both with --deterministic and the same seed, then by clicks into NEW/clicks: SIGKILL for the server
while movies are corrected, for the job while particles are classified. Prints what both ended at, and how near their maps are.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import verglas as vg
from verglas.core.fsc import first_below, fsc
from verglas.io.mrc import read_map
from verglas.io.star import read_star
from verglas.project.compare import compare_files
from verglas.project.program import PROGRAM, environment
from web import CHROMIUM

PATIENCE = 3600


class Clicks:
    """One browser, and one server after the other."""

    def __init__(self, page: Any, home: Path) -> None:
        self.page, self.home, self.begun, self.problems = page, home, time.monotonic(), list[str]()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.serve()

    def serve(self) -> None:
        """Start it, and open the printed address."""
        self.server = subprocess.Popen([*PROGRAM, "web", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=self.home,
                                       env=environment() | {"XDG_CONFIG_HOME": str(self.home)})
        assert self.server.stdout is not None
        found = next(filter(None, (re.match(r"http://\S+", line) for line in self.server.stdout)))
        self.page.goto(found[0])
        self.tell("server started, its address opened")

    def tell(self, words: str) -> None:
        print(f"{time.monotonic() - self.begun:6.0f} s: {words}", flush=True)

    def make_project(self, folder: Path) -> None:
        card = self.page.locator("section.card", has_text="New project")
        card.locator("input").fill(str(folder))
        card.get_by_role("button", name="Make project").click()
        self.page.wait_for_url(re.compile(r"/p/[0-9a-f]{10}$"))

    def run_workflow(self, movies: Path, classes: int, batches: int) -> None:
        """Fill in what is known of these movies and this particle, and run it."""
        page = self.page
        page.get_by_role("link", name="Workflows", exact=True).click()
        page.locator("a.type", has_text="betagal").click()
        first = page.locator('[data-stage="import"]')
        for name, value in (("movies", f"{movies}/movie_*.tiff"), ("gain", f"{movies}/gain.mrc"), ("pixel_size", "0.885"), ("dose", "1.277")):
            first.locator(f'input[data-field="{name}"]').fill(value)
        for stage, name, value in (("classes", "classes", classes), ("initial", "mini_batches", batches)):
            box = page.locator(f'[data-stage="{stage}"]')
            box.locator(".q-item").first.click()
            page.wait_for_timeout(500)
            if not box.locator(f'input[data-field="{name}"]').count():
                box.get_by_text("more values, as by default").click()
            box.locator(f'input[data-field="{name}"]').fill(str(value))
        page.get_by_text("Where and when").click()
        page.locator(".field", has_text="Repeatable").locator(".q-toggle").click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("0 of 12 jobs done").wait_for()
        self.tell("the workflow was asked for")

    def kill_server(self, folder: Path) -> None:
        """While movies are corrected; the next one goes on."""
        job = until(lambda: running(folder, "motion"))
        self.server.kill()
        self.server.wait()
        time.sleep(2)
        assert alive(job), "the job must not go with the server"
        self.tell(f"SIGKILL for the server; {job.parent.name}/{job.name} runs on")
        self.serve()
        self.page.get_by_role("link", name=folder.name).click()
        self.page.get_by_role("link", name="Workflows", exact=True).click()
        self.page.locator("a.type", has_text="betagal").click()
        self.page.get_by_text(re.compile(r"\d+ of 12 jobs done")).wait_for()

    def kill_job(self, folder: Path, stage: str) -> None:
        """While it runs, after its first iterations are kept; "Continue" on its page goes on with it."""
        job = until(lambda: (found := running(folder, stage)) and any(found.glob("run_it02*_optimiser.star")) and found)
        os.kill(int(json.loads((job / "job.json").read_text())["process"]), signal.SIGKILL)
        self.tell(f"SIGKILL for {job.parent.name}/{job.name}")
        self.page.locator(".state.Failed", has_text="Failed").first.wait_for()
        self.page.get_by_role("link", name=f"({job.parent.name}/{job.name})").click()
        self.page.locator(".page .state.Failed").wait_for()
        self.page.get_by_role("button", name="Continue").click()
        self.page.locator(".page .state.Running").wait_for()
        told = until(lambda: next((line for line in (job / "run.out").read_text().splitlines() if "going on after" in line), ""))
        self.tell(f"Continue was clicked; its log: {told.partition(' ')[2]}")

    def wait_for_end(self) -> None:
        self.page.get_by_role("link", name="Workflows", exact=True).click()
        self.page.locator("a.type", has_text="betagal").click()
        self.page.get_by_text("12 of 12 jobs done").wait_for(timeout=PATIENCE * 1000)
        self.tell("12 of 12 jobs done")


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > end:
            sys.exit("not in time")
        time.sleep(0.2)
    return found


def running(folder: Path, stage: str) -> Path | None:
    """The folder of the stage's job once it has run for 10 s."""
    made = json.loads((folder / ".verglas/workflows/betagal.json").read_text())[stage]["made"]
    record = folder / made / "job.json"
    return record.parent if record.exists() and time.time() - record.stat().st_mtime > 10 else None


def alive(job: Path) -> bool:
    return Path(f"/proc/{json.loads((job / 'job.json').read_text())['process']}").exists() or (job / "RELION_JOB_EXIT_SUCCESS").exists()


def by_command(movies: Path, folder: Path, given: argparse.Namespace) -> None:
    changes = (f"import.movies={movies}/movie_*.tiff", f"import.gain={movies}/gain.mrc", f"classes.classes={given.classes}",
               f"initial.mini_batches={given.mini_batches}")
    folder.mkdir()
    subprocess.run([*PROGRAM, "workflow", "run", "betagal", *changes, "--deterministic", "--wait"], cwd=folder, env=environment(), check=True)


def by_clicks(movies: Path, folder: Path, home: Path, given: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        clicks = Clicks(browser.new_page(viewport={"width": 1440, "height": 900}), home)
        try:
            clicks.make_project(folder)
            clicks.run_workflow(movies, given.classes, given.mini_batches)
            clicks.kill_server(folder)
            clicks.kill_job(folder, "classes")
            clicks.wait_for_end()
        finally:
            browser.close()
            clicks.server.terminate()
    if clicks.problems:
        sys.exit(f"the browser complained: {clicks.problems[0]}")


def numbers(folder: Path) -> tuple[float, float, vg.Project]:
    """(resolution, Å; seconds of all jobs, their last starts; the project)."""
    project = vg.open_project(folder)
    general = read_star(project.jobs()[-1].folder / "postprocess.star")["general"].columns
    return float(general["rlnFinalResolution"][0]), sum(one.seconds or 0 for one in project.jobs()), project


def report(reference: Path, folder: Path) -> None:
    for words, root in (("workflow run", reference), ("clicks", folder)):
        resolution, seconds, project = numbers(root)
        states = {one.process.state for one in project.jobs()}
        print(f"{words:14s} {len(project.jobs())} jobs, {', '.join(sorted(states))}; {seconds:.0f} s in jobs; {resolution:.2f} Å")
    for node in vg.open_project(folder).pipeline.nodes:
        if node.name.endswith((".mrc", ".mrcs")) and (reference / node.name).is_file():
            print(f"  {node.name}: {compare_files(reference / node.name, folder / node.name, node.name).told}")
    one, other = (read_map(root / "PostProcess/job012/postprocess.mrc") for root in (reference, folder))
    shell = first_below(fsc(torch.from_numpy(one.data), torch.from_numpy(other.data)), 0.99)
    near = f"until {one.box * one.pixel_size / shell:.2f} Å" if shell else "at every shell"
    correlation = np.corrcoef(one.data.ravel(), other.data.ravel())[0, 1]
    print(f"  sharpened maps: correlation {correlation:.6f}, largest difference {np.abs(one.data - other.data).max():.3g} of {one.data.max():.3g}, "
          f"FSC above 0.99 {near}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("movies", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--mini-batches", type=int, default=100)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="clicks"))
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    if given.reference is None:
        by_command(given.movies.resolve(), folder / "cli", given)
        print(f"by `verglas workflow run`: {time.monotonic() - begun:.0f} s", flush=True)
        begun = time.monotonic()
    by_clicks(given.movies.resolve(), folder / "clicks", folder, given)
    print(f"by clicks, with two kills: {time.monotonic() - begun:.0f} s", flush=True)
    report(given.reference or folder / "cli", folder / "clicks")


if __name__ == "__main__":
    main()
