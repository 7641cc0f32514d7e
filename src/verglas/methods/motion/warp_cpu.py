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
                source, factor, into = raw[i, y], gain[y], band[k]
                for x in range(nx):
                    into[x] = np.float32(source[x]) * factor[x]
                j = np.searchsorted(bad, y * nx)
                while j < len(bad) and bad[j] < (y + 1) * nx:
                    into[bad[j] - y * nx] = values[i, j]
                    j += 1
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
                    to = middle[reach + x0:reach + x1]
                    c0, c1, c2, c3, c4, c5 = b0[x0:x1], b1[x0:x1], b2[x0:x1], b3[x0:x1], b4[x0:x1], b5[x0:x1]
                    for x in range(len(to)):
                        to[x] = w0 * c0[x] + w1 * c1[x] + w2 * c2[x] + w3 * c3[x] + w4 * c4[x] + w5 * c5[x]
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
                    at = reach + whole - 2 + x0
                    n = x1 - x0
                    to = line[x0:x1]
                    c0, c1, c2 = middle[at:at + n], middle[at + 1:at + 1 + n], middle[at + 2:at + 2 + n]
                    c3, c4, c5 = middle[at + 3:at + 3 + n], middle[at + 4:at + 4 + n], middle[at + 5:at + 5 + n]
                    for x in range(n):
                        to[x] = w0 * c0[x] + w1 * c1[x] + w2 * c2[x] + w3 * c3[x] + w4 * c4[x] + w5 * c5[x]
                for r in range(kinds):
                    a = weights[r, i]
                    if a != 0.0:
                        row = out[r, y]
                        for x in range(nx):
                            row[x] += a * line[x]


@njit(parallel=True, nogil=True, fastmath=True, cache=True)
def cell_gradients(moved, total, slope_x, slope_y, rows, columns):  # type: ignore[no-untyped-def]
    """(2, P): mean over the cells of a grid rows x columns of 1/2 (m grad r - r grad m) for m = moved, r = total, both (my, mx) and periodic;
    grad r = (slope_x, slope_y); grad m by the differences of `filter.slope`."""
    my, mx = moved.shape
    out = np.zeros((2, rows * columns))
    for j in prange(rows):
        top, end = j * my // rows, (j + 1) * my // rows
        along, across = np.zeros(mx, np.float32), np.zeros(mx, np.float32)
        padded = np.empty(mx + 6, np.float32)
        for y in range(top, end):
            m, r, gx, gy = moved[y], total[y], slope_x[y], slope_y[y]
            padded[:3], padded[3:mx + 3], padded[mx + 3:] = m[mx - 3:], m, m[:3]
            a, b, c = np.float32(0.75), np.float32(-0.15), np.float32(1.0 / 60.0)
            for x in range(mx):  # short loops over few arrays: the compiler makes vectors of these, not of one long loop
                steep = a * (padded[x + 4] - padded[x + 2]) + b * (padded[x + 5] - padded[x + 1]) + c * (padded[x + 6] - padded[x])
                along[x] += m[x] * gx[x] - r[x] * steep
            for x in range(mx):
                across[x] += m[x] * gy[x]
            for reach, weight in ((1, a), (2, b), (3, c)):
                above, below = moved[(y + reach) % my], moved[(y - reach) % my]
                for x in range(mx):
                    across[x] -= weight * r[x] * (above[x] - below[x])
        for i in range(columns):
            left, right = i * mx // columns, (i + 1) * mx // columns
            scale = 0.5 / ((end - top) * (right - left))
            out[0, j * columns + i] = along[left:right].sum() * scale
            out[1, j * columns + i] = across[left:right].sum() * scale
    return out


def strip_rows(kinds: int, nx: int) -> int:
    """Rows of a strip whose sums stay in the cache of a core."""
    return int(np.clip(STRIP_BYTES // (4 * kinds * nx), 8, 64))
