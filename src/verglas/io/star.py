"""STAR files: blocks of tables, RELION's dialect (one row per line) with CIF's quotes, comments and text fields."""

from pathlib import Path
from typing import BinaryIO

from verglas.errors import InputError
from verglas.io.atomic import atomic_path
from verglas.io.star_blocks import parse_star
from verglas.io.star_format import check_table, format_table, head
from verglas.io.star_table import Table

__all__ = ["Table", "read_star", "write_star"]

_FAST_VALUES = 400_000
"""Tables with more values than this are worth the 0.4 s that importing numba costs."""


def read_star(path: Path | str) -> dict[str, Table]:
    """All tables of a file by block name without `data_`, in the order of the file."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    return parse_star(data, str(path))


def write_star(path: Path | str, blocks: dict[str, Table], comment: str = "") -> None:
    """Write tables in RELION 5's layout, atomically; each line of `comment` becomes a `#` line at the top."""
    path = Path(path)
    for block, table in blocks.items():
        check_table(table, f"{path}, block data_{block}")
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        handle.write("".join(f"# {line}\n" for line in comment.splitlines()).encode("utf-8", "surrogateescape"))
        for block, table in blocks.items():
            _write_block(handle, block, table, f"{path}, block data_{block}")


def _write_block(handle: BinaryIO, block: str, table: Table, where: str) -> None:
    if len(table) * len(table.columns) < _FAST_VALUES:
        handle.write(format_table(block, table, where).encode("utf-8", "surrogateescape"))
        return
    from verglas.io.star_fast_write import fast_row_chunks

    handle.write(head(block, table).encode("utf-8", "surrogateescape"))
    for chunk in fast_row_chunks(table, where):
        handle.write(chunk)
    handle.write(b" \n")
