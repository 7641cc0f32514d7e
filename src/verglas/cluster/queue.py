"""A queue of a cluster, described by a small TOML file: its commands, and how to read what they answer.

    submit = ["sbatch", "--parsable", "{script}"]      without {script} the script is given on standard input
    status = ["squeue", "--noheader", "--jobs={job}"]
    cancel = ["scancel", "{job}"]
    job = '^(\\d+)'                                    finds the number of the job in the answer to submit
    waiting, running, ended, gone = regular expressions for the answer to status, in this order; gone: the queue does not know the job (any more)
    plain, workers = the templates of its scripts, beside the TOML file
"""

import re
import subprocess
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from verglas.errors import DataError, InputError

State = Literal["waiting", "running", "ended"]
STATES: tuple[State, ...] = ("waiting", "running", "ended")
COMMANDS, PATTERNS, TEMPLATES = ("submit", "status", "cancel"), ("job", *STATES, "gone"), ("plain", "workers")
BUILT_IN = {"slurm": Path(__file__).parent / "slurm" / "queue.toml"}
PATIENCE = 120
"""Seconds for one command of the queue."""


@dataclass(frozen=True)
class Queue:
    """See the head of this file; `plain` and `workers` are absolute paths, empty when it has none."""

    submit: tuple[str, ...]
    status: tuple[str, ...]
    cancel: tuple[str, ...]
    job: str
    waiting: str
    running: str
    ended: str
    gone: str
    plain: str = ""
    workers: str = ""


def read_queue(wish: str) -> Queue:
    """The built-in queue of this name, or the one that a TOML file describes."""
    path = BUILT_IN.get(wish, Path(wish))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"no queue {wish!r}: {error.strerror}", where="--queue", remedy=f"give {', '.join(BUILT_IN)} or a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not TOML: {error}", where=str(path), remedy="see docs/cluster.md for examples") from error
    return queue_from(content, path)


def queue_from(content: dict[str, Any], path: Path) -> Queue:
    """A queue from the table of its file (or of queue.json)."""
    names = {one.name for one in fields(Queue)}
    wrong = [f"there is no key {name!r}; the keys are {', '.join(sorted(names))}" for name in content if name not in names]
    wrong += [f"{name} is missing" for name in (*COMMANDS, *PATTERNS) if name not in content]
    for name in COMMANDS:
        words = content.get(name, ["-"])
        if not (isinstance(words, list | tuple) and words and all(isinstance(word, str) for word in words)):
            wrong.append(f"{name} = {words!r}: a list of words is needed, such as [\"qdel\", \"{{job}}\"]")
    for name in (*PATTERNS, *TEMPLATES):
        if not isinstance(content.get(name, ""), str):
            wrong.append(f"{name} = {content[name]!r}: text is needed")
        elif name in PATTERNS:
            wrong += _pattern_problem(name, content.get(name, "()"))
    if wrong:
        raise InputError("\n".join(wrong), where=str(path), remedy="see docs/cluster.md for examples")
    found: dict[str, Any] = {name: tuple(content[name]) for name in COMMANDS} | {name: content[name] for name in PATTERNS}
    found |= {name: str((path.parent / content[name]).absolute()) for name in TEMPLATES if content.get(name)}
    return Queue(**found)


def _pattern_problem(name: str, text: str) -> list[str]:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        return [f"{name} = {text!r}: not a regular expression ({error})"]
    return [f"job = {text!r}: put the number of the job into parentheses"] if name == "job" and groups == 0 else []


def submit(queue: Queue, script: Path) -> str:
    """Hand in a script, from its folder; the number that the queue gives it."""
    named = any("{script}" in word for word in queue.submit)
    words = [word.replace("{script}", script.name) for word in queue.submit]
    done = _ask(words, cwd=script.parent, text="" if named else script.read_text(encoding="utf-8"))
    if done.returncode:
        raise InputError(f"the queue refused it: {_said(done)}", where=words[0], remedy="change the options of submit, or the template")
    found = re.search(queue.job, done.stdout, re.MULTILINE)
    if found is None:
        raise InputError(f"no job number in its answer: {_said(done)}", where=words[0],
                         remedy=f"the queue may hold the job now; correct `job = {queue.job!r}` of the queue")
    return found[1]


def state(queue: Queue, job: str) -> State:
    """Where a job is; a job that the queue does not know has ended."""
    return told(queue, job)[0]


def told(queue: Queue, job: str) -> tuple[State, str]:
    """Where a job is, and the queue's own word for it, "" where it does not know the job any more."""
    words = [word.replace("{job}", job) for word in queue.status]
    done = _ask(words)
    answer = f"{done.stdout}\n{done.stderr}"
    for name in STATES:
        found = re.search(getattr(queue, name).replace("{job}", re.escape(job)), done.stdout, re.MULTILINE)
        if found and done.returncode == 0:
            return name, found[0]
    if re.search(queue.gone, answer, re.MULTILINE) or (done.returncode == 0 and not done.stdout.strip()):
        return "ended", ""
    raise InputError(f"its answer about job {job} is not understood: {_said(done)}", where=words[0],
                     remedy="try again later, or correct the expressions of the queue")


def cancel(queue: Queue, job: str) -> None:
    """Take a job out of the queue, or end it; one that has ended already is no problem."""
    words = [word.replace("{job}", job) for word in queue.cancel]
    done = _ask(words)
    if done.returncode and state(queue, job) != "ended":
        raise InputError(f"job {job} was not cancelled: {_said(done)}", where=words[0], remedy="cancel it by hand")


def _ask(words: list[str], cwd: Path | None = None, text: str = "") -> subprocess.CompletedProcess[str]:
    """One command of the queue; no shell reads it."""
    try:
        return subprocess.run(words, cwd=cwd, input=text, capture_output=True, text=True, timeout=PATIENCE)
    except OSError as error:
        raise InputError(f"{words[0]} cannot be started: {error.strerror}", where="--queue",
                         remedy="submit on a machine of the cluster, or give another --queue") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"no answer within {PATIENCE} s", where=words[0], remedy="try again later") from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(f"{done.stdout} {done.stderr}".split()) or f"nothing (exit code {done.returncode})"
