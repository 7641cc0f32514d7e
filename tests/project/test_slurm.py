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


def test_all_jobs_of_a_workflow_go_through_the_queue(slurm: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from verglas.cli.main import main

    path = tmp_path / "two.toml"
    path.write_text('[make]\nrun = "simulate particles"\nphantom = true\nnumber = 4\nbox = 32\npixel_size = 6\n'
                    '[low]\nrun = "map lowpass"\nmap = "@make"\nresolution = 20\n')
    with pytest.raises(SystemExit) as ended:
        main(["workflow", "run", str(path), "--queue", "slurm", "--cpus", "1", "--time", "0:30:00", "--seed", "7", "--project", str(root), "--wait"])
    assert ended.value.code == 0, capsys.readouterr()
    jobs = vg.open_project(root).jobs()
    assert [one.process.state for one in jobs] == ["Succeeded"] * 2 and all((one.folder / "queue.json").exists() for one in jobs)
    assert {one.facts.resources["seed"] for one in jobs} == {7}
