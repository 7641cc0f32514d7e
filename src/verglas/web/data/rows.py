"""Which rows of a table, in which order: conditions on columns, sorting, windows, and pictures of two columns."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.web.data.answers import stamp
from verglas.web.data.table import Columns, open_tables

MOST_POINTS = 20_000
DENSITY = 160
"""Cells of a side of the picture of many points."""


@dataclass(frozen=True)
class Condition:
    """Rows whose value is between low and high (both may be left out), or whose text contains `text`."""

    column: str
    low: float | None = None
    high: float | None = None
    text: str = ""


def holding(columns: Columns, conditions: tuple[Condition, ...]) -> np.ndarray | None:
    """(N,) bool: all conditions hold; None where there are none. A value that is not a number is in no range."""
    keep = None
    for one in conditions:
        part = _holds(columns, one)
        keep = part if keep is None else keep & part
    return keep


def _holds(columns: Columns, one: Condition) -> np.ndarray:
    values = columns.column(one.column)
    if one.text:
        if values.dtype.kind == "S":
            return np.char.find(np.char.lower(values), one.text.lower().encode("utf-8", "surrogateescape")) >= 0
        return np.char.find(np.char.mod("%g", values), one.text.lower()) >= 0
    values = columns.numbers(one.column)
    keep = np.isfinite(values)
    if one.low is not None:
        keep &= values >= one.low
    if one.high is not None:
        keep &= values <= one.high
    return keep


@lru_cache(maxsize=8)
def _order(path: str, size: int, time: int, block: str, sort: str) -> np.ndarray:
    """(N,) rows by rising value; equal ones keep their order."""
    return np.argsort(open_tables(Path(path))[block].column(sort), kind="stable")


def arranged(path: Path, block: str, conditions: tuple[Condition, ...], sort: str, down: bool) -> np.ndarray:
    """Row numbers (from 0) of the rows that meet the conditions, in order."""
    columns = opened(path, block)
    keep = holding(columns, conditions)
    if not sort:
        rows = np.arange(len(columns)) if keep is None else np.flatnonzero(keep)
        return rows[::-1] if down else rows
    columns.column(sort)
    order = _order(*stamp(path), block, sort)
    rows = order if keep is None else order[keep[order]]
    return rows[::-1] if down else rows


def opened(path: Path, block: str) -> Columns:
    """One block of a file."""
    tables = open_tables(path)
    if block not in tables:
        raise InputError(f"no block data_{block[:80]}", where=path.name, remedy=f"there are {', '.join('data_' + one for one in list(tables)[:8])}")
    return tables[block]


@dataclass(frozen=True)
class Scatter:
    """Either points (M, 2) with rows (M,), or counts (DENSITY, DENSITY), first row at the low end of y; the range is that of finite values."""

    low: tuple[float, float]
    high: tuple[float, float]
    total: int
    points: np.ndarray | None = None
    counts: np.ndarray | None = None


def scatter(columns: Columns, x: str, y: str, keep: np.ndarray | None) -> Scatter:
    """Column against column; x == y gives a histogram along the diagonal, which is what was asked for."""
    xy = np.stack([columns.numbers(x), columns.numbers(y)], axis=1).astype(np.float64)
    xy = xy[np.isfinite(xy).all(axis=1) & (True if keep is None else keep)]
    if not len(xy):
        return Scatter((0.0, 0.0), (1.0, 1.0), 0, np.zeros((0, 2)))
    low, high = xy.min(axis=0), xy.max(axis=0)
    high = np.where(high > low, high, low + np.maximum(np.abs(low) * 1e-6, 1e-6))
    ends = (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
    if len(xy) <= MOST_POINTS:
        return Scatter(*ends, len(xy), points=xy)
    place = np.minimum(((xy - low) / (high - low) * DENSITY).astype(np.int64), DENSITY - 1)
    counts = np.bincount(place[:, 1] * DENSITY + place[:, 0], minlength=DENSITY**2).reshape(DENSITY, DENSITY)
    return Scatter(*ends, len(xy), counts=counts)
