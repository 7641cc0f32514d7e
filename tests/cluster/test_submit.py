"""verglas submit and verglas queue, with a queue that only starts what it is given."""

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verglas.cli.main import main
from verglas.io.mrc import write_map
from verglas.jobs.folder import mark
from verglas.project.queued import SCRIPT, outcome
from verglas.testing.particle_sets import blobs
from verglas.testing.slurm import wait_for

QUEUE = r"""
submit = ["{folder}/submit", "{{script}}"]
status = ["{folder}/status", "{{job}}"]
cancel = ["kill", "{{job}}"]
job = '(\d+)'
waiting = '^WAITING'
running = '^RUNNING'
ended = '^ENDED'
gone = 'unknown'
plain = "plain.sh"
workers = "plain.sh"
"""
PROGRAMS = {
    "submit": '#!/bin/bash\nsetsid bash "$1" >queue.log 2>&1 </dev/null &\necho "job $!"\n',
    "status": '#!/bin/bash\nkill -0 "$1" 2>/dev/null && echo RUNNING || echo ENDED\n',
    "refuse": '#!/bin/bash\necho "no such account" >&2\nexit 1\n',
}
Verglas = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verglas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verglas:
    """verglas("submit", ...) in a project folder that holds map.mrc: exit code and what was printed."""
    site, project = tmp_path / "site", tmp_path / "my project"
    site.mkdir()
    project.mkdir()
    for name, text in PROGRAMS.items():
        (site / name).write_text(text)
        (site / name).chmod(0o755)
    (site / "queue.toml").write_text(QUEUE.format(folder=site))
    (site / "plain.sh").write_text("#!/bin/bash\n#Q {extra}\n#Q -t {time} -n {tasks} -p {queue}\n{guard}\nrun {command}\n")
    monkeypatch.chdir(project)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    write_map(project / "map.mrc", blobs(24, 4.0))

    def call(*words: object) -> tuple[int, str, str]:
        given = [str(word) for word in words]
        if given[0] == "submit" and "--queue" not in given:
            given[1:1] = ["--queue", str(site / "queue.toml")]
        with pytest.raises(SystemExit) as end:
            main(given)
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return call


def command_of(folder: Path) -> list[str]:
    """The words of the command in the script of a job."""
    return shlex.split((folder / SCRIPT).read_text().splitlines()[-1])[1:]


