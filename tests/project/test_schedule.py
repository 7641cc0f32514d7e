"""Requests and the scheduler: order, slots, stop, kill, and that nothing that happens to the scheduler reaches a job."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import verglas as vg
from verglas.errors import InputError
from verglas.project import slots
from verglas.project.ask import How
from verglas.project.request import read_request
from verglas.project.schedule import PROGRAM, Scheduler, scheduling, unfinished
from verglas.project.state import held
from verglas.project.words import words

CROP = {"map": "start.mrc", "box": 32}
ONE = How(cpus=1, gpus=0)


def until(ready: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def states(project: vg.Project) -> list[str]:
    return [one.process.state for one in project.jobs()]


def process_of(job: vg.Job) -> int:
    until(lambda: (job.folder / "job.json").exists() and (job.folder / "job.json").stat().st_size)
    return int(json.loads((job.folder / "job.json").read_text())["process"])


@pytest.fixture
def project(root: Path, pretend: Path) -> vg.Project:
    (root / "start.mrc").touch()
    (root / "start.star").touch()
    return vg.open_project(root)


def test_a_chain_runs_in_order_with_its_edges(project: vg.Project) -> None:
    (project.root / "finish").touch()
    first = project.run("map crop", how=ONE, **CROP)
    second = project.run("mask", how=ONE, map=first)
    third = project.run("map crop", how=How(cpus=1, gpus=0, after=(second.name,)), map=first.folder / "map.mrc", box=16)
    assert states(project) == ["Scheduled"] * 3 and [one.name for one in second.parents] == [first.name]
    assert third.wait(30).state == "Succeeded" and states(project) == ["Succeeded"] * 3
    arguments = json.loads((second.folder / "seen.json").read_text())["arguments"]
    assert arguments[0] == "mask" and f"--map={first.name}/map.mrc" in arguments and f"--output={second.name}" in arguments
    assert first.outputs.map == first.folder / "map.mrc" and [one.name for one in first.children] == [second.name, third.name]
    begun = [json.loads((one.folder / "job.json").read_text())["started"] for one in (first, second, third)]
    assert begun == sorted(begun)


def test_two_jobs_never_have_the_same_gpu_nor_more_cpus_than_there_are(project: vg.Project) -> None:
    jobs = [project.run("map crop", how=How(common={"device": "cuda"}, cpus=1), **CROP) for _ in range(3)]
    cpu = [project.run("map crop", how=How(common={"device": "cpu"}, cpus=2), **CROP) for _ in range(2)]
    with scheduling(project.root) as scheduler:
        assert scheduler
        scheduler.step()
        until(lambda: all((one.folder / "seen.json").exists() for one in (*jobs[:2], cpu[0])))
        scheduler.step()
        assert states(project) == ["Running", "Running", "Scheduled", "Running", "Scheduled"]
        assert {json.loads((one.folder / "seen.json").read_text())["gpus"] for one in jobs[:2]} == {"0", "1"}
        assert "waits for 1 CPU and 1 GPU" in project.job(3).detail and slots.take(1, 0) is None
        with scheduling(project.root) as other:
            assert other is None
        os.kill(process_of(jobs[1]), signal.SIGKILL)
        until(lambda: not held(jobs[1].folder))
        scheduler.step()
        until(lambda: (jobs[2].folder / "seen.json").exists())
        assert states(project)[:3] == ["Running", "Failed", "Running"] and project.job(2).detail == "killed"
        assert json.loads((jobs[2].folder / "seen.json").read_text())["gpus"] == "1"
        (project.root / "finish").touch()
        until(lambda: not unfinished(project.root, scheduler.step().pipeline))
    assert states(project) == ["Succeeded", "Failed", "Succeeded", "Succeeded", "Succeeded"]
    until(lambda: slots.take(4, 2))


def test_a_job_of_seconds_begins_at_once_beside_one_that_has_every_core(project: vg.Project) -> None:
    long = project.run("map crop", **CROP)
    waits = project.run("map crop", **CROP)
    light = project.run("select", particles="start.star", how=How())
    with scheduling(project.root) as scheduler:
        assert scheduler
        scheduler.step()
        until(lambda: (light.folder / "seen.json").exists() and (long.folder / "seen.json").exists())
        scheduler.step()
        assert [project.job(one.number).process.state for one in (long, waits, light)] == ["Running", "Scheduled", "Running"]
        assert "--threads=1" in json.loads((light.folder / "seen.json").read_text())["arguments"]
        assert "--threads=4" in json.loads((long.folder / "seen.json").read_text())["arguments"]
        (project.root / "finish").touch()
        until(lambda: not unfinished(project.root, scheduler.step().pipeline))


def test_kill_9_of_the_scheduler_ends_no_job_and_the_next_one_goes_on(project: vg.Project, pretend: Path, tmp_path: Path) -> None:
    jobs = [project.run("map crop", how=How(cpus=2, gpus=0), **CROP) for _ in range(2)]
    last = project.run("mask", map=jobs[0], how=ONE)
    code = ("import sys, time; from pathlib import Path; from verglas.project import schedule, slots\n"
            f"schedule.PROGRAM = ({sys.executable!r}, {str(pretend)!r})\n"
            f"slots.folder = lambda: Path({str(slots.folder())!r}); slots.usable_cores = lambda: 4\n"
            f"with schedule.scheduling(Path({str(project.root)!r})) as one:\n while True:\n  one.step(); time.sleep(0.05)")
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(Path(vg.__file__).parents[1])}) as child:
        processes = [process_of(one) for one in jobs]
        child.kill()
    assert states(project) == ["Running", "Running", "Scheduled"] and all(os.getsid(one) == one for one in processes)
    with scheduling(project.root) as scheduler:
        assert scheduler
        scheduler.step()
        assert process_of(jobs[0]) == processes[0], "it was started twice"
        assert slots.take(1, 0) is None, "its slots are its own"
        (project.root / "finish").touch()
        until(lambda: not unfinished(project.root, scheduler.step().pipeline))
    assert last.state == "Succeeded"


def test_stop_at_a_safe_point_and_at_once_then_go_on(project: vg.Project) -> None:
    jobs = [project.run("refine3d", particles="a.star", reference="b.mrc", mask_diameter=100, how=ONE) for _ in range(2)]
    scheduler = Scheduler(project.root)
    scheduler.step()
    processes = [process_of(one) for one in jobs]
    jobs[0].stop()
    until(lambda: jobs[0].state == "Aborted")
    jobs[1].stop(now=True)
    until(lambda: jobs[1].state == "Aborted" and not held(jobs[1].folder))
    scheduler.step()
    assert states(project) == ["Aborted", "Aborted"]
    jobs[0].go_on()
    assert jobs[0].state == "Scheduled" and jobs[1].state == "Aborted"
    until(lambda: scheduler.step() and process_of(jobs[0]) != processes[0])
    assert f"--continue={jobs[0].name}" in json.loads((jobs[0].folder / "seen.json").read_text())["arguments"]
    with pytest.raises(InputError, match="is Running"):
        jobs[0].go_on()
    (project.root / "finish").touch()
    assert jobs[0].wait(20).state == "Succeeded"
    with pytest.raises(InputError, match="not running"):
        jobs[0].stop()


def test_a_job_goes_on_when_its_last_process_is_gone(project: vg.Project) -> None:
    job = project.run("refine3d", particles="a.star", reference="b.mrc", mask_diameter=100, how=ONE)
    scheduler = Scheduler(project.root)
    scheduler.step()
    last = process_of(job)
    (job.folder / "RELION_JOB_EXIT_ABORTED").touch()
    job.go_on()
    scheduler.step()
    assert job.refresh().detail == "waits for its last process to end"
    os.kill(last, signal.SIGKILL)
    until(lambda: scheduler.step() and process_of(job) != last)
    (project.root / "finish").touch()
    assert job.wait(20).state == "Succeeded"


def test_a_job_that_waits_can_be_stopped_changed_and_let_go(project: vg.Project) -> None:
    job = project.run("map crop", how=ONE, **CROP)
    job.stop()
    Scheduler(project.root).step()
    assert job.refresh().detail == "a draft" and not (job.folder / "seen.json").exists()
    with pytest.raises(InputError, match="a draft"):
        job.wait(5)
    other = project.run("map crop", how=How(hold=True), **CROP)
    assert [one.name for one in job.change(map=other, how=How(cpus=1, gpus=0, hold=True)).parents] == [other.name]
    changed = job.change(map="start.mrc", box=16, how=How(cpus=1, gpus=0, hold=True))
    assert not changed.parents and changed.params["box"] == 16 and changed.params["map"] == "start.mrc"
    (project.root / "finish").touch()
    assert job.go_on().wait(20).state == "Succeeded"
    with pytest.raises(InputError, match="clone"):
        job.change(box=8)
    assert job.clone(box=64, how=ONE).params["box"] == 64


def test_one_that_refuses_its_input_has_failed_and_says_why(project: vg.Project) -> None:
    job = project.run("map crop", how=ONE, **CROP)
    (job.folder / "refuse").touch()
    follower = project.run("mask", map=job, how=ONE)
    with pytest.raises(InputError, match="before it began"):
        job.wait(20)
    assert "the input is wrong" in job.error
    with pytest.raises(InputError, match="which has failed"):
        follower.wait(20)


def test_wrong_wishes_are_refused_before_a_folder_is_made(project: vg.Project) -> None:
    for job, params, how, told in (
        ("no such", {}, ONE, "no job"), ("map crop", {"map": "a.mrc"}, ONE, "--box is required"), ("map crop", CROP | {"box": -1}, ONE, "--box"),
        ("map crop", CROP | {"colour": 1}, ONE, "colour"), ("map crop", CROP, How(cpus=99), "99 CPUs"),
        ("map crop", CROP, How(after=("job077",)), "job077"),
        ("map crop", CROP | {"map": "@job077"}, ONE, "job077"), ("map crop", CROP, How(queue="nothing.toml"), "nothing.toml"),
        ("map crop", CROP, How(common={"threads": -3}), "threads"), ("map crop", CROP, How(queue="slurm", wish={"tasks": 2}), "one process"),
        ("ctf", {"micrographs": "a.star"}, How(queue="slurm", wish={"tasks": 2, "gpus": 1}), "1 GPUs for 2"),
        ("map crop", CROP, How(queue="slurm", wish={"cpus": "many"}), "'many'"),
    ):
        with pytest.raises(InputError, match=told):
            project.run(job, how=how, **params)
    assert not project.jobs() and project.pipeline.counter == 1


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """A queue that only keeps what it was given; what it says of its job stands in the file `says`."""
    file, kept, says = tmp_path / "queue.toml", tmp_path / "kept", tmp_path / "says"
    says.write_text("RUNNING")
    program = f"import sys, pathlib; p = pathlib.Path({str(kept)!r}); s = pathlib.Path({str(says)!r}); "
    file.write_text(
        f"submit = [{sys.executable!r}, '-c', \"{program}p.write_text(sys.stdin.read()); print('77')\"]\n"
        f"status = [{sys.executable!r}, '-c', \"{program}print(s.read_text() if p.exists() else '')\", '{{job}}']\n"
        f"cancel = [{sys.executable!r}, '-c', \"{program}p.unlink()\", '{{job}}']\n"
        "job = '^(\\d+)'\nwaiting = '^PENDING'\nrunning = '^RUNNING'\nended = '^[A-Z_]+$'\ngone = 'gone'\n"
        "plain = 'plain.sh'\nworkers = 'workers.sh'\n")
    (tmp_path / "plain.sh").write_text("#!/bin/sh\n#QUEUE -n {tasks} -c {cpus} -t {time}\n{guard}\nrun {command}\n")
    (tmp_path / "workers.sh").write_text("#!/bin/sh\n#QUEUE -n {tasks}\n{guard}\nstart_scheduler\n{worker} &\nneeds $!\nrun {command}\n")
    return file


def test_a_queue_gets_its_script_and_can_be_cancelled(project: vg.Project, queue: Path) -> None:
    job = project.run("map crop", how=How(queue=str(queue), wish={"cpus": 3, "time": "1:00:00"}), **CROP)
    Scheduler(project.root).step()
    assert job.refresh().detail == "in the queue" and job.state == "Running"
    script = (queue.parent / "kept").read_text()
    assert "#QUEUE -n 1 -c 3 -t 1:00:00" in script and f"--output={job.name}" in script and "--threads=3" in script
    job.stop()
    assert job.state == "Aborted" and not (queue.parent / "kept").exists()


def test_workers_share_the_micrographs_of_a_job_in_a_queue(project: vg.Project, queue: Path) -> None:
    job = project.run("ctf", micrographs="a.star", how=How(queue=str(queue), wish={"tasks": 3}))
    Scheduler(project.root).step()
    script = (queue.parent / "kept").read_text()
    assert "#QUEUE -n 3" in script and "dask worker" in script and f"--workers={job.name}/scheduler.json" in script


@pytest.mark.parametrize(("word", "told"), [("OUT_OF_MEMORY", "more memory"), ("TIMEOUT", "time was over"), ("NODE_FAIL", "machine went down"),
                                            ("CANCELLED", "took it out"), ("PREEMPTED", "another job"), ("FAILED", "killed, or its machine")])
def test_a_job_that_the_queue_lost_has_failed_and_says_why(word: str, told: str, project: vg.Project, queue: Path) -> None:
    job = project.run("map crop", how=How(queue=str(queue)), **CROP)
    scheduler = Scheduler(project.root)
    scheduler.step()
    (queue.parent / "says").write_text(word)
    scheduler.ask_queue = 0
    scheduler.step()
    assert job.state == "Failed" and word in job.error and told in job.error and "queue.log" in job.error


def test_a_job_that_ran_in_a_queue_goes_on_there(project: vg.Project, queue: Path) -> None:
    job = project.run("ctf", micrographs="a.star", how=How(queue=str(queue), wish={"tasks": 2, "cpus": 3}))
    scheduler = Scheduler(project.root)
    scheduler.step()
    (job.folder / "job.json").write_text(json.dumps({"job": "ctf", "params": {"micrographs": "a.star"}, "resources": {"seed": 9}, "hardware": {}}))
    job.stop()
    assert job.state == "Aborted"
    job.go_on()
    scheduler.step()
    script = (queue.parent / "kept").read_text()
    assert job.refresh().detail == "in the queue" and "#QUEUE -n 2" in script and f"--continue={job.name}" in script and "--seed=9" in script


def test_a_queue_that_does_not_answer_changes_nothing_and_is_asked_again_later(project: vg.Project, queue: Path) -> None:
    jobs = [project.run("map crop", how=How(queue=str(queue)), **CROP) for _ in range(2)]
    scheduler = Scheduler(project.root)
    scheduler.step()
    (queue.parent / "says").write_text("slurm_load_jobs error: Unable to contact slurm controller")
    scheduler.ask_queue = 0
    scheduler.step()
    assert "Unable to contact" in scheduler.problem and jobs[0].name in scheduler.problem and {one.state for one in jobs} == {"Running"}
    (queue.parent / "says").write_text("RUNNING")
    scheduler.step()
    assert scheduler.problem, "not every second"
    scheduler.ask_queue = 0
    scheduler.step()
    assert not scheduler.problem


def test_words_say_the_job_again() -> None:
    """What is asked for and what the command line understands are the same thing."""
    from verglas.cli.command import understood
    from verglas.cli.submit import _call
    from verglas.jobs.common import parse
    from verglas.jobs.registry import find

    given = {"particles": Path("-odd name.star"), "reference": Path("b.mrc"), "mask_diameter": 123.5, "symmetry": "D2"}
    job, found = find("refine3d"), []
    wanted = parse(job.params, given)
    told = words("refine3d", wanted.model_dump(), {"seed": 7, "output": "Refine3D/job001", "deterministic": True})

    def keep(params: object, common: object) -> int:
        found.append((params, common))
        return 0

    assert _call("refine3d", understood(job, keep), list(told[1:])) == 0
    params, common = found[0]
    assert params == wanted and common.seed == 7 and common.deterministic and common.output == Path("Refine3D/job001")


@pytest.mark.parametrize(("given", "gpus"), [("2,5", ["2", "5"]), ("", []), ("-1", []), ("0, 1", ["0", "1"]), ("3,-1,4", ["3"]),
                                            ("GPU-8f2a-11,MIG-0c", ["GPU-8f2a-11", "MIG-0c"]), ("../../x", [])])
def test_gpus_are_those_that_are_left_to_us(given: str, gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert slots._gpus() == gpus and slots.machine()[1] == len(gpus)


def test_slots_are_free_when_their_holder_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "slots"
    place.mkdir(mode=0o700)
    total = slots.machine()[0]
    taken = slots.take(total, 0, place)
    assert taken is not None and slots.take(1, 0, place) is None
    with subprocess.Popen(["sleep", "60"], pass_fds=taken.descriptors) as child:
        taken.close()
        assert slots.take(1, 0, place) is None
        child.kill()
    again = slots.take(total, 0, place)
    assert again is not None
    again.close()


@pytest.mark.slow
def test_a_real_chain_runs_and_its_kill_is_survived(root: Path) -> None:
    """Simulated particles to a mask, with the real programs; the first of them killed once."""
    assert PROGRAM[1:] == ("-m", "verglas")
    project = vg.open_project(root)
    first = project.run("simulate particles", phantom=True, number=40, box=32, pixel_size=6.0, how=ONE)
    mask = project.run("mask", map=first, how=ONE)
    with scheduling(root) as scheduler:
        assert scheduler
        scheduler.step()
        os.kill(process_of(first), signal.SIGKILL)
        until(lambda: not held(first.folder))
    assert first.refresh().detail == "killed"
    with pytest.raises(InputError, match="which has failed"):
        mask.wait(60)
    second = first.clone(how=ONE)
    changed = mask.change(map=f"@{second.name}", how=ONE)
    assert [one.name for one in changed.parents] == [second.name] and changed.wait(180).outputs.mask.exists()
    assert read_request(mask.folder) is not None and [one.name for one in mask.parents] == [second.name]
    assert "box" in project.forecast("mask", map=second.outputs.map) or project.forecast("mask", map=second.outputs.map)
