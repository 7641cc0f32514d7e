"""Which movies of a folder are complete: a microscope writes them for many seconds, and half a movie must not be read."""

import glob
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from verglas.errors import DataError
from verglas.jobs.import_files import natural

PATIENCE = 20
"""Times `settle`: so long a movie that does not grow any more may be unreadable before it is given to the jobs, which will say what is wrong."""


@dataclass
class Seen:
    """Size and time of change of a file, and since when (s) they are what they are."""

    size: int
    changed: int
    since: float


def never_broken(_path: Path) -> None:
    """Any file that does not grow is complete."""


@dataclass
class Watcher:
    """Files that fit `pattern`. A file is complete when it has not changed for `settle` s and `open_` reads it without a DataError."""

    pattern: str
    settle: float
    open_: Callable[[Path], object] = never_broken
    _seen: dict[str, Seen] = field(default_factory=dict)
    _complete: set[str] = field(default_factory=set)

    def poll(self, now: float | None = None) -> tuple[list[str], int]:
        """(complete files in natural order, number of those that are still being written)."""
        now, waiting = time.monotonic() if now is None else now, 0
        for name in glob.glob(self.pattern, recursive=True):  # noqa: PTH207 (Path.glob takes no absolute pattern)
            if name in self._complete:
                continue
            if self._settled(name, now):
                self._complete.add(name)
                self._seen.pop(name, None)
            else:
                waiting += 1
        return sorted(self._complete, key=natural), waiting

    def _settled(self, name: str, now: float) -> bool:
        try:
            status = Path(name).stat()
        except FileNotFoundError:  # renamed or removed since it was listed
            self._seen.pop(name, None)
            return False
        last = self._seen.get(name)
        if last is None or (last.size, last.changed) != (status.st_size, status.st_mtime_ns):
            self._seen[name] = Seen(status.st_size, status.st_mtime_ns, now)
            return self.settle <= 0 and status.st_size > 0
        quiet = now - last.since
        if quiet < self.settle or status.st_size == 0:
            return False
        return quiet >= PATIENCE * self.settle or self._readable(Path(name))

    def _readable(self, path: Path) -> bool:
        try:
            self.open_(path)
        except (DataError, OSError):
            return False
        return True
