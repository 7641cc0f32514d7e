"""Picked particles of micrographs: RELION's lists and tables of coordinates, and the files of other pickers."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.particles_star import stored_degrees
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, factorise
from verglas.types import Coordinates
from verglas.units import DEGREE

LIST, FILE = "coordinate_files", "rlnMicrographCoordinates"
FOM, PSI = "rlnAutopickFigureOfMerit", "rlnAnglePsi"
MISSING = -999.0
"""What RELION writes where a pick has no figure of merit or angle."""
SUFFIXES = ("_autopick", "_manualpick", "_topaz", "_cryolo")
KINDS = ".star, .box (EMAN), .cbox (crYOLO), .csv, .tsv or .txt (Topaz)"


def read_coordinates(path: Path, project: Path) -> dict[str, Coordinates]:
    """Picks by micrograph: its name as written in the file; for a file that belongs to one micrograph, the file's own name without suffix."""
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), remedy=f"give coordinates: {KINDS}")
    match path.suffix.lower():
        case ".star":
            return _read_star(path, project)
        case ".box":
            return {stem(path): _read_box(path)}
        case ".cbox":
            return {stem(path): _read_cbox(path)}
        case ".csv" | ".tsv" | ".txt":
            return _read_text(path)
    raise InputError(f"unknown kind of coordinate file {path.suffix!r}", where=str(path), remedy=f"give {KINDS}")


def stem(name: Path | str) -> str:
    """The name of a micrograph or of its coordinate file, by which they find each other: without folder, extension and picker's suffix."""
    found = Path(str(name)).name
    found = found.rsplit(".", 1)[0] if "." in found else found
    for suffix in SUFFIXES:
        found = found.removesuffix(suffix)
    return found


def _read_star(path: Path, project: Path) -> dict[str, Coordinates]:
    tables = read_star(path)
    if LIST in tables:
        source = Source(tables[LIST], str(path), LIST)
        source.require((L.MICROGRAPH_NAME, FILE))
        files = zip(source.texts(L.MICROGRAPH_NAME).tolist(), source.texts(FILE).tolist())
        return {name: _listed(project / file, source.at_row(row), project) for row, (name, file) in enumerate(files)}
    named = [name for name, table in tables.items() if L.COORDINATES[0] in table]
    if not named:
        if all(len(table) == 0 for table in tables.values()):
            return {stem(path): no_coordinates()}
        raise InputError(f"no column _{L.COORDINATES[0]}; there are the blocks {', '.join('data_' + name for name in tables)}", where=str(path),
                         remedy=f"give a list of coordinate files (autopick.star) or a table with _{L.COORDINATES[0]} and _{L.COORDINATES[1]}")
    source = Source(tables[named[0]], str(path), named[0])
    picks = _of_table(source)
    if L.MICROGRAPH_NAME not in source.table:
        return {stem(path): picks}
    codes, names = factorise(source.texts(L.MICROGRAPH_NAME))
    return {name: picks.take(np.flatnonzero(codes == code)) for code, name in enumerate(names)}


def _listed(path: Path, where: str, project: Path) -> Coordinates:
    if not path.is_file():
        raise InputError(f"there is no coordinate file {path}", where=where, remedy="run in the project folder, or pick again")
    return next(iter(read_coordinates(path, project).values()), no_coordinates())


def no_coordinates() -> Coordinates:
    """Of a micrograph without picks."""
    return Coordinates(np.empty((0, 2)), np.empty(0), np.empty(0, dtype=np.int64), np.empty(0), {})


def _of_table(source: Source) -> Coordinates:
    xy = np.stack([source.numbers(label) for label in L.COORDINATES], axis=1)
    psi, number = source.numbers(PSI, 0.0), source.integers(L.CLASS_NUMBER, 0)
    used = {*L.COORDINATES, FOM, PSI, L.CLASS_NUMBER, L.MICROGRAPH_NAME}
    extra = {label: column for label, column in source.table.columns.items() if label not in used}
    return Coordinates(xy, source.numbers(FOM, 0.0), np.maximum(number, 0), np.where(psi == MISSING, 0.0, psi) * DEGREE, extra)


