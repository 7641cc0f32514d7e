"""CPUs and GPUs of this machine, for all projects of a user: a slot is a locked file.

The job's own process inherits the locks, so that a slot is free exactly when its job is gone, whatever happened to the scheduler.
"""

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from verglas.errors import InputError
from verglas.runtime.resources import usable_cores


@dataclass(frozen=True)
class Slots:
    """Open descriptors of the locks, and the numbers (or names) of the GPUs among them."""

    descriptors: tuple[int, ...]
    gpus: tuple[str, ...]

    def close(self) -> None:
        """Here; a process that inherited them keeps them."""
        for one in self.descriptors:
            with suppress(OSError):
                os.close(one)


def folder() -> Path:
    """The runtime folder of the user, which nobody else may write."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(base) / "verglas" if base and Path(base).is_dir() else Path(tempfile.gettempdir()) / f"verglas-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise InputError("is not a folder of yours alone", where=str(path), remedy="remove it")
    return path


def machine() -> tuple[int, int]:
    """(CPUs, GPUs) of this machine."""
    return usable_cores(), len(_gpus())


def _gpus() -> list[str]:
    """Those that CUDA_VISIBLE_DEVICES leaves to us, as in a job of a queue; without it all."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        numbers = sorted(int(found[1]) for path in Path("/dev").glob("nvidia*") if (found := re.fullmatch(r"nvidia(\d+)", path.name)))
        return [str(one) for one in numbers]
    return list(takewhile(re.compile(r"\d+|(GPU|MIG)-[\w-]+").fullmatch, map(str.strip, given.split(","))))


def take(cpus: int, gpus: int, place: Path | None = None) -> Slots | None:
    """So many of each, or None when they are not free now."""
    place = place or folder()
    cores, cards = _free(place, "cpu", map(str, range(usable_cores())), cpus), _free(place, "gpu", _gpus(), gpus)
    found = Slots((*cores.values(), *cards.values()), tuple(cards))
    if len(cores) < cpus or len(cards) < gpus:
        found.close()
        return None
    return found


def _free(place: Path, kind: str, names: Iterable[str], wanted: int) -> dict[str, int]:
    """Name -> descriptor of at most `wanted` locks."""
    found: dict[str, int] = {}
    for name in names:
        if len(found) == wanted:
            break
        descriptor = os.open(place / f"{kind}-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        found[name] = descriptor
    return found
