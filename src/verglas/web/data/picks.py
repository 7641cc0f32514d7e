"""Micrographs and their picks, and edited picks as a job of the project."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from fastapi import HTTPException

from verglas.api.project import Job, Project
from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.coordinates import FILE, LIST, no_coordinates, read_coordinates, stem, write_coordinate_files, write_coordinates
from verglas.project.facts import facts_of
from verglas.report.load_shown import diameter_of
from verglas.types import Coordinates
from verglas.web.data.answers import stamp
from verglas.web.data.subset import select, with_own_file
from verglas.web.data.table import open_tables
from verglas.web.places import file_in

EDITED = "edited.star"


@dataclass(frozen=True)
class Field:
    """A micrograph: name in the project, its own coordinate file ("" where all picks are in one table), number of picks (-1: not counted)."""

    name: str
    listed: str
    picks: int


def fields(project: Project, name: str) -> tuple[Field, ...]:
    """The micrographs of a list of coordinate files, of a table of picks or particles, or of a table of micrographs."""
    path = file_in(project, name)
    tables = open_tables(path)
    if LIST in tables:
        table = tables[LIST]
        pairs = zip(table.texts(L.MICROGRAPH_NAME, slice(None)), table.texts(FILE, slice(None)))
        return tuple(Field(one, file, -1) for one, file in pairs)
    for table in tables.values():
        if L.MICROGRAPH_NAME in table.values:
            names, first, counts = np.unique(table.values[L.MICROGRAPH_NAME], return_index=True, return_counts=True)
            has = all(label in table.values for label in L.COORDINATES)
            order = np.argsort(first)
            return tuple(Field(names[k].decode("utf-8", "replace"), "", int(counts[k]) if has else -1) for k in order)
    raise InputError("no column _rlnMicrographName", where=name, remedy="open micrographs_ctf.star, autopick.star or particles.star")


def picks_of(project: Project, name: str, micrograph: str) -> Coordinates:
    """The picks of one micrograph; none in a table of micrographs."""
    path = file_in(project, name)
    one = next((one for one in fields(project, name) if one.name == micrograph), None)
    if one is None:
        raise InputError(f"{micrograph[:200]} is not in this table", where=name)
    return _of_field(project, path, one)


def _of_field(project: Project, path: Path, one: Field) -> Coordinates:
    """`path`: the table that names the micrograph."""
    if one.listed:
        return next(iter(read_coordinates(file_in(project, one.listed), project.root).values()), no_coordinates())
    return _all_picks(*stamp(path)).get(one.name, no_coordinates()) if one.picks >= 0 else no_coordinates()


@lru_cache(maxsize=2)
def _all_picks(path: str, size: int, time: int) -> dict[str, Coordinates]:
    return read_coordinates(Path(path), Path(path).parent)


def diameter(project: Project, name: str) -> float:
    """Å, as the job that picked was told or found; NaN when unknown."""
    folder = file_in(project, name).parent
    return diameter_of(folder, {key: str(value) for key, value in facts_of(folder).params.items()})


def is_there(project: Project, name: str) -> bool:
    """Whether the micrograph can be shown."""
    try:
        return bool(file_in(project, name))
    except HTTPException:
        return False


def table_of_micrographs(project: Project, names: set[str], first: str = "") -> str:
    """The newest table of micrographs that has all these, `first` before all others."""
    nodes = [one.name for one in project.pipeline.nodes if one.type.startswith(("MicrographGroupMetadata", "MicrographsData"))]
    for name in filter(None, (first, *reversed(nodes))):
        if (project.root / name).is_file() and names <= set(_listed(project, name)):
            return name
    raise InputError("no table of micrographs in this project has all of these micrographs", remedy="import or correct them in this project first")


def _listed(project: Project, name: str) -> list[str]:
    """The micrographs of a table of micrographs, row by row."""
    table = open_tables(file_in(project, name)).get("micrographs")
    return table.texts(L.MICROGRAPH_NAME, slice(None)) if table is not None and L.MICROGRAPH_NAME in table.values else []


def without(project: Project, name: str, left_out: set[str]) -> Job:
    """The micrographs of `name` but those that are left out, as a select job."""
    known = {one.name for one in fields(project, name)}
    _require_known(left_out, known, name)
    table = table_of_micrographs(project, known, name)
    rows = [number for number, one in enumerate(_listed(project, table)) if one in known - left_out]
    if not rows:
        raise InputError("all micrographs are left out", where=name, remedy="keep some of them")
    return select(project, table, "micrographs", np.array(rows))


def _require_known(asked: set[str], known: set[str], name: str) -> None:
    if asked - known:
        raise InputError(f"{min(asked - known)[:200]} is not in this table", where=name, remedy="load the page again")


def save(project: Project, name: str, edits: dict[str, np.ndarray], threshold: float | None) -> Job:
    """The picks of `name` with those of some micrographs replaced by (M, 3) x, y, figure of merit, as a pick manual job."""
    path, known = file_in(project, name), fields(project, name)
    _require_known(set(edits), {one.name for one in known}, name)
    table = table_of_micrographs(project, {one.name for one in known})
    twice = len({stem(one.name) for one in known}) < len(known)

    def write(folder: Path) -> Path:
        files = []
        for number, one in enumerate(known, start=1):
            if one.name not in edits and one.listed:
                files.append(one.listed)
                continue
            own = folder / "edited" / f"{f'{number:06d}_' if twice else ''}{stem(one.name)}_manualpick.star"
            own.parent.mkdir(exist_ok=True)
            write_coordinates(own, edited(edits[one.name]) if one.name in edits else _of_field(project, path, one))
            files.append(str(own.relative_to(project.root)))
        write_coordinate_files(folder / EDITED, [one.name for one in known], files)
        return folder / EDITED

    limit = {} if threshold is None else {"threshold": threshold}
    return with_own_file(project, "pick manual", "from_", write, micrographs=table, **limit)


def edited(rows: np.ndarray) -> Coordinates:
    """(M, 3) x, y in pixels of the micrograph, figure of merit."""
    zero = np.zeros(len(rows))
    return Coordinates(rows[:, :2], rows[:, 2], zero.astype(np.int64), zero, {})

