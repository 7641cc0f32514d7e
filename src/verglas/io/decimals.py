"""Decimal text <-> float64, correctly rounded, compiled. Imports numba: only star_fast_* use it.

Products and quotients with powers of ten are carried as a sum of two float64 (about 106 bits; Dekker 1971), and a result is only accepted
when it does not depend on the last bits of that sum. The few others are left to Python.
"""

import numpy as np
from numba import njit

LARGEST_POWER = 45
"""5^45 < 2^106, so these powers of ten are exact sums of two float64."""
_EXACT = [10**k for k in range(LARGEST_POWER + 1)]
POWER_HIGH = np.array([float(p) for p in _EXACT])
POWER_LOW = np.array([float(p - int(float(p))) for p in _EXACT])
_MARGIN = 2.0**-98


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _product(a: float, b: float) -> tuple[float, float]:
    """a * b as an exact sum of two float64 (Veltkamp, Dekker)."""
    c = 134217729.0 * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = 134217729.0 * b
    b_high = c - (c - b)
    b_low = b - b_high
    p = a * b
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(cache=True, nogil=True, error_model="numpy")
def scaled(mantissa: np.uint64, exponent: int) -> tuple[float, bool]:
    """mantissa * 10^exponent correctly rounded, and whether that is certain; mantissa < 10^19."""
    if mantissa == 0:
        return 0.0, True
    if mantissa < 9007199254740992 and -22 <= exponent <= 22:
        value = float(mantissa)
        return (value * POWER_HIGH[exponent] if exponent >= 0 else value / POWER_HIGH[-exponent]), True
    if exponent < -LARGEST_POWER or exponent > LARGEST_POWER:
        return 0.0, False
    top = float(mantissa >> np.uint64(32)) * 4294967296.0
    bottom = float(mantissa & np.uint64(0xFFFFFFFF))
    s = top + bottom
    rest = bottom - (s - top)
    power, power_rest = POWER_HIGH[abs(exponent)], POWER_LOW[abs(exponent)]
    if exponent >= 0:
        first, second = _product(s, power)
        second += s * power_rest + rest * power
    else:
        first = s / power
        a, b = _product(first, power)
        second = (((s - a) - b) + rest - first * power_rest) / power
    margin = abs(first) * _MARGIN
    return first + second, first + (second - margin) == first + (second + margin)


@njit(cache=True, nogil=True, error_model="numpy")
def _rounded_digits(value: float, count: int, leading: int) -> tuple[np.int64, int]:
    """The first `count` significant digits of value as an integer, and the power of ten of the leading one (`leading` is its estimate)."""
    for _ in range(3):
        shift = count - 1 - leading
        power, power_rest = POWER_HIGH[abs(shift)], POWER_LOW[abs(shift)]
        if shift >= 0:
            first, second = _product(value, power)
            second += value * power_rest
        else:
            first = value / power
            a, b = _product(first, power)
            second = ((value - a) - b - first * power_rest) / power
        whole = np.floor(first)
        digits = np.int64(whole) + np.int64(np.floor((first - whole) + second + 0.5))
        if digits >= np.int64(POWER_HIGH[count]):
            leading += 1
        elif digits < np.int64(POWER_HIGH[count - 1]):
            leading -= 1
        else:
            return digits, leading
    return np.int64(0), leading


@njit(cache=True, nogil=True, error_model="numpy")
def write_integer(value: np.int64, out: np.ndarray, at: int) -> int:
    """Write the digits of value at out[at:]; returns the position after them."""
    left = np.uint64(value) if value >= 0 else np.uint64(-(value + 1)) + np.uint64(1)
    if value < 0:
        out[at] = 45
        at += 1
    ten, size, rest = np.uint64(10), 1, left
    while rest >= ten:
        rest //= ten
        size += 1
    for k in range(size - 1, -1, -1):
        out[at + k] = np.uint8(48) + np.uint8(left % ten)
        left //= ten
    return at + size


@njit(cache=True, nogil=True, error_model="numpy")
def write_float(value: float, out: np.ndarray, at: int) -> int:
    """Write a decimal that reads back to the same float64; returns the position after it, or -1 where this must be left to Python."""
    if not np.isfinite(value):
        return -1
    if np.copysign(1.0, value) < 0.0:
        out[at] = 45
        at += 1
    a = abs(value)
    if a < 9.0e9:
        six = np.rint(a * 1e6)
        if six / 1e6 == a:
            return _write_fixed(np.int64(six), out, at)
    if not 1e-25 < a < 1e25:
        return -1
    leading = int(np.floor(np.log10(a)))
    for count in range(15, 18):
        digits, power = _rounded_digits(a, count, leading)
        back, certain = scaled(np.uint64(digits), power - count + 1)
        if digits > 0 and certain and back == a:
            return _write_digits(digits, count, power, out, at)
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _write_fixed(millionths: np.int64, out: np.ndarray, at: int) -> int:
    at = write_integer(millionths // 1000000, out, at)
    part = millionths % 1000000
    out[at] = 46
    for k in range(6, 0, -1):
        out[at + k] = 48 + part % 10
        part //= 10
    last = at + 6
    while out[last] == 48 and last > at + 1:
        last -= 1
    return last + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _write_digits(digits: np.int64, count: int, power: int, out: np.ndarray, at: int) -> int:
    """digits * 10^(power - count + 1), plain for -5 <= power < 15, else with an exponent."""
    while digits % 10 == 0 and count > 1:
        digits //= 10
        count -= 1
    plain = -5 <= power < 15
    before = max(power + 1, 0) if plain else 1  # digits in front of the point
    if plain and before == 0:
        for c in range(1 - power):
            out[at + c] = 46 if c == 1 else 48
        return write_integer(digits, out, at + 1 - power)
    while count < before + 1:
        digits *= 10
        count += 1
    scale = np.int64(POWER_HIGH[count - before])
    at = write_integer(digits // scale, out, at)
    out[at] = 46
    rest = digits % scale
    for k in range(count - before, 0, -1):
        out[at + k] = 48 + rest % 10
        rest //= 10
    at += 1 + count - before
    if plain:
        return at
    out[at] = 101
    return write_integer(np.int64(power), out, at + 1)
