"""A workflow goes on: the same command keeps what is done, and does again only what another value reaches."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import verglas as vg
from verglas.errors import InputError
from verglas.io.mrc import read_map
from verglas.methods.reconstruct.solve import map_fsc
from verglas.project import progress
from verglas.project.ask import How
from verglas.project.program import PROGRAM, environment
from verglas.project.progress import ask_all, changes_of, made_by
from verglas.project.request import read_request
from verglas.project.workflow import Stage, read_workflow

CHAIN = """
[crop]
run = "map crop"
map = "start.mrc"
box = 32
[low]
run = "map lowpass"
map = "@crop"
resolution = 20
[mask]
run = "mask"
map = "@low"
[other]
run = "mask"
map = "@crop"
extend = 9
"""
SMALL = """
[images]
run = "simulate particles"
phantom = true
symmetry = "D2"
number = 120
box = 32
pixel_size = 6.0
snr = 0.5
offset_sd = 4
seed = 5
[refine]
run = "refine3d"
particles = "@images"
reference = "@images"
symmetry = "D2"
mask_diameter = 150
initial_lowpass = 40
healpix_order = 1
offset_range = 2
max_iterations = 6
[mask]
run = "mask"
map = "@refine"
[sharpen]
run = "postprocess"
half1 = "@refine"
half2 = "@refine"
mask = "@mask"
"""


def until(ready: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def stages_of(folder: Path, text: str = CHAIN, **changes: str) -> tuple[Stage, ...]:
    path = folder / "chain.toml"
    path.write_text(text)
    return read_workflow(path, {name.replace("__", "."): value for name, value in changes.items()})


@pytest.fixture
def project(root: Path, pretend: Path) -> vg.Project:
    (root / "start.mrc").touch()
    return vg.open_project(root)


def test_the_same_again_keeps_all_and_another_value_makes_what_it_reaches(project: vg.Project, tmp_path: Path) -> None:
    root = project.root
    (root / "finish").touch()
    first = ask_all(root, "chain", stages_of(tmp_path))
    assert all(project.job(name).wait(30).state == "Succeeded" for name in first.values())
    assert ask_all(root, "chain", stages_of(tmp_path)) == first and len(project.jobs()) == 4
    assert ask_all(root, "chain", stages_of(tmp_path, low__resolution="20")) == first, "20 is 20, in the file and on the command line"
    changed = ask_all(root, "chain", stages_of(tmp_path, low__resolution="15"))
    assert {name for name in first if changed[name] == first[name]} == {"crop", "other"} and len(project.jobs()) == 6
    assert project.job(changed["mask"]).wait(30).params["map"] == f"{changed['low']}/map.mrc"
    assert ask_all(root, "elsewhere", stages_of(tmp_path)).keys() == first.keys() and len(project.jobs()) == 10
    anew = ask_all(root, "chain", stages_of(tmp_path), again=True)
    assert not set(anew.values()) & {*first.values(), *changed.values()}
    project.trash(anew["low"])
    mended = ask_all(root, "chain", stages_of(tmp_path))
    assert {name for name in anew if mended[name] != anew[name]} == {"low", "mask"}, "what was thrown away, and what built on it"


def test_what_was_killed_or_stopped_goes_on_in_its_folder(project: vg.Project, tmp_path: Path) -> None:
    root, stages = project.root, stages_of(tmp_path)
    made = ask_all(root, "chain", stages)
    first, last = project.job(made["crop"]), project.job(made["mask"])
    last.stop()
    assert last.refresh().detail == "a draft"
    project.schedule()
    until(lambda: (first.folder / "job.json").exists() and (first.folder / "job.json").stat().st_size)
    os.kill(json.loads((first.folder / "job.json").read_text())["process"], signal.SIGKILL)
    until(lambda: first.refresh().detail == "killed")
    with pytest.raises(InputError, match=r"waits for .*, which has failed"):
        project.schedule()
        project.job(made["low"]).wait(10)
    (root / "finish").touch()
    assert ask_all(root, "chain", stages) == made
    assert [project.job(name).wait(30).state for name in made.values()] == ["Succeeded"] * 4
    arguments = json.loads((first.folder / "seen.json").read_text())["arguments"]
    assert f"--output={first.name}" in arguments and "--map=start.mrc" in arguments, "a crop cannot be continued: it begins again"


def test_a_kill_while_it_asks_leaves_nothing_that_runs(project: vg.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, write = project.root, progress._write

    def cut(record: Path, stages: tuple[Stage, ...], made: dict[str, str]) -> None:
        if len(made) == 2:
            raise KeyboardInterrupt
        write(record, stages, made)

    monkeypatch.setattr(progress, "_write", cut)
    with pytest.raises(KeyboardInterrupt):
        ask_all(root, "chain", stages_of(tmp_path))
    monkeypatch.setattr(progress, "_write", write)
    assert [one.detail for one in project.jobs()] == ["a draft"] * 2
    made = ask_all(root, "chain", stages_of(tmp_path))
    assert made["crop"] == project.job(1).name and project.job(2).name not in made.values()
    assert [one.detail for one in project.jobs()].count("a draft") == 1


def test_what_it_was_run_with_is_known_and_all_of_it_stops_and_goes_on(project: vg.Project, tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    stages_of(tmp_path)
    made = project.run_workflow(path, {"low.resolution": "15"}, how=How({"seed": 4, "threads": 1}))
    assert float(made["low"].params["resolution"]) == 15.0
    assert made_by(project.root, "chain") == {stage: job.name for stage, job in made.items()}
    again = changes_of(project.root, "chain", read_workflow(path))
    assert again == {"low.resolution": 15.0} | {f"{stage}.seed": 4 for stage in made}, "threads change no result, so they are no part of it"
    assert set(project.stop_workflow("chain")) == {job.name for job in made.values()}
    assert {one.detail for one in project.jobs()} == {"a draft"} and project.stop_workflow("chain") == ()
    (project.root / "finish").touch()
    assert {stage: job.name for stage, job in project.run_workflow(path, again).items()} == {stage: job.name for stage, job in made.items()}
    assert made["mask"].wait(30).state == "Succeeded"
    assert project.run_workflow(path)["low"].name != made["low"].name, "back to the value of the file"


def test_all_of_it_goes_to_a_queue_and_back(project: vg.Project, tmp_path: Path) -> None:
    wish = {"cpus": 2, "time": "1:00:00"}
    made = ask_all(project.root, "chain", stages_of(tmp_path), How(queue="slurm", wish=wish, hold=True))
    requests = [read_request(project.root / name) for name in made.values()]
    assert all(one and (one.queue, one.wish, one.status) == ("slurm", wish, "held") for one in requests)
    assert ask_all(project.root, "chain", stages_of(tmp_path), How(cpus=1)) == made, "the same jobs, elsewhere"
    requests = [read_request(project.root / name) for name in made.values()]
    assert all(one and (one.queue, one.cpus, one.status) == ("", 1, "waiting") for one in requests)
    with pytest.raises(InputError, match="no queue 'nowhere'"):
        ask_all(project.root, "other", stages_of(tmp_path), How(queue="nowhere"))


def test_a_job_that_cannot_go_on_starts_again_and_what_waits_for_it_follows(project: vg.Project, tmp_path: Path) -> None:
    root = project.root
    first = project.run("map crop", map="start.mrc", box=32, how=How(cpus=1, gpus=0))
    second = project.run("mask", map=first, how=How(cpus=1, gpus=0))
    with pytest.raises(InputError, match="Scheduled"):
        first.start_again()
    (first.folder / "refuse").touch()
    with pytest.raises(InputError, match="failed"):
        first.wait(30)
    (first.folder / "refuse").unlink()
    with pytest.raises(InputError, match="start it again"):
        first.go_on()
    (root / "finish").touch()
    assert first.start_again().process.state == "Scheduled"
    assert second.wait(30).state == "Succeeded" and first.state == "Succeeded" and len(project.jobs()) == 2


def test_a_broken_record_is_told(project: vg.Project, tmp_path: Path) -> None:
    ask_all(project.root, "chain", stages_of(tmp_path))
    (project.root / ".verglas/workflows/chain.json").write_text("{")
    with pytest.raises(InputError, match=r"chain\.json.*unreadable"):
        ask_all(project.root, "chain", stages_of(tmp_path))


@pytest.mark.slow
def test_a_chain_of_real_jobs_is_killed_twice_and_ends(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    place = tmp_path / "runtime"
    place.mkdir()
    words = [*PROGRAM, "workflow", "run", "small.toml", "refine.threads=1", "images.threads=1", "--wait"]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(words, cwd=tmp_path, env=environment() | {"XDG_RUNTIME_DIR": str(place)}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    refine = tmp_path / "Refine3D" / "job002"
    whole = start()
    until(lambda: (refine / "run_it002_optimiser.star").exists() or whole.poll() is not None, 200)
    assert whole.poll() is None, whole.communicate()
    whole.kill()
    whole.communicate()
    job = int(json.loads((refine / "job.json").read_text())["process"])
    os.kill(job, 0)
    os.kill(job, signal.SIGKILL)
    until(lambda: vg.open_project(tmp_path).job(2).detail == "killed")
    again = start()
    told, complaint = again.communicate(timeout=280)
    assert again.returncode == 0, complaint
    assert "PostProcess/job004 succeeded" in told and len(vg.open_project(tmp_path).jobs()) == 4
    assert "going on after iteration" in (refine / "run.out").read_text()
    fsc = map_fsc(read_map(tmp_path / "PostProcess/job004/postprocess.mrc"), read_map(tmp_path / "Simulate/job001/map.mrc"))
    assert np.asarray(fsc)[1:8].min() > 0.5
