"""The STAR files that select works on, as tables: every column is kept, known or not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source
from verglas.jobs.select_join import join


@dataclass(frozen=True)
class Chosen:
    """blocks: all tables to write; main: the block whose rows are selected; noun: particles or micrographs; remarks: what was odd."""

    blocks: dict[str, Table]
    main: str
    noun: str
    paths: tuple[Path, ...]
    remarks: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """The rows to select from."""
        return self.blocks[self.main]

    @property
    def source(self) -> Source:
        """The same with its name, for messages."""
        return Source(self.table, ", ".join(map(str, self.paths)), self.main)

    @property
    def optics(self) -> Table | None:
        """The optics table, None in files of RELION 3.0."""
        return self.blocks.get("optics")


def read_chosen(named: str, noun: str) -> Chosen:
    """One file, or several with commas between them, joined."""
    paths = file_names(named)
    read = [_read(path, noun) for path in paths]
    if len(read) == 1:
        return read[0]
    blocks, remarks = join([one.blocks for one in read], [one.main for one in read], [str(path) for path in paths], noun)
    return Chosen(blocks, noun, noun, paths, tuple(remarks))


def file_names(named: str) -> tuple[Path, ...]:
    """The files of a list with commas; one existing file may have commas in its name."""
    if Path(named).is_file():
        return (Path(named),)
    return tuple(Path(part.strip()) for part in named.split(",") if part.strip())


def _read(path: Path, noun: str) -> Chosen:
    blocks = read_star(path)
    label = L.IMAGE_NAME if noun == "particles" else L.MICROGRAPH_NAME
    named = [name for name in blocks if name == noun] or [name for name, table in blocks.items() if label in table]
    if len(named) != 1:
        present = ", ".join("data_" + name for name in list(blocks)[:8]) or "none"
        raise InputError(f"{'several tables' if named else 'no table'} of {noun}; blocks: {present}", where=str(path),
                         remedy=f"give a STAR file with one block data_{noun} or one column _{label}")
    if not len(blocks[named[0]]):
        raise InputError("the table has no rows", where=f"{path}, block data_{named[0]}", remedy="give a file with some rows")
    return Chosen(blocks, named[0], noun, (path,))


def write_rows(path: Path, source: Chosen, rows: np.ndarray) -> None:
    """The blocks of the input with these rows of the main one."""
    kept = Table({label: column[rows] for label, column in source.table.columns.items()}, simple=False)
    write_star(path, source.blocks | {source.main: kept})
