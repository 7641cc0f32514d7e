"""Times of the pages in Chromium: start of the server, the form of every job, a project of 10,000 jobs.

    python bench/web.py [--jobs 10000] [--project DIR]
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from verglas.api import new_project
from verglas.io.pipeline_star import write_pipeline
from verglas.jobs.registry import ENTRIES
from verglas.project.program import PROGRAM, environment
from verglas.types.pipeline import Node, Pipeline, Process

CHROMIUM = "/usr/bin/chromium"


def large_project(root: Path, number: int) -> None:
    """Chains of refinements with their folders and markers."""
    new_project(root)
    names = [f"Refine3D/job{one:03d}" for one in range(1, number + 1)]
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "RELION_JOB_EXIT_SUCCESS").touch()
    nodes = tuple(Node(f"{one}/run_class001.mrc", "DensityMap.mrc.relion.refine3d") for one in names)
    inputs = tuple((nodes[one - 1].name, names[one]) for one in range(1, number) if one % 20)
    write_pipeline(root / "default_pipeline.star", Pipeline(number + 1, tuple(Process(one, "relion.refine3d", "Succeeded") for one in names), nodes,
                                                            inputs, tuple(zip(names, (one.name for one in nodes)))))


def start(root: Path, home: Path, *words: str) -> tuple["subprocess.Popen[str]", str, str, float]:
    """(process, address of the project, token, seconds until it answered)."""
    begun = time.perf_counter()
    process = subprocess.Popen([*PROGRAM, "web", "--port", "0", "--project", str(root), *words], stdout=subprocess.PIPE, text=True,
                               env=environment() | {"XDG_CONFIG_HOME": str(home)})
    assert process.stdout is not None
    for line in process.stdout:
        found = re.match(r"(http://\S+)\?token=(\S+)", line)
        if found:
            break
    try:
        urllib.request.urlopen(found[1], timeout=30)
    except urllib.error.HTTPError as error:
        assert error.code == 401
    return process, found[1], found[2], time.perf_counter() - begun


def seconds(action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def visit(page: Any, address: str, sign: str) -> None:
    page.goto(address, wait_until="commit")
    page.locator(sign).first.wait_for()


def measure(page: Any, base: str, number: int) -> None:
    forms = {job: seconds(lambda job=job: visit(page, f"{base}/new/{quote(job)}", "button:has-text('Check and forecast')")) for job in ENTRIES}
    slowest = ", ".join(f"{forms[job]:.2f} s ({job})" for job in sorted(forms, key=lambda job: -forms[job])[:4])
    above = sum(one > 0.3 for one in forms.values())
    print(f"form, all {len(forms)} types: median {statistics.median(forms.values()):.2f} s, {above} above 0.3 s, slowest {slowest}")
    last, middle = f"Refine3D/job{number - 30:03d}", f"Refine3D/job{number // 2:03d}"
    steps: dict[str, Callable[[], None]] = {
        f"list of {number} jobs": lambda: visit(page, base, ".q-table tbody tr:nth-child(25)"),
        "next page": lambda: _click(page, ".q-table__bottom .q-btn:nth-last-child(2)", f"text={last}"),
        "sorted by name": lambda: _click(page, "th:has-text('Job')", "td:has-text('Refine3D/job001')"),
        "sorted by date": lambda: _click(page, "th:has-text('Date')", "th.sorted:has-text('Date')"),
        "search": lambda: _search(page, middle),
        "graph, its last part": lambda: visit(page, f"{base}/graph", ".graph svg a"),
        "job page": lambda: visit(page, f"{base}/job/{middle}", ".state.Succeeded"),
    }
    for words, action in steps.items():
        print(f"{words}: {seconds(action):.2f} s")


def _click(page: Any, what: str, sign: str) -> None:
    page.locator(what).first.click()
    page.locator(sign).first.wait_for()


def _search(page: Any, text: str) -> None:
    page.get_by_placeholder("Search jobs and job types").fill(text)
    page.locator(".q-menu .q-item", has_text=text).first.wait_for()


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--project", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = given.project or Path(folder) / "project"
        if given.project is None:
            large_project(root, given.jobs)
        process, address, token, took = start(root, Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            print(f"server answers after {took:.2f} s")
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            print(f"first page of all, nothing in the browser's cache: {seconds(lambda: visit(page, f'{address}?token={token}', '.q-table')):.2f} s")
            measure(page, address, given.jobs)
        finally:
            browser.close()
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
