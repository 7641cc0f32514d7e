"""What was chosen in a viewer as a job of the project: the list of what was chosen lies in the folder of the job, the job does the rest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from verglas.api.project import Job, Project
from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import Table, write_star
from verglas.io.star_rows import text_column
from verglas.project.ask import How
from verglas.web.data.rows import Condition, Range, holding, opened
from verglas.web.data.table import Columns, open_tables
from verglas.web.places import file_in

ROWS = "chosen.star"


def with_own_file(project: Project, job: str, parameter: str, write: Callable[[Path], Path], **params: Any) -> Job:
    """Ask for a job whose `parameter` is a file that `write` makes in the folder of the job."""
    draft = project.run(job, how=How(hold=True), **{**params, parameter: "later.star"})
    try:
        made = write(draft.folder)
    except BaseException:
        project.trash(draft)
        raise
    draft.change(**{parameter: str(made.relative_to(project.root))}, how=How(hold=True))
    return draft.go_on()


def noun_of(columns: Columns) -> tuple[str, str]:
    """(particles, rlnImageName) or (micrographs, rlnMicrographName): what the rows of a table are."""
    for noun, label in (("particles", L.IMAGE_NAME), ("micrographs", L.MICROGRAPH_NAME)):
        if label in columns.values and columns.block in (noun, "", "images"):
            return noun, label
    raise InputError(f"the rows of data_{columns.block} are neither particles nor micrographs", remedy="open particles.star or micrographs_ctf.star")


def select(project: Project, file: str, block: str, which: tuple[Condition, ...] | np.ndarray, without: bool = False) -> Job:
    """The rows that meet all conditions, or those of these numbers (from 0); or all `without` them.

    One range becomes options that can be read, anything else a list of names.
    """
    columns = opened(file_in(project, file), block)
    keep = _numbered(file, len(columns), which) if isinstance(which, np.ndarray) else holding(columns, which)
    rows = np.flatnonzero(np.ones(len(columns), dtype=bool) if keep is None else keep ^ without)
    _require_some(project, len(rows), len(columns))
    noun, _ = noun_of(columns)
    match which:
        case (Range(column, low, high),) if not without:
            limits: dict[str, Any] = {name: value for name, value in (("minimum", low), ("maximum", high)) if value is not None}
            return project.run("select", **(limits | {noun: file, "column": column}))
    return _listed(project, file, columns, rows)


def _numbered(file: str, total: int, numbers: np.ndarray) -> np.ndarray:
    """(total,) bool: the rows of these numbers."""
    if not 0 <= numbers.min() <= numbers.max() < total:
        raise InputError(f"row {int(numbers.max()) + 1} of {total}", where=file, remedy="load the page again: the table has changed")
    keep = np.zeros(total, dtype=bool)
    keep[numbers] = True
    return keep


def select_classes(project: Project, particles: str, classes: list[int], model: str = "") -> Job:
    """The particles of some classes, and with their `model` a list of their averages."""
    tables = open_tables(file_in(project, particles))
    if not any(L.CLASS_NUMBER in one.values and L.IMAGE_NAME in one.values for one in tables.values()):
        raise InputError("no particles with class numbers", where=particles, remedy="choose the particle table of the classification")
    if model:
        file_in(project, model)
    return project.run("select", particles=particles, classes=",".join(map(str, sorted(set(classes)))), model=model or None)


def _listed(project: Project, file: str, columns: Columns, rows: np.ndarray) -> Job:
    noun, label = noun_of(columns)

    def write(folder: Path) -> Path:
        write_star(folder / ROWS, {noun: Table({label: text_column(columns.texts(label, rows))})})
        return folder / ROWS

    return with_own_file(project, "select", "rows", write, **{noun: file})


def _require_some(project: Project, kept: int, total: int) -> None:
    project.require_writable()
    if not kept:
        raise InputError("no rows are chosen", remedy="choose some, or widen the range")
    if kept == total:
        raise InputError(f"all {total} rows are chosen, so the subset would be the same", remedy="choose some of them")
