"""What the list of jobs shows, kept in .verglas/index.sqlite so that thousands of job.json are not read again.

The folders are the truth: a row counts only while its files are as old and as long as they were. Without the file, or where it cannot be
read or written, everything is as before, only slower.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verglas.jobs.folder import JOB_FILE, MARKERS, Outcome
from verglas.project.facts import facts_of
from verglas.project.layout import HIDDEN
from verglas.project.request import FILE as REQUEST
from verglas.project.seen import stamp_of
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Process, State

FILE, VERSION = "index.sqlite", 1
PATIENCE = 2.0
"""Seconds to wait for another process that writes it."""
ENDINGS: dict[State, Outcome] = {"Succeeded": "SUCCESS", "Failed": "FAILURE", "Aborted": "ABORTED"}


@dataclass(frozen=True)
class Row:
    """A job in a list: `kind` is our name of it; times in seconds since 1970, None where unknown."""

    process: Process
    detail: str
    kind: str
    started: float | None
    ended: float | None


Kept = tuple[str, str, float | None, float | None]
"""(stamp of the files, kind, started, ended)."""


def rows(root: Path, found: Snapshot, *, keep: bool = True) -> list[Row]:
    """All jobs, by number. What the index does not hold is read from the folders, and kept there if `keep`."""
    path = root / HIDDEN / FILE
    known = _load(path)
    result, new = [], dict[str, Kept]()
    for one in sorted(found.pipeline.processes, key=lambda process: (process.number, process.name)):
        stamp = _stamp(f"{root}/{one.name}", one.state)
        row = known.get(one.name)
        if row is None or row[0] != stamp:
            row = new[one.name] = (stamp, *_read(root / one.name))
        result.append(Row(one, found.details.get(one.name, ""), *row[1:]))
    gone = set(known) - {row.process.name for row in result}
    if keep and (new or gone):
        _keep(path, new, gone)
    return result


def rebuild(root: Path) -> None:
    """Forget it; the next list makes it anew."""
    (root / HIDDEN / FILE).unlink(missing_ok=True)


def _read(folder: Path) -> tuple[str, float | None, float | None]:
    facts = facts_of(folder)
    return facts.job, _seconds(facts.started), _seconds(facts.ended)


def _seconds(when: datetime | None) -> float | None:
    return when.timestamp() if when else None


def _stamp(folder: str, state: State) -> str:
    """Time and length of the files that a row comes from."""
    marker = (MARKERS[ENDINGS[state]],) if state in ENDINGS else (REQUEST,)
    found = []
    for name in (JOB_FILE, *marker):
        stamp = stamp_of(f"{folder}/{name}")
        found.append(f"{stamp[0]}:{stamp[1]}" if stamp else "-")
    return f"{state} {' '.join(found)}"


def _load(path: Path) -> dict[str, Kept]:
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE)) as index:
            if index.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                return {}
            return {name: tuple(rest) for name, *rest in index.execute("SELECT name, stamp, kind, started, ended FROM jobs")}
    except sqlite3.Error:
        return {}


def _keep(path: Path, new: dict[str, Kept], gone: Iterable[str]) -> None:
    """Journal mode DELETE: a network disk cannot do better. Who cannot write goes on without."""
    try:
        path.parent.mkdir(exist_ok=True)
        _write(path, new, gone)
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):  # it is no database any more
            path.unlink(missing_ok=True)
    except OSError:
        return


def _write(path: Path, new: dict[str, Kept], gone: Iterable[str]) -> None:
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as index, index:
        if index.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            index.execute("DROP TABLE IF EXISTS jobs")
            index.execute("CREATE TABLE jobs (name TEXT PRIMARY KEY, stamp TEXT, kind TEXT, started REAL, ended REAL)")
            index.execute(f"PRAGMA user_version = {VERSION}")
        index.executemany("DELETE FROM jobs WHERE name = ?", [(name,) for name in gone])
        index.executemany("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)", [(name, *kept) for name, kept in new.items()])
