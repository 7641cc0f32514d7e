"""Rows of a large STAR loop, compiled: one pass over the bytes that splits and converts. Same results as star_rows.exact_rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from verglas.io.star_rows import FLOAT, INTEGER, TEXT, exact_rows, kind_of, split_line, text_column
from verglas.io.star_tokens import FOR_PYTHON, NOT_A_NUMBER, WHOLE, blank, convert, token_end

_HARD = 1 << 16
_SAMPLE_LINES = 50
_SAMPLE_BYTES = 1 << 20
_THREADS = 2


@njit(cache=True, nogil=True)
def _parse(
    data: np.ndarray, kinds: np.ndarray, slots: np.ndarray, integers: np.ndarray, numbers: np.ndarray, texts: np.ndarray, hard: np.ndarray,
) -> tuple[int, int, bool]:
    """Fill numbers (numeric columns, rows) and texts (text columns, 2, rows); kinds of columns that turn out to be less are lowered.

    integers is the memory of numbers seen as int64; hard (_HARD, 4): slot, row, start, stop of numbers left to Python.
    Returns (rows, hard numbers, whether all rows have the right width).
    """
    stop, width, i, row, hard_count = len(data), len(kinds), 0, 0, 0
    while i < stop:
        column = 0
        while True:
            while i < stop and blank(data[i]):
                i += 1
            if i >= stop or data[i] == 10:
                break
            if data[i] == 35:
                while i < stop and data[i] != 10:
                    i += 1
                break
            end, is_quoted = token_end(data, i, stop)
            if column < width:
                first = i + is_quoted
                kind, slot = kinds[column], slots[column]
                if kind == TEXT:
                    texts[slot, 0, row], texts[slot, 1, row] = first, end
                elif is_quoted:
                    kinds[column] = TEXT
                else:
                    what, whole, real = convert(data, i, end)
                    if what == NOT_A_NUMBER:
                        kinds[column] = TEXT
                    elif kind == INTEGER and what == WHOLE:
                        integers[slot, row] = whole
                    elif kind == INTEGER:
                        kinds[column] = FLOAT
                    elif what == FOR_PYTHON:
                        if hard_count < len(hard):
                            hard[hard_count, 0], hard[hard_count, 1], hard[hard_count, 2], hard[hard_count, 3] = slot, row, i, end
                        hard_count += 1
                    else:
                        numbers[slot, row] = real
            column += 1
            i = end + is_quoted
        i += 1
        if column == width:
            row += 1
        elif column:
            return row, hard_count, False
    return row, hard_count, True


@njit(cache=True, nogil=True)
def _gather(data: np.ndarray, bounds: np.ndarray, codes: np.ndarray, out: np.ndarray) -> int:
    """Copy the tokens bounds (2, rows), each followed by a newline, leaving out repetitions of the one before; codes (rows,) = which copy.

    With an empty `out` it only counts. Returns the number of bytes.
    """
    size, code = 0, -1
    for row in range(bounds.shape[1]):
        start, stop = bounds[0, row], bounds[1, row]
        same = row > 0 and bounds[1, row - 1] - bounds[0, row - 1] == stop - start
        if same:
            before = bounds[0, row - 1]
            for k in range(stop - start):
                if data[before + k] != data[start + k]:
                    same = False
                    break
        if not same:
            code += 1
            if len(out):
                out[size:size + stop - start] = data[start:stop]
                out[size + stop - start] = 10
            size += stop - start + 1
        codes[row] = code
    return size


@dataclass(frozen=True)
class _Part:
    """A stretch of whole lines and the memory for what is read from it."""

    data: np.ndarray
    numbers: np.ndarray
    texts: np.ndarray


def fast_rows(data: bytes, start: int, stop: int, labels: list[str], where: str) -> list[np.ndarray]:
    """Columns of the loop body data[start:stop], without text fields (`;`), as star_rows.exact_rows would return them."""
    cuts = _cuts(data, start, stop)
    pieces = [np.frombuffer(data, dtype=np.uint8)[a:b] for a, b in pairwise(cuts)]
    lines = [data.count(b"\n", a, b) + 1 for a, b in pairwise(cuts)]
    kinds = _first_kinds(data[start:min(stop, start + _SAMPLE_BYTES)], len(labels))
    with ThreadPoolExecutor(_THREADS) as pool:
        while True:
            parts = _allocate(pieces, lines, kinds)
            found = list(pool.map(_read_part, parts, [kinds] * len(parts)))
            lowered = np.minimum.reduce([part_kinds for _, part_kinds in found])
            if any(rows < 0 for rows, _ in found):
                return exact_rows(data[start:stop], labels, where)  # names the faulty row, or reads what Python must read
            if (lowered == kinds).all():
                return _joined(parts, [rows for rows, _ in found], kinds)
            kinds = lowered


def _slots(kinds: np.ndarray) -> np.ndarray:
    """(columns,) place of each column among the text columns or among the numeric ones."""
    return np.where(kinds == TEXT, np.cumsum(kinds == TEXT), np.cumsum(kinds != TEXT)) - 1


def _allocate(pieces: list[np.ndarray], lines: list[int], kinds: np.ndarray) -> list[_Part]:
    """Neighbouring parts of one block of memory, so that columns need not be joined where every line is a row."""
    text_count, cuts = int((kinds == TEXT).sum()), np.cumsum([0, *(count - 1 for count in lines[:-1]), lines[-1]])
    numbers = np.empty((len(kinds) - text_count, cuts[-1]), dtype=np.float64)
    texts = np.empty((text_count, 2, cuts[-1]), dtype=np.int64)
    return [_Part(piece, numbers[:, a:b], texts[:, :, a:b]) for piece, a, b in zip(pieces, cuts, cuts[1:])]


def _first_kinds(sample: bytes, width: int) -> np.ndarray:
    """(columns,) kinds as far as the first lines tell."""
    rows = [row for line in sample.split(b"\n")[:_SAMPLE_LINES] if len(row := split_line(line)) == width]
    return np.array([kind_of(list(column)) for column in zip(*rows)] if rows else [INTEGER] * width, dtype=np.int8)


def _cuts(data: bytes, start: int, stop: int) -> list[int]:
    """Ends of about equal parts, one per thread, each of whole lines."""
    cuts = [start]
    for k in range(1, _THREADS):
        end = data.find(b"\n", max(start + (stop - start) * k // _THREADS, cuts[-1]), stop)
        cuts.append(stop if end < 0 else end + 1)
    return [*cuts, stop]


def _read_part(part: _Part, kinds: np.ndarray) -> tuple[int, np.ndarray]:
    """(rows, kinds as this part has them); rows is -1 where they are faulty or too many numbers are left to Python."""
    kinds, hard = kinds.copy(), np.empty((_HARD, 4), dtype=np.int64)
    rows, hard_count, good = _parse(part.data, kinds, _slots(kinds), part.numbers.view(np.int64), part.numbers, part.texts, hard)
    if not good or hard_count > _HARD:
        return -1, kinds
    for slot, row, start, stop in hard[:hard_count]:
        part.numbers[slot, row] = float(part.data[start:stop].tobytes())
    return rows, kinds


def _joined(parts: list[_Part], rows: list[int], kinds: np.ndarray) -> list[np.ndarray]:
    columns: list[np.ndarray] = []
    for kind, slot in zip(kinds, _slots(kinds)):
        if kind == TEXT:
            columns.append(_concatenated([_texts(part.data, part.texts[slot, :, :count]) for part, count in zip(parts, rows)]))
            continue
        values = _neighbours([part.numbers[slot] for part in parts], rows)
        columns.append(values.view(np.int64) if kind == INTEGER else values)
    return columns


def _concatenated(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def _neighbours(pieces: list[np.ndarray], rows: list[int]) -> np.ndarray:
    """The first rows[i] values of each piece as one array; without copying where all but the last are full."""
    whole = pieces[0].base
    if len(pieces) > 1 and all(len(piece) == count for piece, count in zip(pieces[:-1], rows)) and whole is not None:
        offset = (pieces[0].ctypes.data - whole.ctypes.data) // pieces[0].itemsize
        return whole.reshape(-1)[offset:offset + sum(rows)]
    return _concatenated([piece[:count] for piece, count in zip(pieces, rows)])


def _texts(data: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(rows,) object: the tokens with bounds (2, rows); repeated neighbours share one str."""
    codes = np.empty(bounds.shape[1], dtype=np.int64)
    size = _gather(data, bounds, codes, np.empty(0, dtype=np.uint8))
    out = np.empty(size, dtype=np.uint8)
    _gather(data, bounds, codes, out)
    distinct = out.tobytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
    return text_column(distinct) if len(distinct) == len(codes) else text_column(distinct)[codes]
