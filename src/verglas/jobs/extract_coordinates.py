"""Picks of many micrographs, from a list of coordinate files or from one table."""

from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import Table, read_star
from verglas.io.star_columns import Source, factorise
from verglas.types import Coordinates
from verglas.units import DEGREE

LIST, FILE = "coordinate_files", "rlnMicrographCoordinates"
FOM, PSI = "rlnAutopickFigureOfMerit", "rlnAnglePsi"


def read_picks(path: Path, project: Path) -> dict[str, Coordinates]:
    """Picks by the name of the micrograph, as it is written there."""
    tables = read_star(path)
    if LIST in tables:
        source = Source(tables[LIST], str(path), LIST)
        source.require((L.MICROGRAPH_NAME, FILE))
        rows = enumerate(zip(source.texts(L.MICROGRAPH_NAME).tolist(), source.texts(FILE).tolist()))
        return {name: _of_file(project / file, source.at_row(row)) for row, (name, file) in rows}
    named = [name for name, table in tables.items() if L.MICROGRAPH_NAME in table and L.COORDINATES[0] in table]
    if not named:
        present = ", ".join("data_" + name for name in tables) or "none"
        raise InputError(f"no picks; there are {present}", where=str(path), remedy=f"give a list of coordinate files (block data_{LIST}, such as "
                         f"autopick.star) or a table with _{L.MICROGRAPH_NAME}, _{L.COORDINATES[0]} and _{L.COORDINATES[1]}")
    source = Source(tables[named[0]], str(path), named[0])
    picks = coordinates_of(source)
    codes, names = factorise(source.texts(L.MICROGRAPH_NAME))
    order = np.argsort(codes, kind="stable")
    cuts = np.searchsorted(codes[order], np.arange(1, len(names)))
    return {name: picks.take(rows) for name, rows in zip(names, np.split(order, cuts))}


def _of_file(path: Path, where: str) -> Coordinates:
    if not path.is_file():
        raise InputError(f"there is no coordinate file {path}", where=where, remedy="run in the project folder, or pick again")
    tables = read_star(path)
    named = [name for name, table in tables.items() if L.COORDINATES[0] in table]
    if named:
        return coordinates_of(Source(tables[named[0]], str(path), named[0]))
    if any(len(table) for table in tables.values()):
        raise InputError(f"no column _{L.COORDINATES[0]}", where=str(path), remedy="is this a file of coordinates?")
    return coordinates_of(Source(Table({label: np.empty(0) for label in L.COORDINATES}), str(path), ""))


def coordinates_of(source: Source) -> Coordinates:
    """The rows of a table of picks; RELION writes -999 where a pick has no figure of merit or angle."""
    xy = np.stack([source.numbers(label) for label in L.COORDINATES], axis=1)
    psi = source.numbers(PSI, 0.0)
    used = {*L.COORDINATES, FOM, PSI, L.CLASS_NUMBER, L.MICROGRAPH_NAME}
    extra = {label: column for label, column in source.table.columns.items() if label not in used}
    number = np.maximum(source.integers(L.CLASS_NUMBER, 0), 0)
    return Coordinates(xy, source.numbers(FOM, 0.0), number, np.where(psi == -999.0, 0.0, psi) * DEGREE, extra)
