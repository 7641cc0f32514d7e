"""Scripts from templates: what the user typed stays text, and mistakes in a template are explained."""

import subprocess
from pathlib import Path

import pytest

from verglas.cluster.queue import read_queue
from verglas.cluster.template import GUARD, KNOWN, Wish, quoted, render, values
from verglas.errors import InputError

NASTY = ("plain", "two words", "it's", 'say "hi"', "$(touch hacked)", "`touch hacked`", "a;touch hacked", "\\", "{tasks}", "${HOME}", "*", "", "é\n2")


def given(**changed: object) -> dict[str, object]:
    return values(Wish(), ("verglas",), Path("/p/Mask/job001"), Path("/p"), "/usr/bin/python3") | changed


def test_words_arrive_as_they_were_typed(tmp_path: Path) -> None:
    script = render("printf '%s\\0' {command}\n", given(command=NASTY), "here")
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=tmp_path)
    assert done.stdout.decode().split("\0")[:-1] == list(NASTY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", NASTY[1:10])
def test_folders_of_any_name(tmp_path: Path, folder: str) -> None:
    script = render("x={output}\nprintf %s \"$x\"  # it's a comment\nprintf %s {output}\n", given(output=folder), "here")
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path).stdout == folder * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ['echo "{output}"', "echo '{output}'", 'echo "a\\"{output}"', "echo 'a\nb{output}'", 'x="$(ls {output})"'])
def test_a_placeholder_inside_quotes_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="stands inside quotes"):
        render(line, given(), "here")


@pytest.mark.parametrize(
    "line", ["echo {output}", "echo 'a' {output} \"b\"", "echo \\\" {output}", "# don't\necho {output}", "echo x # don't\necho {output}"]
)
def test_a_placeholder_outside_quotes_is_not(line: str) -> None:
    assert "/p/Mask/job001" in render(line, given(), "here")


def test_quotes_are_found_as_the_shell_finds_them() -> None:
    text = "a'b\"c'\"d'e\"f\\'g # 'h\ni"
    assert "".join(one for one, inside in zip(text, quoted(text)) if inside and one.isalpha()) == "bcde"


def test_lines_of_the_queue() -> None:
    text = "#Q -n {tasks}\n#Q -m {memory_gb}G\n#Q {extra}\n#Q -q '{queue}'\n"
    wish = Wish(3, extra=("-A mine", "-l fast"), queue="long")
    assert render(text, values(wish, (), Path("/p/j"), Path("/p"), "python"), "here") == "#Q -n 3\n#Q -A mine\n#Q -l fast\n#Q -q 'long'\n"


def test_a_line_break_cannot_end_a_line_of_the_queue() -> None:
    with pytest.raises(InputError, match="line break"):
        render("#Q {extra}\n", given(extra=("-A x\ntouch hacked",)), "here")


def test_unknown_placeholders_are_listed_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"mine.sh, line 'run \{comand\}': there is no placeholder \{comand\}") as problem:
        render("#!/bin/bash\nrun {comand}\n", given(), "mine.sh")
    assert all(f"{{{name}}}" in str(problem.value) for name in KNOWN)


def test_the_variables_of_the_shell_are_left_alone() -> None:
    assert render("f() { echo ${tasks} {a,b} {}; }\n", given(), "here") == "f() { echo ${tasks} {a,b} {}; }\n"


def test_here_documents_and_misplaced_guards_are_refused() -> None:
    with pytest.raises(InputError, match="here-document"):
        render("cat <<END\n{output}\nEND\n", given(), "here")
    with pytest.raises(InputError, match="line of its own"):
        render("  {guard}\n", given(), "here")


def test_the_name_is_harmless() -> None:
    assert values(Wish(), (), Path("/p/Motion Corr/$(x)"), Path("/p"), "python")["name"] == "Motion-Corr-x"


