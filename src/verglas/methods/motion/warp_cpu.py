"""The weighted sums of moved frames on the CPU: one pass over the frames, a strip of output rows at a time, no frame kept as float."""

import numpy as np
from numba import njit, prange

TAPS = 6
SEGMENT = 16
"""Pixels that share one set of interpolation weights; the local shift changes by less than 0.02 px over so many."""
STRIP_BYTES = 1 << 20


@njit(inline="always")
def _weights(t, w):  # type: ignore[no-untyped-def]
    """w (6,): quintic B-spline at the distances -2-t, -1-t, ... 3-t, for t in [0, 1)."""
    for j in range(6):
        a = abs(np.float32(j - 2) - t)
        if a < 1.0:
            w[j] = (66.0 + a * a * (-60.0 + a * a * (30.0 - 10.0 * a))) / 120.0
        elif a < 2.0:
            w[j] = (51.0 + a * (75.0 + a * (-210.0 + a * (150.0 + a * (-45.0 + 5.0 * a))))) / 120.0
        elif a < 3.0:
            e = 3.0 - a
            w[j] = e * e * e * e * e / 120.0
        else:
            w[j] = 0.0


@njit(inline="always")
def _poly(c, u, v):  # type: ignore[no-untyped-def]
    """c (6,) over 1, u, u², v, v², uv."""
    return c[0] + u * (c[1] + u * c[2] + v * c[5]) + v * (c[3] + v * c[4])


@njit(parallel=True, nogil=True, fastmath=True, cache=True)
def warped_sums(raw, gain, bad, values, shift, weights, out, rows, reach):  # type: ignore[no-untyped-def]
    """out[r, y, x] = sum_i weights[r, i] sum_j b(p - j) frame_i[j], p = (x, y) - s_i(x, y), b the quintic B-spline (not prefiltered).

    raw (F, ny, nx); bad (H,) ascending flat indices, values (F, H); shift (F, 2, 6) over 1, u, u², v, v², uv; weights (R, F); out (R, ny, nx)
    float32, overwritten. Frames are periodic. rows: of a strip; max |shift| + 3 <= reach <= nx, whole px.
    """
    count, ny, nx = raw.shape
    kinds = weights.shape[0]
    for strip in prange((ny + rows - 1) // rows):
        top = strip * rows
        end = min(top + rows, ny)
        out[:, top:end, :] = 0.0
        # a band of input rows as float, grown when a frame needs more
        band = np.empty((rows + 12, nx), np.float32)
        middle = np.empty(nx + 2 * reach, np.float32)
        line = np.empty(nx, np.float32)
        w = np.empty(6, np.float32)
        for i in range(count):
            cx = shift[i, 0]
            cy = shift[i, 1]
            low, high = np.float32(1e9), np.float32(-1e9)
            for y in (top, end - 1):
                v = np.float32(y) / np.float32(ny) - np.float32(0.5)
                for k in range(33):
                    s = _poly(cy, np.float32(k) / np.float32(32.0) - np.float32(0.5), v)
                    low, high = min(low, s), max(high, s)
            first = int(np.floor(top - high)) - 4
            last = int(np.floor(end - 1 - low)) + 5
            if last - first + 1 > band.shape[0]:
                band = np.empty((last - first + 1, nx), np.float32)
            for k in range(last - first + 1):
                y = (first + k) % ny
                for x in range(nx):
                    band[k, x] = np.float32(raw[i, y, x]) * gain[y, x]
                at = np.searchsorted(bad, y * nx)
                while at < len(bad) and bad[at] < (y + 1) * nx:
                    band[k, bad[at] - y * nx] = values[i, at]
                    at += 1
            for y in range(top, end):
                v = np.float32(y) / np.float32(ny) - np.float32(0.5)
                for x0 in range(0, nx, SEGMENT):
                    x1 = min(x0 + SEGMENT, nx)
                    centre = np.float32(0.5) * np.float32(x0 + x1 - 1)
                    u = centre / np.float32(nx) - np.float32(0.5)
                    u += _poly(cx, u, v) / np.float32(nx)  # the output column that this input column goes to
                    p = np.float32(y) - _poly(cy, u, v)
                    whole = int(np.floor(p))
                    _weights(p - np.float32(whole), w)
                    k = min(max(whole - 2 - first, 0), band.shape[0] - 6)
                    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
                    b0, b1, b2, b3, b4, b5 = band[k], band[k + 1], band[k + 2], band[k + 3], band[k + 4], band[k + 5]
                    for x in range(x0, x1):
                        middle[reach + x] = w0 * b0[x] + w1 * b1[x] + w2 * b2[x] + w3 * b3[x] + w4 * b4[x] + w5 * b5[x]
                for x in range(reach):
                    middle[x] = middle[nx + x]
                    middle[reach + nx + x] = middle[reach + x]
                for x0 in range(0, nx, SEGMENT):
                    x1 = min(x0 + SEGMENT, nx)
                    centre = np.float32(0.5) * np.float32(x0 + x1 - 1)
                    s = _poly(cx, centre / np.float32(nx) - np.float32(0.5), v)
                    whole = int(np.floor(-s))
                    _weights(-s - np.float32(whole), w)
                    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
                    src = middle[reach + whole - 2:]
                    for x in range(x0, x1):
                        line[x] = w0 * src[x] + w1 * src[x + 1] + w2 * src[x + 2] + w3 * src[x + 3] + w4 * src[x + 4] + w5 * src[x + 5]
                for r in range(kinds):
                    a = weights[r, i]
                    if a != 0.0:
                        row = out[r, y]
                        for x in range(nx):
                            row[x] += a * line[x]


def strip_rows(kinds: int, nx: int) -> int:
    """Rows of a strip whose sums stay in the cache of a core."""
    return int(np.clip(STRIP_BYTES // (4 * kinds * nx), 8, 64))
