"""A job folder is the contract: record, logs, events, exactly one marker, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verglas.errors import DataError, InputError
from verglas.io.star import read_star
from verglas.jobs.context import Context
from verglas.jobs.folder import next_job_folder
from verglas.jobs.provenance import fingerprint
from verglas.jobs.runner import Request, launch, run_job
from verglas.jobs.spec import Job, JobParams, Plan, PlanLine, Stopped, option
from verglas.runtime.resources import Resources

MARKERS = ("RELION_JOB_EXIT_SUCCESS", "RELION_JOB_EXIT_FAILURE", "RELION_JOB_EXIT_ABORTED")


class Params(JobParams):
    """A file and a size."""

    file: Path | None = option(None, help="A file.", relion="fn_in")
    size: float = option(1.0, help="A size.", unit="Å", relion="size")


def job_of(run: Callable[[Params, Context], None], check: Callable[[Params, Context], Plan] | None = None) -> Job:
    plan = Plan((PlanLine("memory", "3 MB", "because"),), ("mind the gap",))
    return Job("trial", "Trial", "A trial.", Params, check or (lambda params, context: plan), run, "relion.trial", True)


def write_result(params: Params, context: Context) -> None:
    context.event("iteration", number=1, resolution=7.5)
    context.log("hello")
    (context.output / "result.txt").write_text("done")


def markers(folder: Path) -> list[str]:
    return [name for name in MARKERS if (folder / name).exists()]


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def request(tmp_path: Path, **changes: object) -> Request:
    return Request(Resources(threads=2, seed=5), project=tmp_path, quiet=True, command="verglas trial", **changes)  # type: ignore[arg-type]


def test_a_finished_job_leaves_everything(tmp_path: Path) -> None:
    source = tmp_path / "in.bin"
    source.write_bytes(b"abc")
    folder = run_job(job_of(write_result), Params(file=source, size=2.5), request(tmp_path))
    assert folder == tmp_path / "Trial" / "job001"
    assert markers(folder) == ["RELION_JOB_EXIT_SUCCESS"]
    record = json.loads((folder / "job.json").read_text())
    assert record["job"] == "trial"
    assert record["params"] == {"file": str(source), "size": 2.5}
    assert record["resources"]["seed"] == 5
    assert record["inputs"][0]["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert record["hardware"]["cores"] >= 1
    assert {"version", "command", "python", "torch", "started"} <= set(record)
    names = [row["event"] for row in events(folder)]
    assert names == ["warning", "start", "iteration", "end"]
    assert events(folder)[2]["resolution"] == 7.5
    assert "hello" in (folder / "run.out").read_text()
    assert "mind the gap" in (folder / "run.err").read_text()
    blocks = read_star(folder / "job.star")
    assert blocks["job"]["rlnJobTypeLabel"][0] == "relion.trial"
    table = blocks["joboptions_values"]
    assert dict(zip(table["rlnJobOptionVariable"], table["rlnJobOptionValue"])) == {"fn_in": str(source), "size": "2.5"}


def test_the_next_number_is_above_every_job_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "Class2D" / "job017").mkdir(parents=True)
    (tmp_path / "Refine3D" / "job003").mkdir(parents=True)
    assert next_job_folder(tmp_path, "Refine3D") == tmp_path / "Refine3D" / "job018"


def test_relions_own_counter_is_respected(tmp_path: Path) -> None:
    (tmp_path / "default_pipeline.star").write_text("\ndata_pipeline_general\n\n_rlnPipeLineJobCounter 31\n\n")
    assert next_job_folder(tmp_path, "Refine3D").name == "job031"


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launch(job_of(write_result), Params(), request(tmp_path, dry_run=True)) == 0
    assert list(tmp_path.iterdir()) == []
    shown = capsys.readouterr().out
    assert "memory  3 MB" in shown and "because" in shown and "mind the gap" in shown


def test_bad_input_found_at_the_door_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def check(params: Params, context: Context) -> Plan:
        context.warn("looked at it")
        raise InputError("3 rows, expected 4", where="x.star, block particles", remedy="add a row")

    assert launch(job_of(write_result, check), Params(), request(tmp_path)) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "verglas: x.star, block particles: 3 rows, expected 4\n  -> add a row\n"


@pytest.mark.parametrize(
    ("error", "code", "marker"),
    [
        (DataError("broken", where="m.mrc"), 2, "FAILURE"),
        (ZeroDivisionError("oops"), 1, "FAILURE"),
        (Stopped(), 130, "ABORTED"),
        (KeyboardInterrupt(), 130, "ABORTED"),
        (MemoryError(), 2, "FAILURE"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 7 bytes"), 2, "FAILURE"),
        (OSError(28, "No space left on device", "x.mrc"), 2, "FAILURE"),
        (OSError(13, "Permission denied", "x.mrc"), 2, "FAILURE"),
    ],
)
def test_each_way_to_end_has_its_code_and_one_marker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, marker: str
) -> None:
    def run(params: Params, context: Context) -> None:
        raise error

    assert launch(job_of(run), Params(), request(tmp_path)) == code
    folder = tmp_path / "Trial" / "job001"
    assert markers(folder) == [f"RELION_JOB_EXIT_{marker}"]
    assert events(folder)[-1]["event"] == "end"
    assert events(folder)[-1]["outcome"] == marker
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert ("Traceback" in (folder / "run.err").read_text()) == (code == 1)
    if code == 2 and not isinstance(error, DataError):
        assert "->" in shown


def test_a_finished_folder_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = request(tmp_path, output=tmp_path / "here")
    assert launch(job_of(write_result), Params(), ask) == 0
    before = (tmp_path / "here" / "job.json").read_bytes()
    assert launch(job_of(write_result), Params(), ask) == 2
    assert "finished job" in capsys.readouterr().err
    assert (tmp_path / "here" / "job.json").read_bytes() == before


def test_a_failed_folder_is_used_again_without_its_marker(tmp_path: Path) -> None:
    def fail(params: Params, context: Context) -> None:
        raise ZeroDivisionError

    ask = request(tmp_path, output=tmp_path / "here")
    assert launch(job_of(fail), Params(), ask) == 1
    assert launch(job_of(write_result), Params(), ask) == 0
    assert markers(tmp_path / "here") == ["RELION_JOB_EXIT_SUCCESS"]
    assert "ZeroDivisionError" not in (tmp_path / "here" / "run.err").read_text()


def test_continuing_keeps_the_logs(tmp_path: Path) -> None:
    def stop(params: Params, context: Context) -> None:
        context.log("first part")
        raise Stopped

    def go_on(params: Params, context: Context) -> None:
        assert context.continuing

    ask = request(tmp_path, output=tmp_path / "here")
    assert launch(job_of(stop), Params(), ask) == 130
    assert launch(job_of(go_on), Params(), request(tmp_path, output=tmp_path / "here", continuing=True)) == 0
    assert "first part" in (tmp_path / "here" / "run.out").read_text()
    record = json.loads((tmp_path / "here" / "job.json").read_text())
    assert [run["command"] for run in record["earlier"]] == ["verglas trial"]
    assert [row["event"] for row in events(tmp_path / "here")].count("end") == 2


def test_a_running_job_is_left_alone(tmp_path: Path) -> None:
    import platform

    folder = tmp_path / "here"
    folder.mkdir()
    record = {"process": os.getppid(), "hardware": {"host": platform.node()}, "started": "2100-01-01T00:00:00+00:00"}
    (folder / "job.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="still running"):
        run_job(job_of(write_result), Params(), request(tmp_path, output=folder))


def test_a_killed_job_whose_process_number_was_given_away_is_not_running(tmp_path: Path) -> None:
    import platform

    folder = tmp_path / "here"
    folder.mkdir()
    record = {"process": os.getppid(), "hardware": {"host": platform.node()}, "started": "2000-01-01T00:00:00+00:00"}
    (folder / "job.json").write_text(json.dumps(record))
    run_job(job_of(write_result), Params(), request(tmp_path, output=folder))
    assert markers(folder) == ["RELION_JOB_EXIT_SUCCESS"]


def test_the_abort_file_asks_for_a_stop(tmp_path: Path) -> None:
    def run(params: Params, context: Context) -> None:
        assert not context.should_stop()
        (context.output / "RELION_JOB_ABORT_NOW").touch()
        context.stop_if_asked()
        raise AssertionError("went on")

    assert launch(job_of(run), Params(), request(tmp_path)) == 130
    folder = tmp_path / "Trial" / "job001"
    assert markers(folder) == ["RELION_JOB_EXIT_ABORTED"]
    assert not (folder / "RELION_JOB_ABORT_NOW").exists()


SLOW_JOB = """
import sys, time
from pathlib import Path
from verglas.jobs.runner import Request, launch
from verglas.jobs.spec import Job, JobParams, Plan

class Params(JobParams):
    pass

def run(params, context):
    (context.output / "ready").touch()
    for _ in range(600):
        context.stop_if_asked()
        time.sleep(0.05)

job = Job("slow", "Slow", "Slow.", Params, lambda params, context: Plan(), run)
sys.exit(launch(job, Params(), Request(output=Path(sys.argv[1]))))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW_JOB, str(tmp_path / "job")], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not (tmp_path / "job" / "ready").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=20) == 130
    assert markers(tmp_path / "job") == ["RELION_JOB_EXIT_ABORTED"]


def test_large_inputs_are_hashed_at_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "large.mrcs"
    with path.open("wb") as file:
        file.truncate(100 * 1024**2)
    first = fingerprint(path)
    assert first["bytes"] == 100 * 1024**2
    assert "first and last" in str(first["hashed"])
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(path)["sha256"] != first["sha256"]
