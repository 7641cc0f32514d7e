"""The door of every job that takes a table of movies or micrographs: the right kind, each once, and files that are there."""

from pathlib import Path

from verglas.errors import InputError
from verglas.io.micrographs_star import read_micrographs
from verglas.types import Micrographs

WANTED = {True: ("micrographs, expected movies", "import movies and give movies.star"),
          False: ("movies, expected micrographs", "correct their motion first (verglas motioncorr) and give corrected_micrographs.star")}


def open_table(path: Path, movies: bool = False) -> Micrographs:
    """A table of movies or of micrographs, with rows, each file once."""
    table, block = read_micrographs(path), "data_movies" if movies else "data_micrographs"
    if table.movies != movies:
        found, remedy = WANTED[movies]
        raise InputError(f"{found} (block {block})", where=str(path), remedy=remedy)
    if not len(table):
        raise InputError("the table has no rows", where=f"{path}, {block}", remedy=f"give a table with {block.removeprefix('data_')}")
    rows: dict[str, int] = {}
    for row, name in enumerate(table.name.tolist(), start=1):
        if rows.setdefault(name, row) != row:
            raise InputError(f"{name} is listed twice, first in row {rows[name]}", where=f"{path}, {block}, row {row}",
                             remedy="keep one of the rows")
    return table


def absent(table: Micrographs, path: Path, project: Path) -> tuple[str, ...]:
    """Names of the table at `path` whose files are not there: some of them at most."""
    missing = tuple(name for name in table.name.tolist() if not (project / name).is_file())
    if len(missing) == len(table):
        raise InputError(f"none of its {len(table)} files is there, the first is {missing[0]}", where=str(path),
                         remedy=f"file names are relative to the project, {project.resolve()}: run in the project folder")
    return missing


def told_missing(missing: tuple[str, ...], total: int) -> tuple[str, ...]:
    """The warning about files that are not there; the job lists them as failed."""
    return (f"{len(missing)} of {total} files are not there, the first is {missing[0]}; the others are done.",) if missing else ()
