"""RELION's lock of a project: the folder .relion_lock, which one process at a time can make. It is held for one change of the pipeline."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from verglas.errors import InputError

LOCK, OWNER = ".relion_lock", "owner.json"
PATIENCE, STALE, DEAD, PAUSE = 60.0, 120.0, 2.0, 0.02
"""Seconds: to wait for the others; after which a lock of nobody is broken, and one whose owner was killed; between two attempts."""


@contextmanager
def locked(project: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Nobody else changes the pipeline, or takes a job number, within this block."""
    lock = project / LOCK
    _take(lock, patience)
    try:
        (lock / OWNER).write_text(json.dumps({"host": platform.node(), "process": os.getpid()}), encoding="utf-8")
        yield
    finally:
        _drop(lock)


def _take(lock: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            lock.mkdir()
            return
        except FileExistsError:
            if _is_stale(lock):
                _break(lock)
            elif time.monotonic() > end:
                raise InputError(f"another program holds the project since {_age(lock):.0f} s", where=str(lock),
                                 remedy="wait for it; if no RELION or verglas is running, remove this folder") from None
            else:
                time.sleep(PAUSE)


def _age(lock: Path) -> float:
    try:
        return time.time() - lock.stat().st_mtime
    except OSError:
        return 0.0


def _is_stale(lock: Path) -> bool:
    """Old, and its owner is not a living process of this machine. A lock of another machine is never broken: nobody here can know."""
    age = _age(lock)
    if age < DEAD:
        return False
    try:
        owner = json.loads((lock / OWNER).read_text(encoding="utf-8"))
        host, process = owner["host"], int(owner["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return age > STALE  # RELION writes no owner, and holds it for seconds
    return bool(host == platform.node() and not Path(f"/proc/{process}").exists()) if Path("/proc").exists() else False


def _break(lock: Path) -> None:
    """Renamed first: of two that find it stale only one breaks it, and not the lock that the other one has taken since."""
    grave = lock.with_name(f"{LOCK}.stale-{os.getpid()}-{time.monotonic_ns()}")
    with suppress(OSError):
        lock.rename(grave)
        _drop(grave)


def _drop(lock: Path) -> None:
    with suppress(OSError):
        for path in lock.iterdir():
            path.unlink(missing_ok=True)
        lock.rmdir()