def _read_box(path: Path) -> Coordinates:
    """EMAN: one line `x y width height` per box, (x, y) its lower left corner; the centre is pixel width // 2 of the box."""
    rows = _rows(path, [line.split() for line in _lines(path)], 4)
    return _plain(rows[:, :2] + rows[:, 2:4] // 2, rows[:, 4] if rows.shape[1] > 4 and len(rows) else None)


def _read_cbox(path: Path) -> Coordinates:
    """crYOLO: data_cryolo with corners, sizes and the confidence of each box."""
    tables = read_star(path)
    table = next((one for one in tables.values() if "CoordinateX" in one), None)
    if table is None:
        raise InputError("no column _CoordinateX", where=str(path), remedy="give a .cbox file of crYOLO 1.8 or later")
    source = Source(table, str(path), "cryolo")
    xy = np.stack([source.numbers(f"Coordinate{axis}") + source.numbers(size) / 2 for axis, size in (("X", "Width"), ("Y", "Height"))], axis=1)
    fom = source.numbers("Confidence", 0.0) if "Confidence" in table else None
    return _plain(xy, fom)


def _read_text(path: Path) -> dict[str, Coordinates]:
    """Topaz: columns image_name, x_coord, y_coord, score (separated by tabs or commas) with a heading; or plain `x y [score]` of one micrograph."""
    lines = _lines(path)
    rows = [[word.strip() for word in (line.split("\t") if "\t" in line else line.split(",") if "," in line else line.split())] for line in lines]
    if not rows or "x_coord" not in rows[0]:
        values = _rows(path, rows, 2)
        return {stem(path): _plain(values[:, :2], values[:, 2] if values.shape[1] > 2 else None)}
    at = {name: i for i, name in enumerate(rows[0])}
    wanted = [at[name] for name in ("x_coord", "y_coord", "score") if name in at]
    values = _rows(path, [[row[i] for i in wanted] if len(row) == len(at) else [] for row in rows[1:]], len(wanted), first=2)
    names = np.array([row[at["image_name"]] if "image_name" in at else stem(path) for row in rows[1:]], dtype=object)
    found = {}
    for name in dict.fromkeys(names.tolist()):
        one = values[names == name]
        found[str(name)] = _plain(one[:, :2], one[:, 2] if len(wanted) > 2 else None)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    except UnicodeDecodeError as error:
        raise DataError("is not a text file", where=str(path), remedy=f"give coordinates: {KINDS}") from error


def _rows(path: Path, rows: list[list[str]], least: int, first: int = 1) -> np.ndarray:
    """Numbers (N, C >= least) of the rows of a text file; the message names the row."""
    width = min((len(row) for row in rows), default=least)
    for number, row in enumerate(rows, start=first):
        if len(row) < least:
            raise DataError(f"{len(row)} columns, expected at least {least}", where=f"{path}, row {number}", remedy="export the coordinates again")
        try:
            [float(word) for word in row[:width]]
        except ValueError as error:
            raise DataError(f"{' '.join(row)!r} is not a row of numbers", where=f"{path}, row {number}",
                            remedy="export the coordinates again") from error
    return np.array([[float(word) for word in row[:width]] for row in rows]).reshape(len(rows), width)


def _plain(xy: np.ndarray, fom: np.ndarray | None) -> Coordinates:
    zero = np.zeros(len(xy))
    return Coordinates(xy.reshape(-1, 2), zero if fom is None else fom, zero.astype(np.int64), zero, {})


def write_coordinates(path: Path, picks: Coordinates) -> None:
    """The table of one micrograph, atomically, as RELION writes it."""
    columns = {L.COORDINATES[0]: picks.xy[:, 0], L.COORDINATES[1]: picks.xy[:, 1], FOM: picks.fom, L.CLASS_NUMBER: picks.class_number,
               PSI: stored_degrees(picks.psi)}
    write_star(path, {"": Table(columns | picks.extra)})


def write_coordinate_files(path: Path, micrographs: list[str], files: list[str]) -> None:
    """The list that RELION's extraction reads: micrograph -> its coordinate file, relative to the project."""
    write_star(path, {LIST: Table({L.MICROGRAPH_NAME: np.array(micrographs, dtype=object), FILE: np.array(files, dtype=object)})})
