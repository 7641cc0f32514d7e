"""Jobs that go from the form through a real Slurm: watched to the end, cancelled, and what the page says of those that the queue ended."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mrcfile
import psutil
import pytest

import verglas as vg
from verglas.io.micrographs_star import read_micrographs
from verglas.methods.ctffit.lens import Aim, Lens
from verglas.project.queued import entry_of
from verglas.testing.slurm import missing_programs, slurm_here, wait_for
from verglas.testing.thon_rings import Scene, micrograph
from verglas.units import wavelength

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LONG = 600_000
"""Milliseconds of patience: a busy machine takes a minute to start a process with torch."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    if missing_programs():
        pytest.skip(missing_programs())
    with slurm_here() as folder:
        yield folder


@pytest.fixture
def opened(slurm: Path, server_of: Any, page: Any, tmp_path: Path) -> Any:
    """(project, page on it)."""
    project = vg.new_project(tmp_path / "p")
    server = server_of("--project", str(project.root))
    page.goto(f"{server.origin}{server.base}?token={server.token}")
    page.locator("main.page").wait_for()
    return project, page


def ask_for(page: Any, base: str, number: int, time_limit: str) -> None:
    """Simulated particles through the queue, by the fields of the form."""
    page.goto(f"{base}/new/simulate%20particles")
    page.locator('[data-field="phantom"]').click()
    for name, value in {"box": "32", "pixel_size": "6", "number": str(number)}.items():
        page.locator(f'input[data-field="{name}"]').fill(value)
    page.get_by_text("Where and when").click()
    page.locator(".field", has_text="Run on").locator(".q-select").click()
    page.locator(".q-menu .q-item", has_text="Cluster: slurm").click()
    for name, value in {"CPUs": "1", "Time limit": time_limit, "Partition": "main"}.items():
        page.locator(".field", has=page.get_by_text(name, exact=True)).locator("input").fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile(r"/job/Simulate/job\d+$"), timeout=60000)


def in_queue(number: str) -> str:
    return subprocess.run(["squeue", "-h", "--states=all", "-o", "%T", "-j", number], capture_output=True, text=True).stdout.strip()


def test_a_machine_that_goes_down(opened: Any) -> None:
    """As far as Slurm is concerned; its processes are told to end."""
    project, page = opened
    ask_for(page, page.url, 200_000, "0:20:00")
    job = project.job(1)
    wait_for("the job at work", lambda: (job.folder / "events.jsonl").exists(), 300)
    node = subprocess.run(["sinfo", "-h", "-o", "%N"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test"], check=True)
    try:
        page.locator("main .state.Failed").first.wait_for(timeout=180000)
        page.get_by_text("or the machine went down); continue it").first.wait_for()
        page.get_by_role("button", name="Clone", exact=True).wait_for()
    finally:
        subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], capture_output=True)  # where it has not come back by itself


def test_a_job_of_the_form_runs_in_slurm_and_another_one_is_cancelled(opened: Any, tmp_path: Path) -> None:
    project, page = opened
    base = page.url
    begun = time.monotonic()
    ask_for(page, base, 20, "0:20:00")
    page.locator("main .state", has_text="Running").first.wait_for(timeout=60000)
    submitted = time.monotonic() - begun
    page.locator("main .state.Succeeded").first.wait_for(timeout=LONG)
    first = project.job(1)
    script = (first.folder / "submit.sh").read_text()
    assert "#SBATCH --partition=main" in script and "#SBATCH --time=0:20:00" in script and "#SBATCH --cpus-per-task=1" in script
    wait_for("the end of its script", lambda: in_queue(entry_of(first.folder).job) == "COMPLETED", 60)
    assert first.outputs.map.exists()
    print(f"submitted after {submitted:.1f} s, succeeded after {time.monotonic() - begun:.1f} s")

    ask_for(page, base, 200_000, "0:20:00")
    second = project.job(2)
    wait_for("the job at work", lambda: (second.folder / "events.jsonl").exists(), 300)
    number = entry_of(second.folder).job
    assert in_queue(number) == "RUNNING"
    begun = time.monotonic()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator("main .state.Aborted").first.wait_for(timeout=120000)
    wait_for("the end in the queue", lambda: in_queue(number) not in ("RUNNING", "COMPLETING", "PENDING"), 60)
    print(f"cancelled within {time.monotonic() - begun:.1f} s, {in_queue(number)}")
    assert in_queue(number).startswith("CANCELLED")
    assert second.state == "Aborted" and not (second.folder / "RELION_JOB_ABORT_NOW").exists()


