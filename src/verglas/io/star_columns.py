"""Columns of a table with the type that is wanted, or an error that names file, block, row and value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.star_rows import text_column
from verglas.io.star_table import Table


@dataclass(frozen=True)
class Source:
    """A table and where it came from."""

    table: Table
    path: str
    block: str

    @property
    def where(self) -> str:
        return f"{self.path}, block data_{self.block}"

    def at_row(self, row: int) -> str:
        """row from 0."""
        return f"{self.where}, row {row + 1}"

    def require(self, labels: tuple[str, ...], remedy: str = "make the file again with this column") -> None:
        """Raise unless all labels are columns of the table."""
        missing = [label for label in labels if label not in self.table]
        if missing:
            names = ", ".join("_" + label for label in missing)
            raise InputError(f"missing column{'s' if len(missing) > 1 else ''} {names}", where=self.where, remedy=remedy)

    def numbers(self, label: str, default: float | None = None) -> np.ndarray:
        """(N,) float64, all finite."""
        if label not in self.table and default is not None:
            return np.full(len(self.table), default, dtype=np.float64)
        self.require((label,))
        column = self._converted(label, float, np.float64, "a number")
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise DataError(f"_{label} is {column[bad[0]]} in {_rows(len(bad))}, expected a finite number", where=self.at_row(int(bad[0])),
                            remedy="remove these rows or repeat the step that made the value")
        return column

    def integers(self, label: str, default: int | None = None) -> np.ndarray:
        """(N,) int64."""
        if label not in self.table and default is not None:
            return np.full(len(self.table), default, dtype=np.int64)
        self.require((label,))
        column = self.table[label]
        if column.dtype == np.int64:
            return column
        values = self.numbers(label)
        bad = np.flatnonzero((values != np.round(values)) | (np.abs(values) > 2**53))
        if len(bad):
            raise DataError(f"_{label} is {values[bad[0]]}, expected a whole number", where=self.at_row(int(bad[0])), remedy="correct the value")
        return values.astype(np.int64)

    def texts(self, label: str, default: str | None = None) -> np.ndarray:
        """(N,) object (str), also where the values look like numbers."""
        if label not in self.table and default is not None:
            return text_column([default] * len(self.table))
        self.require((label,))
        column = self.table[label]
        return column if column.dtype == object else text_column(map(str, column.tolist()))

    def _converted(self, label: str, convert: Callable[[str], float], dtype: type, expected: str) -> np.ndarray:
        column = self.table[label]
        if column.dtype != object:
            return column.astype(dtype)
        values: np.ndarray = np.empty(len(column), dtype=dtype)
        for row, value in enumerate(column):
            try:
                values[row] = convert(value)
            except ValueError:
                raise DataError(f"_{label} is {value!r}, expected {expected}", where=self.at_row(row), remedy="correct the value") from None
        return values


def _rows(count: int) -> str:
    return "one row" if count == 1 else f"{count} rows, first here"


def factorise(names: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) object -> (codes (N,) int64, distinct names in order of appearance)."""
    known: dict[str, int] = {}
    codes = [known.setdefault(name, len(known)) for name in names]
    return np.array(codes, dtype=np.int64), tuple(known)


def block_of(tables: dict[str, Table], block: str, path: str) -> Source:
    """One block of a file, or an error that lists the blocks there are."""
    if block not in tables:
        present = ", ".join("data_" + name for name in list(tables)[:8])
        raise InputError(f"no block data_{block}; there are {present}", where=path, remedy="is this the right kind of STAR file?")
    return Source(tables[block], path, block)


def require_values(source: Source, labels: tuple[str, ...]) -> None:
    """Raise unless the table has exactly one row, with all these labels."""
    source.require(labels)
    if len(source.table) != 1:
        raise DataError(f"{len(source.table)} rows, expected one value per label", where=source.where, remedy="make the file again")
