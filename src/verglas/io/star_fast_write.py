"""Rows of a large table as STAR text, compiled; numbers as star_format would read them back, one blank between values."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from verglas.io.decimals import write_float, write_integer
from verglas.io.star_format import cells, looks_numeric
from verglas.io.star_table import Table

_CHUNK = 32768
_NUMBER_BYTES = 32
_THREADS = 2


@njit(cache=True, nogil=True)
def _all_plain(text: np.ndarray, count: int) -> bool:
    """Whether text, `count` values each followed by a newline, holds only values that need no quotes."""
    lines, start = 0, 0
    for i in range(len(text)):
        c = text[i]
        if c == 10:
            if i == start:
                return False
            first = text[start]
            if first == 34 or first == 39 or first == 35 or first == 59 or first == 95 or first == 36:
                return False
            if (i - start >= 5 and text[start + 4] == 95) or (i - start >= 7 and text[start + 6] == 95):
                return False  # data_, loop_, save_, stop_, global_: perhaps a reserved word, left to Python
            start = i + 1
            lines += 1
        elif c <= 32 or c == 127:
            return False
    return lines == count


@njit(cache=True, nogil=True)
def _format(kinds: np.ndarray, integers: np.ndarray, floats: np.ndarray, texts: np.ndarray, starts: np.ndarray, out: np.ndarray) -> int:
    """kinds (columns,): 0 text, 1 float, 2 integer, in the order of the rows of integers, floats (columns, rows) and of starts (text columns,).

    texts holds the text columns one after another, each value followed by a newline. Returns the bytes written, -1 where Python must do it.
    """
    at, cursor = 0, starts.copy()
    for row in range(integers.shape[1]):
        text, number = 0, 0
        for kind in kinds:
            if kind == 0:
                i = cursor[text]
                while texts[i] != 10:
                    out[at] = texts[i]
                    at += 1
                    i += 1
                cursor[text] = i + 1
                text += 1
            else:
                at = write_integer(integers[number, row], out, at) if kind == 2 else write_float(floats[number, row], out, at)
                if at < 0:
                    return -1
                number += 1
            out[at] = 32
            at += 1
        out[at - 1] = 10
    return at


def fast_row_chunks(table: Table, where: str) -> Iterator[bytes]:
    """The rows of a table as bytes, some ten thousand at a time, formatted by two threads."""
    columns = [np.asarray(column) for column in table.columns.values()]
    guard = [column.dtype == object and looks_numeric(list(map(str, column.tolist()))) for column in columns]
    chunks = [[column[first:first + _CHUNK] for column in columns] for first in range(0, len(table), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for k in range(0, len(chunks), 2 * _THREADS):
            several = chunks[k:k + 2 * _THREADS]
            yield from pool.map(_chunk, several, [where] * len(several), [guard if k == 0 and i == 0 else None for i in range(len(several))])


def _chunk(columns: list[np.ndarray], where: str, guard: list[bool] | None) -> bytes:
    """guard: the text columns whose first value must be quoted so that they stay text."""
    if guard is not None and any(guard):
        return _by_python(columns, where)
    texts = [_plain_text(column) for column in columns if column.dtype == object]
    numeric = [column for column in columns if column.dtype != object]
    if any(text is None for text in texts):
        return _by_python(columns, where)
    kinds = np.array([{"f": 1, "O": 0}.get(column.dtype.kind, 2) for column in columns])
    floats = np.empty((len(numeric), len(columns[0])))
    integers = floats.view(np.int64)
    for slot, column in enumerate(numeric):
        (floats if column.dtype.kind == "f" else integers)[slot] = column
    joined = np.concatenate([np.empty(0, np.uint8), *(text for text in texts if text is not None)])
    starts = np.cumsum([0, *(len(text) for text in texts if text is not None)])
    out = np.empty(len(columns[0]) * (len(numeric) * _NUMBER_BYTES + len(columns) + 1) + len(joined), dtype=np.uint8)
    size = _format(kinds, integers, floats, joined, starts, out)
    return out[:size].tobytes() if size >= 0 else _by_python(columns, where)


def _plain_text(column: np.ndarray) -> np.ndarray | None:
    """The values, each followed by a newline; None where some value needs quotes."""
    try:
        joined = "\n".join(column.tolist())
    except TypeError:
        joined = "\n".join(map(str, column.tolist()))
    text = np.frombuffer((joined + "\n").encode("utf-8", "surrogateescape"), dtype=np.uint8)
    return text if _all_plain(text, len(column)) else None


def _by_python(columns: list[np.ndarray], where: str) -> bytes:
    rows = zip(*(cells(column, where) for column in columns))
    return "".join(" ".join(row) + "\n" for row in rows).encode("utf-8", "surrogateescape")
