"""What a job folder tells about one job: parameters, times, note, resources."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import shorten
from typing import Any

from verglas.errors import DataError, InputError, VerglasError
from verglas.io.atomic import atomic_path
from verglas.io.job_star import read_job
from verglas.io.project_lock import locked
from verglas.jobs.folder import JOB_FILE, MARKERS
from verglas.jobs.provenance import read_record
from verglas.jobs.registry import find
from verglas.jobs.spec import options
from verglas.project.links import kind_of
from verglas.project.request import LAUNCH_LOG, read_request

NOTE = "note.txt"
TAIL = 256 * 1024
"""Bytes of a log that are looked at."""


@dataclass(frozen=True)
class Facts:
    """`job`: name in our registry, "" where we have no such job; `params`: with our names; times with their zone, None where unknown; `problem`: why
    nothing is known."""

    job: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    command: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    problem: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has run until now; None where that is not known."""
        return None if self.started is None else max(0.0, ((self.ended or datetime.now(UTC)) - self.started).total_seconds())


def facts_of(folder: Path) -> Facts:
    """From job.json, else from the request, else from RELION's job.star. One broken file must not close a page or a list."""
    try:
        return _facts(folder)
    except DataError as error:
        return Facts(ended=ended(folder), problem=str(error))


def _facts(folder: Path) -> Facts:
    request = read_request(folder)
    if request is not None and request.status != "launched":
        return Facts(request.job, request.params, request.common)
    if (folder / JOB_FILE).exists():
        return _recorded(folder)
    if request is not None:
        return Facts(request.job, request.params, request.common)
    return _relion(folder)


def _recorded(folder: Path) -> Facts:
    record = read_record(folder)
    try:
        started = datetime.fromisoformat(record["started"]).astimezone()
    except (KeyError, ValueError, OverflowError):
        started = None
    return Facts(str(record.get("job", "")), dict(record.get("params", {})), dict(record.get("resources", {})), str(record.get("version", "")),
                 str(record.get("command", "")), started, _told_end(folder, started) or ended(folder))


def _told_end(folder: Path, started: datetime | None) -> datetime | None:
    """By the last event of its last run; times of files change when a project is copied."""
    if started is None or ended(folder) is None:
        return None
    try:
        last = json.loads(tail(folder / "events.jsonl", 4096).splitlines()[-1])
        return started + timedelta(seconds=float(last["time"])) if last["event"] == "end" else None
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        return None


def tail(path: Path, limit: int = TAIL) -> str:
    """The last whole lines of a text file, "" where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            text = file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= limit else text.partition("\n")[2]


def _relion(folder: Path) -> Facts:
    try:
        star = read_job(folder / "job.star")
    except VerglasError:
        return Facts(ended=ended(folder))
    job = kind_of(star.job_type)
    return Facts(job, relion_params(job, star.options) if job else dict(star.options), ended=ended(folder))


def relion_params(job: str, given: Any) -> dict[str, Any]:
    """The options of RELION's job.star that our job has too, under our names; empty ones are left out."""
    found = {}
    for one in options(find(job).params):
        value = given.get(one.relion) if one.relion else given.get(f"verglas_{one.name}")
        if value not in (None, ""):
            found[one.name] = value == "Yes" if one.annotation is bool else value
    return found


def ended(folder: Path) -> datetime | None:
    """When the exit marker was left."""
    for name in MARKERS.values():
        try:
            return datetime.fromtimestamp((folder / name).stat().st_mtime, UTC).astimezone()
        except OSError:
            continue
    return None


def read_note(folder: Path) -> str:
    path = folder / NOTE
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def write_note(root: Path, name: str, text: str, was: str | None = None) -> None:
    """Replace the note; RELION's GUI shows and writes the same file. `was`: the one that is to be replaced."""
    with locked(root):
        now = read_note(root / name)
        if was is not None and now.strip() not in (was.strip(), text.strip()):
            raise InputError(f"its note was changed meanwhile, to: {shorten(now, 300)}", where=name,
                             remedy="add what you want to keep of it to yours, and save again")
        with atomic_path(root / name / NOTE) as path:
            path.write_text(text if text.endswith("\n") or not text else text + "\n", encoding="utf-8")


def read_error(folder: Path) -> str:
    """The last lines of run.err, or of what it said before it had one."""
    for name in ("run.err", LAUNCH_LOG):
        path = folder / name
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
        if lines:
            begin = max((row for row, line in enumerate(lines) if line.startswith(("error:", "verglas:", "Traceback"))), default=len(lines) - 5)
            return "\n".join(lines[max(begin, 0) :])
    return ""


def is_stuck(folder: Path) -> bool:
    """Whether nothing but the user can make this job begin: it is held, or waits for one that has failed or is gone."""
    request = read_request(folder)
    return request is not None and (request.status == "held" or (request.status == "waiting" and ", which " in request.reason))