def test_a_job_is_checked_queued_and_followed_to_its_end(verglas: Verglas) -> None:
    code, shown, _ = verglas("submit", "--cpus", 1, "--memory-gb", 2, "--", "mask", "--map", "map.mrc", "--lowpass", "12")
    folder = Path("MaskCreate/job001")
    assert code == 0 and "memory" in shown and str(folder / "run.out") in shown
    assert command_of(folder) == [sys.executable, "-m", "verglas", "mask", "--map", "map.mrc", "--lowpass", "12", "--output", str(folder),
                                  "--threads", "1", "--memory-gb", "1.6"]
    assert "running" in verglas("queue", "status", folder)[1]
    wait_for("the end", lambda: outcome(folder), 120)
    assert (folder / "mask.mrc").exists()
    assert "finished" in verglas("queue", "status", folder)[1]
    record = json.loads((folder / "job.json").read_text())
    assert record["resources"]["threads"] == 1 and record["resources"]["memory_gb"] == 1.6
    assert "finished job" in verglas("submit", "--", "mask", "--map", "map.mrc", "--output", folder)[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mask", "--map", "map.mrc"), "no -- before the job"),
        (("--", "maks"), "no job 'maks'"),
        (("--", "mask", "--map", "no.mrc"), "no.mrc: cannot be read"),
        (("--", "mask", "--map", "map.mrc", "--lowpass", "-4"), "--lowpass -4: must be >= 0"),
        (("--", "mask", "--map", "map.mrc", "--colour", "red"), "--colour"),
        (("--colour", "red", "--", "mask"), "--colour"),
        (("--tasks", "0", "--", "mask", "--map", "map.mrc"), "--tasks 0: must be >= 1"),
        (("--tasks", "2", "--", "mask", "--map", "map.mrc"), "mask runs in one process, not in 2"),
        (("--tasks", "2", "--gpus", "3", "--", "mask", "--map", "map.mrc"), "3 GPUs for 2 processes"),
        (("--time", "long", "--", "mask", "--map", "map.mrc"), "--time: 'long' is not understood"),
        (("--partition", "a b", "--", "mask", "--map", "map.mrc"), "--partition: 'a b' is not understood"),
        (("--extra=-A x\nrm", "--", "mask", "--map", "map.mrc"), "line break"),
        (("--template", "no.sh", "--", "mask", "--map", "map.mrc"), "no.sh: cannot be read"),
        (("--queue", "slrum", "--", "mask", "--map", "map.mrc"), "no queue 'slrum'"),
        (("--", "mask", "--map", "map.mrc", "--continue", "x"), "--continue"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_queued(verglas: Verglas, words: tuple[str, ...], message: str) -> None:
    code, _, told = verglas("submit", *words)
    assert code == 2 and message in told, told
    assert [path.name for path in Path().iterdir()] == ["map.mrc"]


def test_dry_run_shows_the_script_and_writes_nothing(verglas: Verglas) -> None:
    code, shown, _ = verglas("submit", "--dry-run", "--time", "1:00:00", "--extra=-A mine", "--partition", "long", "--", "mask", "--map", "map.mrc")
    assert code == 0 and "#Q -A mine\n#Q -t 1:00:00 -n 1 -p long\n" in shown and "run " in shown
    assert [path.name for path in Path().iterdir()] == ["map.mrc"]


def test_the_gpus_are_on_another_machine(verglas: Verglas) -> None:
    code, shown, told = verglas("submit", "--dry-run", "--gpus", 1, "--", "mask", "--map", "map.mrc", "--device", "cuda")
    assert code == 0 and "--device cuda" in shown, told


def test_a_refused_job_leaves_things_as_they_were(verglas: Verglas, tmp_path: Path) -> None:
    queue = tmp_path / "site" / "queue.toml"
    queue.write_text(queue.read_text().replace("site/submit", "site/refuse"))
    assert "no such account" in verglas("submit", "--", "mask", "--map", "map.mrc")[2]
    assert not Path("MaskCreate/job001").exists()
    kept = Path("kept")
    kept.mkdir()
    mark(kept, "ABORTED")
    assert "no such account" in verglas("submit", "--", "mask", "--map", "map.mrc", "--output", kept)[2]
    assert outcome(kept) == "ABORTED" and not (kept / SCRIPT).exists()


def queued(folder: Path, number: int, tmp_path: Path) -> None:
    """As if job `number` had been submitted from `folder`."""
    import tomllib

    folder.mkdir()
    queue = tomllib.loads((tmp_path / "site" / "queue.toml").read_text())
    (folder / "queue.json").write_text(json.dumps({"job": str(number), "queue": queue}))


def test_a_job_that_is_gone_without_a_word_is_marked(verglas: Verglas, tmp_path: Path) -> None:
    queued(Path("gone"), 2**22 + 1, tmp_path)
    assert "failed" in verglas("queue", "status", "gone")[1]
    assert outcome(Path("gone")) == "FAILURE" and "left no reason" in Path("gone/run.err").read_text()


def test_a_folder_belongs_to_one_job_of_the_queue(verglas: Verglas, tmp_path: Path) -> None:
    queued(Path("busy"), os.getpid(), tmp_path)
    assert "works here" in verglas("submit", "--", "mask", "--map", "map.mrc", "--output", "busy")[2]
    assert "running" in verglas("queue", "status", "busy")[1]


def test_folders_that_were_never_in_a_queue(verglas: Verglas) -> None:
    assert "was not given to a queue" in verglas("queue", "status", ".")[2]
    assert "was not given to a queue" in verglas("queue", "cancel", ".")[2]


def test_cancelled(verglas: Verglas, tmp_path: Path) -> None:
    template = tmp_path / "slow.sh"
    template.write_text("{guard}\nrun bash -c 'until [ -e \"$0/RELION_JOB_ABORT_NOW\" ]; do sleep 0.1; done; exit 130' \"$output\"\n")
    verglas("submit", "--template", template, "--", "mask", "--map", "map.mrc", "--output", "slow")
    assert "job" in verglas("queue", "cancel", "slow")[1]
    wait_for("the end", lambda: "stopped on request" in verglas("queue", "status", "slow")[1], 30)
    assert outcome(Path("slow")) == "ABORTED"


def test_help() -> None:
    from verglas.cli.submit import submit_help

    assert all(word in submit_help() for word in ("--queue", "--tasks", "--gpus", "--partition", "--dry-run", "-- JOB"))
