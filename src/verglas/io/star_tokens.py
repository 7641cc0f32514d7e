"""Tokens of STAR text, compiled: where they end, which numbers they are, where a loop ends. Imports numba: only star_fast_read uses it."""

import numpy as np
from numba import njit

from verglas.io.decimals import scaled

NOT_A_NUMBER, WHOLE, REAL, FOR_PYTHON = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")
def convert(data: np.ndarray, start: int, stop: int) -> tuple[int, np.int64, float]:
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
            return NOT_A_NUMBER, np.int64(0), 0.0
        whole = np.int64(mantissa)
        return WHOLE, -whole if negative else whole, -float(whole) if negative else float(whole)
    if i < stop:
        shift = _exponent(data, i, stop)
        if shift == 1 << 30:
            return NOT_A_NUMBER, np.int64(0), 0.0
        exponent += shift
    if digits > 19:
        return FOR_PYTHON, np.int64(0), 0.0
    value, certain = scaled(mantissa, exponent)
    return REAL if certain else FOR_PYTHON, np.int64(0), -value if negative else value


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _special(data: np.ndarray, start: int, stop: int, negative: bool) -> tuple[int, np.int64, float]:
    """nan and inf in any case."""
    if stop - start == 3:
        a, b, c = data[start] | 32, data[start + 1] | 32, data[start + 2] | 32
        if a == 110 and b == 97 and c == 110:
            return REAL, np.int64(0), np.nan
        if a == 105 and b == 110 and c == 102:
            return REAL, np.int64(0), -np.inf if negative else np.inf
    return NOT_A_NUMBER, np.int64(0), 0.0


@njit(cache=True, nogil=True)
def blank(c: int) -> bool:
    return c == 32 or (9 <= c <= 13 and c != 10)


@njit(cache=True, nogil=True)
def token_end(data: np.ndarray, start: int, stop: int) -> tuple[int, bool]:
    """Where the token at start ends (for a quoted one: at its closing quote), and whether it is quoted."""
    quote = data[start]
    if quote == 34 or quote == 39:
        i = start + 1
        while i < stop and data[i] != 10:
            if data[i] == quote and (i + 1 >= stop or data[i + 1] == 10 or blank(data[i + 1])):
                return i, True
            i += 1
    i = start
    while i < stop and data[i] != 10 and not blank(data[i]):
        i += 1
    return i, False


@njit(cache=True, nogil=True)
def find_end(data: np.ndarray, start: int) -> int:
    """Start of the first line from `start` (a line start) on that may end a loop: `_`, `;`, `data_` or `loop_`; else the length of the data."""
    i, stop = start, len(data)
    while i < stop:
        line = i
        while i < stop and (data[i] == 32 or data[i] == 9):
            i += 1
        if i < stop and (data[i] == 95 or data[i] == 59):
            return line
        if i + 4 < stop and data[i + 4] == 95 and (_word(data, i, b"data") or _word(data, i, b"loop")):
            return line
        while i < stop and data[i] != 10:
            i += 1
        i += 1
    return stop


@njit(cache=True, nogil=True)
def _word(data: np.ndarray, at: int, word: bytes) -> bool:
    """Whether the four letters at `at` are `word`, in any case."""
    same = 0
    for k in range(4):
        same += (data[at + k] | 32) == word[k]
    return same == 4
