"""What queues answer, and queues described by a file."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from verglas.cluster.queue import Queue, cancel, queue_from, read_queue, state, submit
from verglas.errors import DataError, InputError

SLURM = read_queue("slurm")
EXAMPLES = Path(__file__).parents[2] / "docs" / "cluster.md"


def answering(tmp_path: Path, output: str, code: int = 0, error: str = "") -> str:
    """A program that answers this."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\ncat >&2 <<'END'\n{error}\nEND\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def examples() -> dict[str, Queue]:
    """The queues in the documentation."""
    import tomllib

    blocks = [part.partition("```")[0] for part in EXAMPLES.read_text().split("```toml\n")[1:]]
    found = {block.partition("\n")[0].strip("# "): queue_from(tomllib.loads(block), EXAMPLES) for block in blocks}
    return found | {"Slurm": SLURM}


@pytest.mark.parametrize(
    ("name", "answer", "number"),
    [
        ("Slurm", "1234", "1234"),
        ("Slurm", "1234;cluster", "1234"),
        ("PBS", "1234.server.example.org", "1234.server.example.org"),
        ("SGE", 'Your job 1234 ("Mask-job001") has been submitted', "1234"),
        ("LSF", "Job <1234> is submitted to queue <long>.", "1234"),
    ],
)
def test_the_number_of_a_job(tmp_path: Path, name: str, answer: str, number: str) -> None:
    (tmp_path / "submit.sh").touch()
    queue = examples()[name]
    assert submit(replace(queue, submit=(answering(tmp_path, answer), *queue.submit[1:])), tmp_path / "submit.sh") == number


@pytest.mark.parametrize(
    ("name", "answer", "code", "expected"),
    [
        ("Slurm", "PENDING", 0, "waiting"),
        ("Slurm", "RUNNING", 0, "running"),
        ("Slurm", "COMPLETING", 0, "running"),
        ("Slurm", "COMPLETED", 0, "ended"),
        ("Slurm", "TIMEOUT", 0, "ended"),
        ("Slurm", "OUT_OF_MEMORY", 0, "ended"),
        ("Slurm", "", 0, "ended"),
        ("Slurm", "slurm_load_jobs error: Invalid job id specified", 1, "ended"),
        ("PBS", "Job Id: 12.server\n    Job_Name = a\n    job_state = Q\n", 0, "waiting"),
        ("PBS", "Job Id: 12.server\n    job_state = R\n", 0, "running"),
        ("PBS", "Job Id: 12.server\n    job_state = F\n", 0, "ended"),
        ("PBS", "qstat: Unknown Job Id 12.server", 153, "ended"),
        ("PBS", "qstat: 12.server Job has finished, use -x or -H to obtain historical job information", 35, "ended"),
        ("SGE", "job-ID prior name user state\n---\n     11 0.5 other me r 11/21\n     12 0.5 Mask me qw 11/21\n", 0, "waiting"),
        ("SGE", "job-ID prior name user state\n---\n     11 0.5 other me qw 11/21\n     12 0.5 Mask me r 11/21\n", 0, "running"),
        ("SGE", "job-ID prior name user state\n---\n     112 0.5 other me r 11/21\n", 0, "ended"),
        ("SGE", "", 0, "ended"),
        ("LSF", "PEND", 0, "waiting"),
        ("LSF", "RUN", 0, "running"),
        ("LSF", "EXIT", 0, "ended"),
        ("LSF", "Job <12> is not found", 255, "ended"),
    ],
)
def test_states(tmp_path: Path, name: str, answer: str, code: int, expected: str) -> None:
    queue = examples()[name]
    for program in (answering(tmp_path, answer, code), answering(tmp_path, "", code, answer)) if code else (answering(tmp_path, answer, code),):
        assert state(replace(queue, status=(program,)), "12") == expected


def test_a_queue_that_does_not_answer_has_not_ended_the_job(tmp_path: Path) -> None:
    broken = replace(SLURM, status=(answering(tmp_path, "", 1, "Unable to contact slurm controller"),))
    with pytest.raises(InputError, match="not understood: Unable to contact"):
        state(broken, "12")


def test_refusals_are_told(tmp_path: Path) -> None:
    (tmp_path / "submit.sh").touch()
    with pytest.raises(InputError, match="refused it: sbatch: error: invalid partition"):
        submit(replace(SLURM, submit=(answering(tmp_path, "", 1, "sbatch: error: invalid partition"),)), tmp_path / "submit.sh")
    with pytest.raises(InputError, match="no job number in its answer: hello"):
        submit(replace(SLURM, submit=(answering(tmp_path, "hello"),)), tmp_path / "submit.sh")
    with pytest.raises(InputError, match="there-is-no-such-program cannot be started"):
        submit(replace(SLURM, submit=("there-is-no-such-program",)), tmp_path / "submit.sh")


def test_a_job_that_has_ended_need_not_be_cancelled(tmp_path: Path) -> None:
    refusing = replace(SLURM, cancel=("false",))
    cancel(replace(refusing, status=(answering(tmp_path, "COMPLETED"),)), "12")
    with pytest.raises(InputError, match="job 12 was not cancelled"):
        cancel(replace(refusing, status=(answering(tmp_path, "RUNNING"),)), "12")


def test_the_script_on_standard_input(tmp_path: Path) -> None:
    (tmp_path / "submit.sh").write_text("echo 77\n")
    assert submit(replace(SLURM, submit=("bash",)), tmp_path / "submit.sh") == "77"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"submitt": ["x"]}, "there is no key 'submitt'"),
        ({"status": None}, "status is missing"),
        ({"cancel": "qdel {job}"}, "a list of words is needed"),
        ({"waiting": "("}, "not a regular expression"),
        ({"job": "\\d+"}, "into parentheses"),
        ({"plain": 3}, "text is needed"),
    ],
)
def test_mistakes_in_the_file_of_a_queue(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"submit": ["q"], "status": ["s"], "cancel": ["c"], "job": "(1)"}
    good |= {"waiting": "w", "running": "r", "ended": "e", "gone": "g"}
    with pytest.raises(InputError, match=words):
        queue_from({name: value for name, value in (good | change).items() if value is not None}, Path("site.toml"))


def test_files_that_are_no_queue(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no queue 'slrum'"):
        read_queue("slrum")
    (tmp_path / "q.toml").write_text("submit = [")
    with pytest.raises(DataError, match="not TOML"):
        read_queue(str(tmp_path / "q.toml"))
