"""Rows of a large STAR loop, compiled: one pass over the bytes that splits and converts. Same results as star_rows.exact_rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit

from verglas.io.decimals import scaled
from verglas.io.star_rows import FLOAT, INTEGER, TEXT, exact_rows, kind_of, split_line, text_column

_HARD = 1 << 16
_SAMPLE_LINES = 50
_SAMPLE_BYTES = 1 << 20
_THREADS = 2
_NOT_A_NUMBER, _WHOLE, _REAL, _FOR_PYTHON = 0, 1, 2, 3
_ERROR_MODEL = "numpy"


@njit(cache=True, nogil=True, error_model=_ERROR_MODEL)
def _convert(data: np.ndarray, start: int, stop: int) -> tuple[int, np.int64, float]:
    """(what it is, integer value, float value) of the token data[start:stop]."""
    i = start
    negative = data[i] == 45
    if negative or data[i] == 43:
        i += 1
    first, mantissa, digits, exponent, point = i, np.uint64(0), 0, 0, False
    while i < stop:
        c = data[i]
        if 48 <= c <= 57:
            if digits < 19:
                mantissa = mantissa * np.uint64(10) + np.uint64(c - 48)
                digits += 1 if mantissa else 0
                exponent -= point
            else:
                digits += 1
        elif c == 46 and not point:
            point = True
        else:
            break
        i += 1
    count = i - first - point
    if count == 0:
        return _special(data, first, stop, negative)
    if i == stop and not point:
        if count > 18 or (count > 1 and data[first] == 48):
            return _NOT_A_NUMBER, np.int64(0), 0.0
        whole = np.int64(mantissa)
        return _WHOLE, -whole if negative else whole, -float(whole) if negative else float(whole)
    if i < stop:
        shift = _exponent(data, i, stop)
        if shift == 1 << 30:
            return _NOT_A_NUMBER, np.int64(0), 0.0
        exponent += shift
    if digits > 19:
        return _FOR_PYTHON, np.int64(0), 0.0
    value, certain = scaled(mantissa, exponent)
    return _REAL if certain else _FOR_PYTHON, np.int64(0), -value if negative else value


@njit(cache=True, nogil=True, error_model=_ERROR_MODEL)
def _exponent(data: np.ndarray, i: int, stop: int) -> int:
    """The number after e or E at data[i:stop]; 2^30 when that is not an exponent."""
    if data[i] != 101 and data[i] != 69:
        return 1 << 30
    i += 1
    negative = i < stop and data[i] == 45
    if i < stop and (negative or data[i] == 43):
        i += 1
    if i >= stop:
        return 1 << 30
    value = 0
    while i < stop:
        if not 48 <= data[i] <= 57:
            return 1 << 30
        value = min(value * 10 + (data[i] - 48), 1 << 20)
        i += 1
    return -value if negative else value


@njit(cache=True, nogil=True, error_model=_ERROR_MODEL)
def _special(data: np.ndarray, start: int, stop: int, negative: bool) -> tuple[int, np.int64, float]:
    """nan and inf in any case."""
    if stop - start == 3:
        a, b, c = data[start] | 32, data[start + 1] | 32, data[start + 2] | 32
        if a == 110 and b == 97 and c == 110:
            return _REAL, np.int64(0), np.nan
        if a == 105 and b == 110 and c == 102:
            return _REAL, np.int64(0), -np.inf if negative else np.inf
    return _NOT_A_NUMBER, np.int64(0), 0.0


@njit(cache=True, nogil=True)
def _blank(c: int) -> bool:
    return c == 32 or (9 <= c <= 13 and c != 10)


@njit(cache=True, nogil=True)
def _token_end(data: np.ndarray, start: int, stop: int) -> tuple[int, bool]:
    """Where the token at start ends (for a quoted one: at its closing quote), and whether it is quoted."""
    quote = data[start]
    if quote == 34 or quote == 39:
        i = start + 1
        while i < stop and data[i] != 10:
            if data[i] == quote and (i + 1 >= stop or data[i + 1] == 10 or _blank(data[i + 1])):
                return i, True
            i += 1
    i = start
    while i < stop and data[i] != 10 and not _blank(data[i]):
        i += 1
    return i, False


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
            while i < stop and _blank(data[i]):
                i += 1
            if i >= stop or data[i] == 10:
                break
            if data[i] == 35:
                while i < stop and data[i] != 10:
                    i += 1
                break
            end, is_quoted = _token_end(data, i, stop)
            if column < width:
                first = i + is_quoted
                kind, slot = kinds[column], slots[column]
                if kind == TEXT:
                    texts[slot, 0, row], texts[slot, 1, row] = first, end
                elif is_quoted:
                    kinds[column] = TEXT
                else:
                    what, whole, real = _convert(data, i, end)
                    if what == _NOT_A_NUMBER:
                        kinds[column] = TEXT
                    elif kind == INTEGER and what == _WHOLE:
                        integers[slot, row] = whole
                    elif kind == INTEGER:
                        kinds[column] = FLOAT
                    elif what == _FOR_PYTHON:
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


@njit(cache=True, nogil=True)
def find_end(data: np.ndarray, start: int) -> int:
    """Start of the first line from `start` (a line start) on that may end a loop: `_`, `;`, `data_` or `loop_`; else the length of the data."""
    i, stop = start, len(data)
    while i < stop:
        line = i
        while i < stop and (data[i] == 32 or data[i] == 9):
            i += 1
        if i < stop and (data[i] == 95 or data[i] == 59 or (i + 4 < stop and data[i + 4] == 95 and (_word(data, i, b"data") or _word(data, i, b"loop")))):
            return line
        while i < stop and data[i] != 10:
            i += 1
        i += 1
    return stop


@njit(cache=True, nogil=True)
def _word(data: np.ndarray, at: int, word: bytes) -> bool:
    """Whether the four letters at `at` are `word`, in any case."""
    for k in range(4):
        if data[at + k] | 32 != word[k]:
            return False
    return True


@dataclass(frozen=True)
class _Part:
    """A stretch of whole lines and the memory for what is read from it."""

    data: np.ndarray
    numbers: np.ndarray
    texts: np.ndarray


def fast_rows(data: bytes, start: int, stop: int, labels: list[str], where: str) -> list[np.ndarray]:
    """Columns of the loop body data[start:stop], without text fields (`;`), as star_rows.exact_rows would return them."""
    cuts = _cuts(data, start, stop)
    pieces = [np.frombuffer(data, dtype=np.uint8)[a:b] for a, b in zip(cuts, cuts[1:])]
    lines = [data.count(b"\n", a, b) + 1 for a, b in zip(cuts, cuts[1:])]
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
