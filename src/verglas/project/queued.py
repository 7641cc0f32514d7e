"""Jobs that were given to a queue: queue.json in the job folder says to which, and what it called them."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verglas.cluster.queue import Queue, cancel, queue_from, state, submit, told
from verglas.errors import DataError, InputError
from verglas.io.atomic import atomic_path
from verglas.jobs.context import ABORT_REQUEST
from verglas.jobs.folder import MARKERS, Outcome, create, mark

FILE, SCRIPT, LOG = "queue.json", "submit.sh", "queue.log"
ENDED: dict[Outcome, str] = {"SUCCESS": "finished", "FAILURE": "failed; the reason is in run.err", "ABORTED": "stopped on request"}
REASONS = (
    ("OUT_OF_ME", "it needed more memory than it was given; ask for more, and continue it"),
    ("TIMEOUT|DEADLINE", "its time was over; ask for more, and continue it"),
    ("NODE_FAIL|BOOT_FAIL", "its machine went down; continue it"),
    ("PREEMPT|REVOKED", "the queue took its machine for another job; continue it"),
    ("CANCEL", "somebody took it out of the queue; continue it"),
)
"""What a queue says of a job that left no reason -> what that means and what to do; Slurm's words, which others use too."""


@dataclass(frozen=True)
class Entry:
    """Job number `job` of a queue, and its log."""

    queue: Queue
    job: str
    log: Path


def hand_in(queue: Queue, folder: Path, script: str) -> Entry:
    """Write the script into the job folder and submit it. A refusal leaves things as they were."""
    before = outcome(folder)
    existed = folder.exists()
    create(folder)
    for name in (FILE, SCRIPT, LOG):
        (folder / name).unlink(missing_ok=True)
    try:
        with atomic_path(folder / SCRIPT) as path:
            path.write_text(script, encoding="utf-8")
            path.chmod(0o755)
        entry = Entry(queue, submit(queue, folder / SCRIPT), folder / LOG)
    except BaseException:
        (folder / SCRIPT).unlink(missing_ok=True)
        if not existed:
            folder.rmdir()
        elif before:
            mark(folder, before)
        raise
    content = {"job": entry.job, "submitted": datetime.now(UTC).astimezone().isoformat(timespec="seconds"), "queue": asdict(queue)}
    with atomic_path(folder / FILE) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return entry


def entry_of(folder: Path) -> Entry:
    """The entry of a job folder."""
    path = folder / FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Entry(queue_from(content["queue"], path), str(content["job"]), folder / LOG)
    except FileNotFoundError as error:
        raise InputError(f"no {FILE} in this folder: its job was not given to a queue", where=str(folder), remedy="give another folder") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"unreadable: {error}", where=str(path), remedy="ask the queue itself") from error


def outcome(folder: Path) -> Outcome | None:
    """How the job ended, None when it has not (or was killed without a word)."""
    return next((name for name, marker in MARKERS.items() if (folder / marker).exists()), None)


def refuse_while_queued(folder: Path) -> None:
    """A folder belongs to one job in the queue at a time."""
    if (folder / FILE).exists() and outcome(folder) is None:
        entry = entry_of(folder)
        if state(entry.queue, entry.job) != "ended":
            raise InputError(f"job {entry.job} of the queue works here", where=str(folder), remedy=f"wait, or: verglas queue cancel {folder}")


def tell_status(folder: Path) -> str:
    """One line. A job that the queue has ended without a word gets its marker and its reason here."""
    entry = entry_of(folder)
    if outcome(folder) is None:
        now, word = told(entry.queue, entry.job)
        if now != "ended":
            return f"job {entry.job}: {now}"
        _settle(folder, entry, word)
    ended = outcome(folder) or "FAILURE"
    return f"job {entry.job}: {ENDED[ended]}"


def _settle(folder: Path, entry: Entry, word: str) -> None:
    """The marker of a job that is gone; `word`: what the queue says of it. One that has left its own meanwhile keeps it."""
    if outcome(folder) is not None:
        return
    if (folder / ABORT_REQUEST).exists():
        mark(folder, "ABORTED")
        return
    known = next((words for pattern, words in REASONS if re.search(pattern, word, re.IGNORECASE)), "killed, or its machine went down; continue it")
    reason = f"error: job {entry.job} of the queue is gone and left no reason{f' ({word})' if word else ''}: {known}; see {entry.log.name}"
    with (folder / "run.err").open("a", encoding="utf-8") as file:
        file.write(reason + "\n")
    mark(folder, "FAILURE")


def cancel_job(folder: Path) -> str:
    """Ask the job to stop, then the queue to end it; one that has not begun is marked here."""
    entry = entry_of(folder)
    if outcome(folder) is not None:
        return tell_status(folder)
    (folder / ABORT_REQUEST).touch()
    cancel(entry.queue, entry.job)
    if state(entry.queue, entry.job) == "ended":
        return tell_status(folder)
    return f"job {entry.job}: is being stopped"
