"""A half-written file never has a final name: write beside it, flush to disk, rename."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from verglas.errors import InputError

_REMEDIES = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another output folder"),
    errno.EDQUOT: ("your disk quota is used up", "free some space or choose another output folder"),
    errno.EACCES: ("no permission to write here", "choose another output folder or change its permissions"),
    errno.EPERM: ("no permission to write here", "choose another output folder or change its permissions"),
    errno.EROFS: ("the file system is read-only", "choose another output folder"),
    errno.ENOENT: ("the folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("part of the path is a file, not a folder", "choose another output folder"),
    errno.EISDIR: ("a folder has this name", "choose another name or move the folder away"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.EFBIG: ("the file is larger than the file system or the limit of this session allows",
                  "raise the limit (ulimit -f) or choose another file system"),
}
_ANYWHERE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; when the block ends well it is renamed to `path`, otherwise removed.

    The data are on the disk (fsync of file and folder) before the name appears, so a crash leaves either the old file or the new one.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:100]}.part-{token_hex(4)}{path.suffix}")
    try:
        yield temporary
        _commit(temporary, path)
    except OSError as error:
        raise _explained(error, path, temporary) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _commit(temporary: Path, path: Path) -> None:
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)
    with suppress(OSError):  # some network file systems refuse to open or flush a folder; the rename has happened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _explained(error: OSError, path: Path, temporary: Path) -> Exception:
    """The error as an InputError when it is about writing this file, unchanged when it is about something else."""
    ours = error.filename is not None and Path(os.fsdecode(error.filename)) in (temporary, path)
    if error.errno not in _REMEDIES or not (ours or error.errno in _ANYWHERE):
        return error
    found, remedy = _REMEDIES[error.errno]
    return InputError(f"cannot be written: {found}", where=str(path), remedy=remedy)
