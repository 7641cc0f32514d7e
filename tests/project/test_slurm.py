"""Requests through a real Slurm: a job runs there and hands on, another one waits for it and is cancelled."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import verglas as vg
from verglas.project.ask import How
from verglas.project.schedule import scheduling
from verglas.testing.slurm import missing_programs, slurm_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def slurm() -> Iterator[Path]:
    if missing_programs():
        pytest.skip(missing_programs())
    with slurm_here() as folder:
        yield folder


def test_a_job_goes_through_the_queue_and_another_is_cancelled(slurm: Path, root: Path) -> None:
    project = vg.open_project(root)
    queued = How(queue="slurm", wish={"cpus": 1, "time": "0:30:00"})
    first = project.run("simulate particles", phantom=True, number=4, box=32, pixel_size=6.0, how=queued)
    mask = project.run("mask", map=first, how=queued)
    with scheduling(root) as scheduler:
        assert scheduler

        def until(ready: Callable[[], bool]) -> None:
            end = time.monotonic() + 600
            while not ready():
                assert time.monotonic() < end, [(one, one.detail, one.error) for one in project.jobs()]
                scheduler.step()
                time.sleep(0.5)

        until(lambda: first.refresh().detail == "in the queue")
        until(lambda: first.state == "Succeeded")
        assert first.outputs.map.exists()
        until(lambda: mask.state == "Running")
        mask.stop()
        until(lambda: mask.state in ("Aborted", "Succeeded"))
        assert mask.state == "Aborted" and (mask.folder / "submit.sh").exists()