@pytest.mark.parametrize("kind", ["plain", "workers"])
def test_the_templates_of_slurm_are_good_shell(kind: str) -> None:
    wish = Wish(2, 3, 2, 8, "1:00:00", "gpu", ("--account=x",))
    script = render(Path(getattr(read_queue("slurm"), kind)).read_text(), values(wish, NASTY, Path("/p/it's $(x)"), Path("/p"), "python"), kind)
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    head = script[: script.index("# One exit marker")]
    assert [line.partition(" ")[2] for line in head.splitlines()[1:]] == [
        "--job-name=p-it-s-x", "--output=queue.log", "--open-mode=append", "--no-requeue", "--ntasks=2", "--cpus-per-task=3", "--gpus=2", "--mem=8G",
        "--time=1:00:00", "--partition=gpu", "--signal=B:USR1@60", "--account=x"]


def guarded(folder: Path, body: str, grace: int = 20) -> subprocess.Popen[str]:
    text = GUARD.read_text().replace("grace=25", f"grace={grace}") + body
    folder.mkdir(exist_ok=True)
    script = render(text, given(output=str(folder), project=str(folder.parent)), "guard")
    return subprocess.Popen(["bash", "-c", script], stderr=subprocess.DEVNULL, text=True)


def markers(folder: Path) -> list[str]:
    return sorted(path.name.rpartition("_")[2] for path in folder.glob("RELION_JOB_*"))


UNTIL_ASKED = 'run bash -c \'touch "$0/begun"; '
UNTIL_ASKED += 'until [ -e "$0/RELION_JOB_ABORT_NOW" ]; do sleep 0.1; done; touch "$0/RELION_JOB_EXIT_ABORTED"; exit 130\''


@pytest.mark.parametrize(
    ("body", "code", "left", "reason"),
    [
        ("run touch \"$output/RELION_JOB_EXIT_SUCCESS\"", 0, ["SUCCESS"], ""),
        ("run bash -c 'touch \"$0/RELION_JOB_EXIT_FAILURE\"; exit 2' \"$output\"", 2, ["FAILURE"], ""),
        ("run bash -c 'kill -9 $$'", 137, ["FAILURE"], "exit code 137 and left no reason (killed, often for want of memory)"),
        ("run true", 1, ["FAILURE"], "exit code 0 and left no reason"),
        ("fail 'no such node'", 1, ["FAILURE"], "error: no such node"),
        ("sleep 1 & needs $!; " + UNTIL_ASKED + ' "$output"', 130, ["FAILURE"], "the workers ended before the job"),
    ],
)
def test_whatever_ends_the_job_leaves_one_marker(tmp_path: Path, body: str, code: int, left: list[str], reason: str) -> None:
    folder = tmp_path / "it's $(x)"
    assert guarded(folder, body).wait(30) == code
    assert markers(folder) == left
    said = (folder / "run.err").read_text() if reason else ""
    assert reason in said and bool(reason) == (folder / "run.err").exists()


@pytest.mark.parametrize(
    ("signal", "asked", "left", "reason"),
    [("TERM", False, "FAILURE", "the queue ended the job"), ("USR1", False, "FAILURE", "the time limit"), ("TERM", True, "ABORTED", "")],
)
def test_a_signal_of_the_queue_lets_the_job_stop_and_is_told(tmp_path: Path, signal: str, asked: bool, left: str, reason: str) -> None:
    process = guarded(tmp_path, UNTIL_ASKED.replace("-e", "-s" if asked else "-e") + ' "$output"', grace=1 if asked else 20)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
    if asked:  # the job itself does not heed it here: it is killed after the time of grace
        (tmp_path / "RELION_JOB_ABORT_NOW").touch()
    subprocess.run(["kill", f"-{signal}", str(process.pid)], check=True)
    assert process.wait(30) == 130
    assert markers(tmp_path) == [left]
    assert reason in ((tmp_path / "run.err").read_text() if reason else "")
