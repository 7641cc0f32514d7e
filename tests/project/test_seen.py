"""A look that remembers earlier ones finds the same as one that does not."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import verglas as vg
from verglas.io.pipeline_star import write_pipeline
from verglas.project import sync as syncing
from verglas.project.ask import How
from verglas.project.layout import find_name
from verglas.project.seen import Seen
from verglas.project.sync import snapshot, sync
from verglas.types.pipeline import Node, Pipeline, Process

STAR = (("particles.star", "ParticleGroupMetadata.star.relion"),)
Finished = Callable[..., Path]


def age(root: Path) -> None:
    """As if all had been done an hour ago."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            os.utime(path, times=(time.time() - 3600,) * 2)


@pytest.fixture
def jobs(root: Path, finished: Finished) -> Path:
    for number in range(1, 6):
        finished(f"Extract/job{number:03d}", "extract", reads=(f"Extract/job{number - 1:03d}/particles.star",) if number > 1 else (), makes=STAR)
    sync(root)
    age(root)
    return root


def test_folders_of_jobs_that_have_ended_are_not_read_again(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, asked = Seen(), []
    first = snapshot(jobs, seen)
    whole = syncing.standing
    monkeypatch.setattr(syncing, "standing", lambda folder, known: asked.append(folder.name) or whole(folder, known))
    assert snapshot(jobs, seen) == first and not asked
    assert snapshot(jobs) == first and len(asked) == 5


def test_every_change_is_noticed(jobs: Path, finished: Finished) -> None:
    seen = Seen()
    project = vg.open_project(jobs)

    def fail() -> None:
        (jobs / "Extract/job002/RELION_JOB_EXIT_SUCCESS").rename(jobs / "Extract/job002/RELION_JOB_EXIT_FAILURE")

    def another() -> None:
        finished("Select/job006", "select", reads=("Extract/job005/particles.star",), makes=STAR)

    changes: tuple[Callable[[], object], ...] = (
        fail, another, lambda: project.run("mask", map="start.mrc", how=How(hold=True)),
        lambda: project.job(3).rename("best"), lambda: project.trash(4), lambda: project.restore("Extract/job004"),
        lambda: project.job(7).clone(how=How(hold=True)),
    )
    for change in changes:
        age(jobs)
        before = snapshot(jobs, seen), snapshot(jobs, seen)
        change()
        now = sync(jobs, seen=seen)
        assert now == sync(jobs) == snapshot(jobs, seen) and before[0] == before[1] != now, change
    assert find_name(now.pipeline, "best") == "Extract/job003"


def test_what_changed_a_moment_ago_is_looked_at_again(jobs: Path) -> None:
    seen, folder = Seen(), jobs / "Extract/job002"
    for name in ("FAILURE", "SUCCESS", "ABORTED"):
        next(folder.glob("RELION_JOB_EXIT_*")).rename(folder / f"RELION_JOB_EXIT_{name}")
        now = time.time()
        os.utime(folder, times=(now, now))
        assert snapshot(jobs, seen).pipeline.processes[1].state == {"FAILURE": "Failed", "SUCCESS": "Succeeded", "ABORTED": "Aborted"}[name]


@pytest.mark.parametrize("known", [(), (Process("Extract/job001", "relion.extract", "Succeeded"),)])
def test_a_project_that_may_only_be_read_keeps_what_its_file_does_not_say(known: tuple[Process, ...], root: Path, finished: Finished) -> None:
    """Files of a job that the pipeline does not hold are found by every look."""
    finished("Extract/job001", "extract", makes=STAR)
    write_pipeline(root / "default_pipeline.star", Pipeline(2, known))
    age(root)
    project = vg.open_project(root, read_only=True)
    for _ in range(3):
        assert project.pipeline.nodes == (Node("Extract/job001/particles.star", STAR[0][1]),)
