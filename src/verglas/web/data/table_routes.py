"""/table...: blocks, rows and plots of any STAR file, and subsets of it."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, BackgroundTasks, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from verglas.errors import InputError
from verglas.web.data import rows, subset, table
from verglas.web.data.answers import Answers, FileIn, InProject, known
from verglas.web.data.peek import first_rows

router = APIRouter(route_class=Answers)
Word = Annotated[str, Query(max_length=200)]
PAGE = 1000
"""Rows of a page at most."""


CONDITIONS = TypeAdapter(Annotated[list[rows.Condition], Field(max_length=50)])


def conditions(where: Annotated[str, Query(max_length=8000)] = "") -> tuple[rows.Condition, ...]:
    """?where=[{"column": ..., "low": ..., "high": ...}], or with "text", "values", or "x", "y" and "corners"."""
    try:
        return tuple(CONDITIONS.validate_json(where)) if where else ()
    except (ValidationError, ValueError, RecursionError) as error:
        raise InputError("`where` is no list of conditions", remedy='give [{"column": "rlnDefocusU", "low": 5000}]') from error


@router.get("/table")
def blocks(path: FileIn, later: BackgroundTasks) -> dict[str, Any]:
    """The blocks with their columns; `ready` is false while a large table is still being read."""
    if not table.is_open(path):
        head = first_rows(path, 200)
        later.add_task(table.open_tables, path)
        if head is not None:
            block, found, about = head
            return {"ready": False, "main": block, "blocks": [_block(table.columns_of(block, found), about)]}
    tables = table.open_tables(path)
    return {"ready": True, "main": table.main_block(tables), "blocks": [_block(one, len(one)) for one in tables.values()]}


def _block(one: table.Columns, count: int) -> dict[str, Any]:
    return {"name": one.block, "rows": count, "columns": [{"label": k, "text": v.dtype.kind == "S"} for k, v in one.values.items()]}


@router.get("/table/rows")
def page(path: FileIn, block: Word, where: Annotated[str, Query(max_length=8000)] = "", sort: Word = "", down: bool = False,
         start: Annotated[int, Query(ge=0, le=10**9)] = 0, count: Annotated[int, Query(ge=1, le=PAGE)] = 100) -> dict[str, Any]:
    """Rows start to start + count of those that meet the conditions; `row` is the number in the file, from 0."""
    if not (where or sort or down) and not table.is_open(path):
        head = first_rows(path, start + count) if start + count <= 5 * PAGE else None
        if head is not None and head[0] == block:
            return {"total": head[2], "rows": _cells(table.columns_of(block, head[1]), np.arange(min(start, len(head[1])), len(head[1])))}
    found = rows.arranged(path, block, conditions(where), sort.lstrip("_"), down)
    return {"total": len(found), "rows": _cells(rows.opened(path, block), found[start : start + count])}


@router.get("/table/numbers")
def numbers(path: FileIn, block: Word, where: Annotated[str, Query(max_length=8000)] = "", sort: Word = "", down: bool = False,
            start: Annotated[int, Query(ge=0, le=10**9)] = 0, count: Annotated[int, Query(ge=1, le=2_000_000)] = 100) -> dict[str, list[int]]:
    """Only the numbers of the rows that /table/rows gives."""
    return {"rows": rows.arranged(path, block, conditions(where), sort.lstrip("_"), down)[start : start + count].tolist()}


def _cells(columns: table.Columns, wanted: np.ndarray) -> list[dict[str, Any]]:
    """c0, c1, ...: labels may hold signs that mean something in a browser."""
    found: list[dict[str, Any]] = [{"row": row} for row in wanted.tolist()]
    for number, (label, values) in enumerate(columns.values.items()):
        shown = columns.texts(label, wanted) if values.dtype.kind == "S" else [_number(one) for one in values[wanted].tolist()]
        for cells, value in zip(found, shown):
            cells[f"c{number}"] = value
    return found


def _number(value: float | int) -> float | int | str:
    """Without what JSON cannot hold."""
    return value if isinstance(value, int) or np.isfinite(value) else str(value)


@router.get("/table/scatter")
def plot(path: FileIn, block: Word, x: Word, y: Word, where: Annotated[str, Query(max_length=8000)] = "") -> dict[str, Any]:
    """Column against column: points, or counts on a grid where there are many."""
    columns = rows.opened(path, block)
    one = rows.scatter(columns, x.lstrip("_"), y.lstrip("_"), rows.holding(columns, conditions(where)))
    return {"total": one.total, "low": one.low, "high": one.high, "points": None if one.points is None else one.points.tolist(),
            "counts": None if one.counts is None else one.counts.tolist()}


@router.get("/table/range")
def span(path: FileIn, block: Word, column: Word) -> dict[str, Any]:
    """Least and largest value, and a histogram."""
    values = rows.opened(path, block).numbers(column.lstrip("_")).astype(np.float64)
    values = values[np.isfinite(values)]
    counts, edges = np.histogram(values, 60) if values.size and np.isfinite(np.ptp(values)) else (np.zeros(0, dtype=int), np.zeros(2))
    return {"low": known(float(edges[0])), "high": known(float(edges[-1])), "counts": counts.tolist()}


class Subset(BaseModel):
    """Conditions, or numbers of rows from 0; `without` them, or of them only."""

    model_config = ConfigDict(extra="forbid", strict=True)
    file: str = Field(max_length=1000)
    block: str = Field(max_length=200)
    where: list[rows.Condition] = Field(default=[], max_length=50, strict=False)
    rows: list[int] = Field(default=[], max_length=2_000_000)
    without: bool = False


class ClassSubset(BaseModel):
    """Classes of a particle table."""

    model_config = ConfigDict(extra="forbid", strict=True)
    file: str = Field(max_length=1000)
    model: str = Field("", max_length=1000)
    classes: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(min_length=1, max_length=10_000)


@router.post("/table/subset")
def make_subset(project: InProject, asked: Subset) -> dict[str, str]:
    """The name of the new Select job."""
    if asked.rows and max(map(abs, asked.rows)) > 10**9:
        raise InputError("no table has so many rows", where=asked.file)
    which = np.array(asked.rows) if asked.rows else tuple(asked.where)
    return {"job": subset.select(project, asked.file, asked.block, which, asked.without).name}


@router.post("/classes/subset")
def make_class_subset(project: InProject, asked: ClassSubset) -> dict[str, str]:
    """The name of the new Select job."""
    return {"job": subset.select_classes(project, asked.file, asked.classes, asked.model).name}