OPTICS = """data_optics
loop_
_rlnOpticsGroupName
_rlnOpticsGroup
_rlnMicrographPixelSize
_rlnVoltage
_rlnSphericalAberration
_rlnAmplitudeContrast
mine 1 1.5 300 2.7 0.07

data_micrographs
loop_
_rlnMicrographName
_rlnOpticsGroup
"""


def make_micrographs(root: Path, number: int) -> None:
    lens, aim = Lens(wavelength(300), 2.7e7, 0.07), Aim(15000, 15000, 0.0)
    (root / "Micrographs").mkdir()
    names = [f"Micrographs/{one:03d}.mrc" for one in range(number)]
    for seed, name in enumerate(names):
        with mrcfile.new(root / name) as file:
            file.set_data(micrograph(lens, aim, 1.5, 1024, Scene(strength=6.0), seed))
            file.voxel_size = 1.5
    (root / "micrographs.star").write_text(OPTICS + "".join(f"{name} 1\n" for name in names))


def dask_schedulers(folder: Path) -> list[psutil.Process]:
    words = ["dask", "scheduler", "--scheduler-file", str(folder / "scheduler.json")]
    return [one for one in psutil.process_iter(["cmdline"]) if words == [word for word in one.info["cmdline"] or () if word in words]]


def test_workers_through_the_form_and_what_the_page_says_when_the_queue_loses_them(opened: Any) -> None:
    """The workers' scheduler is killed; the job is continued by a click; somebody else takes it out of the queue; it is continued once more."""
    project, page = opened
    make_micrographs(project.root, 60)
    base = page.url
    page.goto(f"{base}/new/ctf?micrographs=micrographs.star&keep_bad=Yes")
    page.get_by_text("Where and when").click()
    page.locator(".field", has_text="Run on").locator(".q-select").click()
    page.locator(".q-menu .q-item", has_text="Cluster: slurm").click()
    for name, value in {"CPUs": "1", "Processes": "2"}.items():
        page.locator(".field", has=page.get_by_text(name, exact=True)).locator("input").fill(value)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile(r"/job/CtfFind/job001$"), timeout=60000)
    job = project.job(1)
    wait_for("a micrograph", lambda: (job.folder / "rows.jsonl").exists() and (job.folder / "rows.jsonl").read_text().strip(), 300)
    assert "#SBATCH --ntasks=2" in (job.folder / "submit.sh").read_text()
    for one in dask_schedulers(job.folder):
        one.kill()
    page.locator("main .state.Failed").first.wait_for(timeout=180000)
    page.get_by_text(re.compile("the workers ended before the job|the scheduler of the workers cannot be reached")).first.wait_for()
    done = len((job.folder / "rows.jsonl").read_text().split("\n"))
    page.get_by_role("button", name="Continue", exact=True).click()
    page.locator("main .state.Running").first.wait_for(timeout=60000)
    wait_for("another micrograph", lambda: len((job.folder / "rows.jsonl").read_text().split("\n")) > done, 300)
    subprocess.run(["scancel", entry_of(job.folder).job], check=True)
    page.locator("main .state.Failed").first.wait_for(timeout=180000)
    page.get_by_text("the queue ended the job (cancelled, preempted, or the machine went down)").first.wait_for()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.locator("main .state.Succeeded").first.wait_for(timeout=LONG)
    assert len(read_micrographs(job.folder / "micrographs_ctf.star")) == 60
