"""The first rows of a large STAR table before it is parsed: so a page is there at once, and the whole table a little later."""

import mmap
from pathlib import Path

import numpy as np

from verglas.io.star import Table
from verglas.io.star_blocks import parse_star

BEFORE_ROWS = (b"_", b"loop_", b"#", b"data_")
HEAD = 1 << 20
"""Bytes at the start of a file in which the loop of interest must begin."""


def first_rows(path: Path, count: int) -> tuple[str, Table, int] | None:
    """(block, its first rows, about how many rows there are) of the last loop that begins in the head of the file; None if there is no such."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    start = max(head.rfind(b"\ndata_"), 0 if head.startswith(b"data_") else -1)
    if start < 0:
        return None
    whole = head[start : head.rfind(b"\n") + 1]
    lines = whole.split(b"\n")
    first = next((number for number, line in enumerate(lines) if number and line.strip() and not line.lstrip().startswith(BEFORE_ROWS)), None)
    if first is None or b"loop_" not in whole or b"\n;" in whole:
        return None
    tables = parse_star(b"\n".join([*lines[: first + count], b""]), str(path))
    block = next(iter(tables), None)
    return (block, tables[block], _lines(path) - head[:start].count(b"\n") - first) if block is not None else None


def _lines(path: Path) -> int:
    """Line breaks of a file."""
    total = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        data = np.frombuffer(content, dtype=np.uint8)
        for at in range(0, len(data), 1 << 24):
            total += int(np.count_nonzero(data[at : at + (1 << 24)] == 10))
        tail = data[-4096:].tobytes()
        del data
    end = tail[len(tail.rstrip()) :]
    return total - max(0, end.count(b"\n") - 1)
