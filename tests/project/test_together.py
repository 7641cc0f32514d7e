"""Two people, two windows, two programs on one project at once; and programs that are killed while they save."""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import verglas as vg
from verglas.errors import InputError
from verglas.io import project_lock
from verglas.io.pipeline_star import read_pipeline
from verglas.io.project_lock import locked
from verglas.project.ask import How
from verglas.project.request import read_request, replace_request
from verglas.project.schedule import Scheduler

HOLD = How(cpus=1, gpus=0, hold=True)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(vg.__file__).parents[1])}
WRITER = """
import random, sys
from pathlib import Path
import verglas as vg
from verglas.errors import InputError
from verglas.project.ask import How
project, chance = vg.open_project(sys.argv[1]), random.Random(int(sys.argv[2]))
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    what = chance.random()
    jobs = project.jobs()
    try:
        if what < 0.4 or not jobs:
            project.run("mask", map="start.mrc", lowpass=float(number), how=How(cpus=1, gpus=0, hold=True))
        elif what < 0.55:
            chance.choice(jobs).annotate(f"{sys.argv[2]} {number} " + "x" * 20000)
        elif what < 0.7:
            chance.choice(jobs).rename(f"a{sys.argv[2]}-{number}")
        elif what < 0.85:
            chance.choice(jobs).change(lowpass=float(100 + number), how=How(cpus=1, gpus=0, hold=True))
        elif what < 0.93:
            project.trash(chance.choice(jobs))
        elif project.trashed():
            project.restore(chance.choice(project.trashed()))
    except InputError as error:
        print(error, flush=True)
"""


@pytest.fixture
def project(root: Path) -> vg.Project:
    (root / "start.mrc").touch()
    return vg.open_project(root)


def writer(root: Path, seed: int, number: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(seed), str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=ENVIRONMENT)


def whole(root: Path) -> int:
    """The jobs of the project, of which nothing is half written: pipeline, requests, notes, trash and aliases agree; their number."""
    project = vg.open_project(root)
    pipeline = project.pipeline
    names = {one.name for one in pipeline.processes}
    assert len(names) == len(pipeline.processes) and names == {f"MaskCreate/{path.name}" for path in root.glob("MaskCreate/job*")}
    for one in project.jobs():
        request = read_request(one.folder)
        assert request is not None and request.job == "mask" and one.process.state == "Scheduled"
        assert not one.note or len(one.note.split()[-1]) == 20000, "a part of a note"
        assert not one.alias or (root / one.alias).readlink() == Path(one.folder.name)
    assert not {one.name for one in pipeline.processes} & set(project.trashed())
    assert all((root / "Trash" / one / ".verglas_request.json").exists() for one in project.trashed())
    numbers = [int(one.rpartition("job")[2]) for one in (*names, *project.trashed())]
    assert len(set(numbers)) == len(numbers) and pipeline.counter > max(numbers, default=0)
    return len(numbers)


def test_three_programs_at_once_lose_nothing(project: vg.Project) -> None:
    running = [writer(project.root, seed, 15) for seed in range(3)]
    told = [one.communicate(timeout=120) for one in running]
    assert all(one.returncode == 0 for one in running), told
    assert whole(project.root) >= 12
    assert not (project.root / ".relion_lock").exists()


@pytest.mark.slow
def test_kill_9_while_saving_leaves_nothing_half_written(project: vg.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty programs killed at moments of chance; each time everything reads, and the next one goes on within seconds."""
    chance = random.Random(1)
    for seed in range(20):
        with writer(project.root, seed, 1000) as one:
            assert one.stdout and one.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.02, 0.6))
            one.kill()
        begun = time.monotonic()
        vg.open_project(project.root).run("mask", map="start.mrc", how=HOLD)
        assert time.monotonic() - begun < 10
    for path in project.root.rglob("*"):
        if (path.suffix == ".json" and not path.name.startswith(".")) or path.name == ".verglas_request.json":
            json.loads(path.read_text())
        if path.name in ("default_pipeline.star", "job_pipeline.star"):
            read_pipeline(path)


def test_the_second_of_two_windows_is_told_that_the_draft_has_changed(project: vg.Project) -> None:
    job = project.run("mask", map="start.mrc", lowpass=10, how=HOLD)
    first = second = read_request(job.folder)
    job.change(first, how=HOLD, lowpass=20)
    with pytest.raises(InputError, match="changed meanwhile"):
        job.change(second, how=HOLD, lowpass=30)
    assert job.params["lowpass"] == 20
    job.change(read_request(job.folder), how=HOLD, lowpass=30)
    assert job.params["lowpass"] == 30
    waiting = read_request(job.folder)
    assert waiting is not None
    replace_request(project.root, job.name, waiting, replace(waiting, reason="waits for 1 CPU", status="waiting"))
    job.change(waiting, how=HOLD, lowpass=40)
    assert job.params["lowpass"] == 40, "what it waits for is no change"


def test_notes_and_names_of_two_people(project: vg.Project) -> None:
    job = project.run("mask", map="start.mrc", how=HOLD)
    job.annotate("good ice", was="")
    with pytest.raises(InputError, match="to: good ice"):
        job.annotate("bad ice", was="")
    job.annotate("good ice", was="")
    job.annotate("good ice, bad mask", was="good ice\n")
    assert job.note == "good ice, bad mask\n"
    job.rename("best", was="")
    with pytest.raises(InputError, match="'best' meanwhile"):
        job.rename("worst", was="")
    assert job.rename("better", was="best").alias == "MaskCreate/better"
    assert (project.root / "MaskCreate/better").is_symlink() and not (project.root / "MaskCreate/best").is_symlink()


def test_nothing_is_deleted_that_was_not_agreed_to(project: vg.Project) -> None:
    job = project.run("mask", map="start.mrc", how=HOLD)
    other = project.run("mask", map=job, how=HOLD)
    with pytest.raises(InputError, match=f"{other.name} builds on it meanwhile"):
        project.trash(job, expected=[job.name])
    assert len(project.jobs()) == 2 and project.trash(job, expected=[job.name, other.name]) == (job.name, other.name)


def test_a_draft_that_is_changed_while_the_scheduler_looks_is_not_overwritten_nor_started_as_it_was(project: vg.Project, pretend: Path,
                                                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    job = project.run("map crop", map="start.mrc", box=32, how=How(cpus=1, gpus=0))
    scheduler = Scheduler(project.root)
    whole_take = scheduler._begin

    def begin(*given: object) -> str:
        job.change(how=How(cpus=1, gpus=0), box=64)
        return whole_take(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(scheduler, "_begin", begin)
    scheduler.step()
    assert job.state == "Scheduled" and job.params["box"] == 64 and not (job.folder / "seen.json").exists()
    monkeypatch.undo()


def test_a_lock_of_a_program_that_was_killed_is_broken_at_once_and_no_other(root: Path) -> None:
    code = ("from pathlib import Path\nfrom verglas.io.project_lock import locked\nimport time\n"
            f"with locked(Path({str(root)!r})):\n print(1, flush=True)\n time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=ENVIRONMENT) as one:
        assert one.stdout
        one.stdout.readline()
        with pytest.raises(InputError, match="another program holds"), locked(root, patience=project_lock.DEAD + 0.5):
            pass
        one.kill()
    begun = time.monotonic()
    with locked(root):
        assert time.monotonic() - begun < project_lock.DEAD + 1


def test_many_threads_ask_at_once(project: vg.Project) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: project.run("mask", map="start.mrc", how=HOLD).name, range(16)))
    assert len(set(jobs)) == 16 == whole(project.root)
