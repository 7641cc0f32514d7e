"""Which rows of a table, in which order: conditions on columns, sorting, windows, and pictures of two columns."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from verglas.errors import InputError
from verglas.web.data.answers import stamp
from verglas.web.data.table import Columns, open_tables

MOST_POINTS = 20_000
DENSITY = 160
"""Cells of a side of the picture of many points."""


FINITE = ConfigDict(extra="forbid", allow_inf_nan=False)
Label = Annotated[str, Field(max_length=200), AfterValidator(lambda label: label.lstrip("_"))]


@checked(frozen=True, config=FINITE)
class Range:
    """Rows whose value is between low and high; both may be left out."""

    column: Label
    low: float | None = None
    high: float | None = None


@checked(frozen=True, config=FINITE)
class Containing:
    """Rows whose text contains `text`, capitals or not."""

    column: Label
    text: Annotated[str, Field(min_length=1, max_length=200)]


@checked(frozen=True, config=FINITE)
class Among:
    """Rows whose value is one of these."""

    column: Label
    values: Annotated[list[float], Field(max_length=10_000)]


@checked(frozen=True, config=FINITE)
class Inside:
    """Rows that lie inside a line drawn around them in the plot of y against x; its end joins its begin."""

    x: Label
    y: Label
    corners: Annotated[list[Annotated[list[float], Field(min_length=2, max_length=2)]], Field(min_length=3, max_length=500)]


Condition = Range | Containing | Among | Inside


def holding(columns: Columns, conditions: tuple[Condition, ...]) -> np.ndarray | None:
    """(N,) bool: all conditions hold; None where there are none. A value that is not a number is in no range."""
    keep = None
    for one in conditions:
        part = _holds(columns, one)
        keep = part if keep is None else keep & part
    return keep


def _holds(columns: Columns, condition: Condition) -> np.ndarray:
    match condition:
        case Range(column, low, high):
            values = columns.numbers(column)
            keep = np.isfinite(values)
            keep &= True if low is None else values >= low
            keep &= True if high is None else values <= high
            return keep
        case Containing(column, text):
            values = columns.column(column)
            if values.dtype.kind == "S":
                return np.char.find(np.char.lower(values), text.lower().encode("utf-8", "surrogateescape")) >= 0
            return np.char.find(np.char.mod("%g", values), text.lower()) >= 0
        case Among(column, chosen):
            return np.isin(columns.numbers(column), chosen)
        case Inside(x, y, corners):
            return inside(columns.numbers(x), columns.numbers(y), np.array(corners))


def inside(x: np.ndarray, y: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) bool: a ray from the point (x, y) crosses the polygon (C, 2) an odd number of times."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    px, py = x[near].astype(np.float64), y[near].astype(np.float64)
    odd = np.zeros(len(near), dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0)):
        if ay != by:
            odd ^= ((ay > py) != (by > py)) & (px < ax + (py - ay) * ((bx - ax) / (by - ay)))
    found = np.zeros(len(x), dtype=bool)
    found[near] = odd
    return found


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
