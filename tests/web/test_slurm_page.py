"""Jobs that go from the form through a real Slurm: watched to the end, cancelled, and what the page says of those that the queue ended."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import verglas as vg
from verglas.project.queued import entry_of
from verglas.testing.slurm import missing_programs, slurm_here, wait_for

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
