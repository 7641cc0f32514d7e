"""Which movies of a folder are complete: a microscope writes them for many seconds, and half a movie must not be read."""

import glob
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from verglas.errors import DataError, VerglasError
from verglas.jobs.import_files import natural

PATIENCE = 20
"""Times `settle`: so long a movie that does not grow any more may be unreadable before it is given to the jobs, which will say what is wrong."""


@dataclass(frozen=True)
class Seen:
    """What a file was when it was last looked at, and since when (s) it is that; `inode` tells one that was put in place of another."""

    size: int
    changed: int
    inode: int
    since: float


def never_broken(_path: Path) -> None:
    """Any file that does not grow is complete."""


def whole_movie(path: Path) -> None:
    """Raise when the movie cannot be opened, or lacks data of some of its frames."""
    from verglas.io.movies import EerOptions, open_frames

    if getattr(open_frames(path, EerOptions(1)), "damaged", ()):
        raise DataError("truncated", where=str(path))


@dataclass
class Watcher:
    """Files that fit `pattern` and end in one of `endings`, without those in `taken`.

    A file is complete when it has not changed for `settle` s and `open_` reads it; one that cannot be read is waited for longer.
    """

    pattern: str
    settle: float
    open_: Callable[[Path], object] = never_broken
    endings: tuple[str, ...] = ("",)
    taken: set[str] = field(default_factory=set)
    _seen: dict[str, Seen] = field(default_factory=dict)
    _complete: set[str] = field(default_factory=set)

    def names(self) -> list[str]:
        """All files there are, as the pattern names them."""
        return [name for name in glob.glob(self.pattern, recursive=True) if name.lower().endswith(self.endings)]  # noqa: PTH207 (absolute)

    def poll(self, now: float | None = None) -> tuple[list[str], int]:
        """(complete files that are not taken, in natural order; number of those that are still being written)."""
        now, waiting = time.monotonic() if now is None else now, 0
        self._complete -= self.taken
        for name in self.names():
            if name in self.taken or name in self._complete:
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
        last, found = self._seen.get(name), Seen(status.st_size, status.st_mtime_ns, status.st_ino, now)
        if last is None or replace(last, since=now) != found:
            self._seen[name] = found
            return self.settle <= 0 and status.st_size > 0
        quiet = now - last.since
        if quiet < self.settle or status.st_size == 0:
            return False
        return quiet >= PATIENCE * self.settle or self._readable(Path(name))

    def _readable(self, path: Path) -> bool:
        try:
            self.open_(path)
        except (VerglasError, OSError):
            return False
        return True
