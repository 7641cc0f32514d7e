"""Files that are read again and again by work on items: once, until they change."""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def kept(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """`read`, whose last result stays in memory as long as the file is the same (its inode, size and time of change)."""

    @lru_cache(maxsize=1)
    def version(path: Path, _inode: int, _size: int, _changed: int) -> T:
        return read(path)

    @wraps(read)
    def latest(path: Path) -> T:
        status = path.stat()
        return version(path, status.st_ino, status.st_size, status.st_mtime_ns)

    return latest
