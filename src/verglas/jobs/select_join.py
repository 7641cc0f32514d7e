"""Several STAR files as one: optics groups that are equal become one group, others get numbers and names of their own."""

from collections import Counter

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import Table
from verglas.io.star_columns import Source
from verglas.io.star_rows import text_column

NEEDED = (L.IMAGE_NAME, L.DEFOCUS["u"].label, L.DEFOCUS["v"].label, L.OPTICS_GROUP)
"""Columns without a sensible default."""
FILL: dict[str, object] = {
    **{column.label: column.default for column in L.DEFOCUS.values() if column.default is not None}, L.NORM: 1.0,
    **dict(zip(L.MAGNIFICATION, (1.0, 0.0, 0.0, 1.0))), L.ODD_ZERNIKE: f"[{','.join('0' * 6)}]", L.EVEN_ZERNIKE: f"[{','.join('0' * 9)}]",
}
"""What stands in a column that one of the files lacks; otherwise 0, or None in a column of text."""


def join(files: list[dict[str, Table]], mains: list[str], names: list[str], noun: str) -> tuple[dict[str, Table], list[str]]:
    """(blocks, remarks). `mains`: the block of rows of each file; `names`: the files, for messages. Blocks besides optics and rows are dropped."""
    with_optics = ["optics" in blocks for blocks in files]
    if len(set(with_optics)) > 1:
        raise InputError("files with and without an optics table cannot be joined", where=names[with_optics.index(False)],
                         remedy="convert the older one with relion_convert_star first")
    tables = [blocks[main] for blocks, main in zip(files, mains)]
    blocks: dict[str, Table] = {}
    remarks: list[str] = []
    if with_optics[0]:
        tables = [_own_groups(table) for table in tables]
        optics, numbers = _join_optics([blocks["optics"] for blocks in files], names)
        blocks["optics"] = optics
        tables = [_renumbered(table, known, f"{name}, block data_{main}") for table, known, name, main in zip(tables, numbers, names, mains)]
    tables = _apart(tables)
    blocks[noun] = _stack(tables, names, remarks)
    label = L.IMAGE_NAME if noun == "particles" else L.MICROGRAPH_NAME
    twice = [name for name, count in Counter(blocks[noun][label].tolist()).items() if count > 1]
    if twice:
        remarks.append(f"{len(twice)} names in _{label} appear more than once, for example {twice[0]}.")
    return blocks, remarks


def _own_groups(table: Table) -> Table:
    """A table with its column of optics groups; files with one group may leave it out."""
    if L.OPTICS_GROUP in table:
        return table
    return Table(table.columns | {L.OPTICS_GROUP: np.ones(len(table), dtype=np.int64)})


def _join_optics(tables: list[Table], names: list[str]) -> tuple[Table, list[dict[int, int]]]:
    """The joined optics table and for each file its group number -> the new one. Equal in all values: one group; only the name equal: renamed."""
    sources = [Source(table, name, "optics") for table, name in zip(tables, names)]
    for source in sources:
        source.require((L.OPTICS_GROUP, *(column.label for column in L.OPTICS_NUMBERS.values() if any(column.label in t for t in tables))))
    filled = _same_columns(tables)
    known: dict[tuple[object, ...], int] = {}
    rows: list[dict[str, object]] = []
    numbers: list[dict[int, int]] = []
    for source, table in zip(sources, filled):
        mapped: dict[int, int] = {}
        for i, old in enumerate(source.integers(L.OPTICS_GROUP).tolist()):
            row = {label: column[i] for label, column in table.columns.items() if label != L.OPTICS_GROUP}
            key = tuple(row.values())
            if key not in known:
                known[key] = len(rows) + 1
                taken = {str(one.get(L.OPTICS_NAME)) for one in rows}
                rows.append(row | ({L.OPTICS_NAME: _free(str(row[L.OPTICS_NAME]), taken)} if L.OPTICS_NAME in row else {}))
            mapped[old] = known[key]
        numbers.append(mapped)
    columns = {label: _column([row[label] for row in rows], filled[0][label].dtype) for label in filled[0].columns if label != L.OPTICS_GROUP}
    return Table(columns | {L.OPTICS_GROUP: np.arange(1, len(rows) + 1)}), numbers


def _free(name: str, taken: set[str]) -> str:
    """The name, or name_2, name_3, ... when it is taken."""
    return next(one for one in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if one not in taken)


def _renumbered(table: Table, known: dict[int, int], where: str) -> Table:
    old = Source(table, "", "").integers(L.OPTICS_GROUP)
    strange = sorted(set(old.tolist()) - set(known))
    if strange:
        raise InputError(f"optics group {strange[0]} is not in the optics table, which has {sorted(known)}", where=where,
                         remedy="add the group to data_optics or correct _rlnOpticsGroup")
    new = np.array([known[number] for number in old.tolist()], dtype=np.int64)
    return Table(table.columns | {L.OPTICS_GROUP: new})


def _apart(tables: list[Table]) -> list[Table]:
    """Scale groups that have only numbers stay different ones; where there are names, RELION and verglas number them anew."""
    if any(L.GROUP_NAME in table or L.MICROGRAPH_NAME in table or L.GROUP_NUMBER not in table for table in tables):
        return tables
    found, offset = [], 0
    for table in tables:
        numbers = Source(table, "", "").integers(L.GROUP_NUMBER) + offset
        found.append(Table(table.columns | {L.GROUP_NUMBER: numbers}))
        offset = int(numbers.max())
    return found


def _stack(tables: list[Table], names: list[str], remarks: list[str]) -> Table:
    """All rows under the union of the columns."""
    labels = list(dict.fromkeys(label for table in tables for label in table.columns))
    for label in labels:
        lacking = [name for table, name in zip(tables, names) if label not in table]
        if lacking and label in NEEDED:
            raise InputError(f"no column _{label}, which the other files have", where=lacking[0],
                             remedy="give files of the same stage (all before or all after CTF estimation and extraction)")
        if lacking:
            remarks.append(f"{', '.join(lacking)} has no column _{label}; filled with {_fill(label, tables)}.")
    filled = _same_columns(tables)
    return Table({label: _concatenated([table[label] for table in filled]) for label in labels})


def _same_columns(tables: list[Table]) -> list[Table]:
    """The union of the columns in all tables, in one order and type; what is missing is filled."""
    labels = list(dict.fromkeys(label for table in tables for label in table.columns))
    whole = {label: _concatenated([_with(table, label, tables) for table in tables]) for label in labels}
    ends = np.cumsum([len(table) for table in tables])[:-1]
    cut = {label: np.split(column, ends) for label, column in whole.items()}
    return [Table({label: cut[label][i] for label in labels}) for i in range(len(tables))]


def _with(table: Table, label: str, tables: list[Table]) -> np.ndarray:
    if label in table:
        return table[label]
    return _column([_fill(label, tables)] * len(table), next(one[label].dtype for one in tables if label in one))


def _fill(label: str, tables: list[Table]) -> object:
    text = any(label in table and table[label].dtype == object for table in tables)
    return FILL.get(label, "None" if text else 0)


def _column(values: list[object], dtype: np.dtype) -> np.ndarray:
    return text_column(str(value) for value in values) if dtype.kind == "O" else np.array(values).astype(dtype)


def _concatenated(columns: list[np.ndarray]) -> np.ndarray:
    """One column; text where one of them is text."""
    if any(column.dtype == object for column in columns):
        return text_column(str(value) for column in columns for value in column.tolist())
    return np.concatenate(columns)
