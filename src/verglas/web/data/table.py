"""Any table of a STAR file as columns on disk, mapped: pages, order, filters and plots of a million rows without parsing it again.

The columns of large tables are kept in the user's cache folder, named after path, size and time of change of the file; the oldest go first.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from verglas.errors import InputError
from verglas.io.star import Table, read_star
from verglas.web.data.answers import stamp

KEPT_BYTES = 4 << 30
FORM = 1
"""Changes when the layout of the cache does."""
LIST = "tables.json"
_reading = Lock()
MOST_COLUMNS = 5000
WORTH_KEEPING = 4 << 20
"""Bytes of a file below which parsing is quicker than keeping."""


@dataclass(frozen=True)
class Columns:
    """One block. values: label -> (N,) float64, int64 or bytes (text as UTF-8)."""

    block: str
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.values.values()))) if self.values else 0

    def column(self, label: str) -> np.ndarray:
        if label not in self.values:
            raise InputError(f"there is no column {label[:80]} in data_{self.block}", remedy="choose one of the columns that are shown")
        return self.values[label]

    def numbers(self, label: str) -> np.ndarray:
        """(N,) float64 or int64; raises for text."""
        found = self.column(label)
        if found.dtype.kind == "S":
            raise InputError(f"{label} holds text", remedy="choose a column of numbers")
        return found

    def texts(self, label: str, rows: np.ndarray | slice) -> list[str]:
        """The values of some rows as text."""
        return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in self.column(label)[rows].tolist()]


def open_tables(path: Path) -> dict[str, Columns]:
    """All blocks of a file, parsed once for as long as it stays as it is; who asks meanwhile waits."""
    key = stamp(path)
    if key[1] < WORTH_KEEPING:
        return _opened(*key)
    with _reading:
        return _opened(*key)


def is_open(path: Path) -> bool:
    """Whether the columns are there at once: the table is small, or was parsed before."""
    size = path.stat().st_size
    return size < WORTH_KEEPING or (_folder(*stamp(path)) / LIST).is_file()


@lru_cache(maxsize=12)
def _opened(path: str, size: int, time: int) -> dict[str, Columns]:
    if size < WORTH_KEEPING:
        return {block: columns_of(block, table) for block, table in read_star(Path(path)).items()}
    folder = _folder(path, size, time)
    return _mapped(folder) or _kept(folder, Path(path))


def _folder(path: str, size: int, time: int) -> Path:
    name = hashlib.sha256(f"{FORM}\n{path}\n{size}\n{time}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return cache_folder() / name


def columns_of(block: str, table: Table) -> Columns:
    if len(table.columns) > MOST_COLUMNS:
        raise InputError(f"data_{block} has {len(table.columns)} columns; {MOST_COLUMNS} can be shown",
                         remedy="read it in Python, with verglas.io.star.read_star")
    return Columns(block, {label: _plain(column) for label, column in table.columns.items()})


def _plain(column: np.ndarray) -> np.ndarray:
    if column.dtype != object:
        return column
    return np.array([str(one).encode("utf-8", "surrogateescape") for one in column.tolist()], dtype="S") if len(column) else np.zeros(0, "S1")


def cache_folder() -> Path:
    """Where columns are kept: never in a project, which looking at does not change."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "verglas" / "tables"


def _mapped(folder: Path) -> dict[str, Columns] | None:
    """What was kept, None where there is nothing (whole)."""
    try:
        listed = json.loads((folder / LIST).read_text(encoding="utf-8"))
        found = {block: Columns(block, {label: np.load(folder / file, mmap_mode="r") for label, file in columns}) for block, columns in listed}
        os.utime(folder)
    except (OSError, ValueError):
        return None
    return found


def _kept(folder: Path, path: Path) -> dict[str, Columns]:
    """Parse and keep. A cache that cannot be written costs time at the next look, nothing else."""
    tables = {block: columns_of(block, table) for block, table in read_star(path).items()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        listed: list[tuple[str, list[tuple[str, str]]]] = []
        for block, one in tables.items():
            files = [(label, f"{len(listed)}_{number}.npy") for number, label in enumerate(one.values)]
            for label, file in files:
                np.save(temporary / file, one.values[label])
            listed.append((block, files))
        (temporary / LIST).write_text(json.dumps(listed), encoding="utf-8")
        temporary.rename(folder)
        _tidy(folder.parent)
    except OSError:
        return tables
    return _mapped(folder) or tables


def _tidy(folder: Path) -> None:
    """Remove what was not looked at for longest until KEPT_BYTES are left."""
    found = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: -one.stat().st_mtime)
    total = 0
    for one in found:
        total += sum(file.stat().st_size for file in one.iterdir())
        if total > KEPT_BYTES:
            shutil.rmtree(one, ignore_errors=True)


def main_block(tables: dict[str, Columns]) -> str:
    """The block with most rows; of as many, the last, which is not that of the optics."""
    return max(reversed(list(tables)), key=lambda block: len(tables[block])) if tables else ""
