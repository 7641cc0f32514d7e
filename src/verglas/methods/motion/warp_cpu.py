"""The weighted sums of moved frames on the CPU: one pass over the frames, a strip of output rows at a time, no frame kept as float."""

import numpy as np
import torch
from numba import njit

from verglas.runtime.strips import strips

CELL = 16
"""Pixels along x and y that share one set of interpolation weights; the local shift changes by less than 0.02 px over so many."""
STRIP_BYTES = 1 << 20
PARTS = 1024
"""Of a pixel: the weights are taken from a table."""


def spline_table() -> np.ndarray:
    """(PARTS + 1, 6) float32: quintic B-spline at the distances -2 - t, -1 - t, ... 3 - t, for t = 0, 1 / PARTS, ... 1."""
    a = abs(np.arange(-2.0, 4.0) - np.arange(PARTS + 1)[:, None] / PARTS)
    inner = 66 + a**2 * (-60 + a**2 * (30 - 10 * a))
    middle = 51 + a * (75 + a * (-210 + a * (150 + a * (-45 + 5 * a))))
    return (np.where(a < 1, inner, np.where(a < 2, middle, (3 - a).clip(0) ** 5)) / 120).astype(np.float32)


TABLE = spline_table()


def warped_sums(
    raw: np.ndarray, gain: np.ndarray, mend: tuple[np.ndarray, np.ndarray], shift: np.ndarray, weights: np.ndarray, reach: int
) -> np.ndarray:
    """out[r, y, x] = sum_i weights[r, i] sum_j b(p - j) frame_i[j], p = (x, y) - s_i(x, y), b the quintic B-spline (not prefiltered).

    raw (F, ny, nx); mend: (H,) ascending flat indices of pixels and values (F, H) that replace them; shift (F, 2, 6) over 1, u, u², v, v², uv;
    weights (R, F) -> (R, ny, nx) float32. Frames are periodic. max |shift| + 4 <= reach, whole px.
    """
    _, ny, nx = raw.shape
    out = torch.empty(len(weights), ny, nx).numpy()  # at an address that suits transforms: they round differently at others
    kinds = max(1, int((weights != 0).sum(0).max()))
    rows = int(np.clip(STRIP_BYTES // (4 * kinds * nx) // CELL * CELL, 2 * CELL, 4 * CELL))  # whose sums stay in the cache of a core
    strips(_warp, -(-ny // rows), raw, gain, *mend, shift, weights, out, rows, min(reach, nx), TABLE)
    return out


@njit(inline="always")
def _poly(c, u, v):  # type: ignore[no-untyped-def]
    """c (6,) over 1, u, u², v, v², uv."""
    return c[0] + u * (c[1] + u * c[2] + v * c[5]) + v * (c[3] + v * c[4])


@njit(nogil=True, fastmath=True, cache=True)
def _cells(c, along, y, shape, table, w, runs):  # type: ignore[no-untyped-def]
    """Weights w (6 nx,) of a row of cells in the middle of which is row y, for the shift c[axis]; runs (:, 3): (x0, x1, floor of -shift).

    axis 0: at output columns. axis 1: at input columns, which go to output columns moved by the shift in x.
    """
    ny, nx = shape
    v = np.float32(y) / np.float32(ny) - np.float32(0.5)
    count = 0
    for x0 in range(0, nx, CELL):
        x1 = min(x0 + CELL, nx)
        u = np.float32(0.5) * np.float32(x0 + x1 - 1) / np.float32(nx) - np.float32(0.5)
        if along == 1:
            u += _poly(c[0], u, v) / np.float32(nx)
        d = -_poly(c[along], u, v)
        whole = int(np.floor(d))
        part = table[int((d - np.float32(whole)) * np.float32(PARTS) + np.float32(0.5))]
        for j in range(6):
            one = part[j]
            for x in range(x0, x1):
                w[j * nx + x] = one
        if count and runs[count - 1, 2] == whole:
            runs[count - 1, 1] = x1
        else:
            runs[count, 0], runs[count, 1], runs[count, 2] = x0, x1, whole
            count += 1
    return count


@njit(nogil=True, fastmath=True, cache=True)
def _six(to, at, w, x0, across, source, start, step, n):  # type: ignore[no-untyped-def]
    """to[at + x] = sum_j w[j across + x0 + x] source[start + j step + x] for x < n, all flat. Places as unsigned numbers, which cannot be from
    the end, and short loops over few arrays: the compiler makes vectors of these only."""
    a, b, c = start, start + step, start + step + step
    d, e, f = c + step, c + step + step, c + step + step + step
    wa, wb, wc = x0, x0 + across, x0 + across + across
    wd, we, wf = wc + across, wc + across + across, wc + across + across + across
    for x in range(n):
        to[at + x] = w[wa + x] * source[a + x] + w[wb + x] * source[b + x] + w[wc + x] * source[c + x]
    for x in range(n):
        to[at + x] += w[wd + x] * source[d + x] + w[we + x] * source[e + x] + w[wf + x] * source[f + x]


@njit(nogil=True, fastmath=True, cache=True)
def _warp(raw, gain, bad, values, shift, weights, out, rows, reach, table, begin, stop):  # type: ignore[no-untyped-def]
    """Strips `begin` to `stop` of `rows` rows of `warped_sums`."""
    count, ny, nx = raw.shape
    band, held, across = np.empty((rows + 12) * nx, np.float32), rows + 12, np.uintp(nx)
    middle = np.empty(nx + 2 * reach, np.float32)
    line = np.empty(nx, np.float32)
    wx, wy = np.empty(6 * nx, np.float32), np.empty(6 * nx, np.float32)
    run_x, run_y = np.empty((nx // CELL + 1, 3), np.int64), np.empty((nx // CELL + 1, 3), np.int64)
    for strip in range(begin, stop):
        top = strip * rows
        end = min(top + rows, ny)
        out[:, top:end, :] = 0.0
        for i in range(count):
            needed = False
            for r in range(len(weights)):
                needed = needed or weights[r, i] != 0.0
            if not needed:
                continue
            c = shift[i]
            low, high = np.float32(1e9), np.float32(-1e9)
            for y in (top, end - 1):
                v = np.float32(y) / np.float32(ny) - np.float32(0.5)
                for k in range(33):
                    s = _poly(c[1], np.float32(k) / np.float32(32.0) - np.float32(0.5), v)
                    low, high = min(low, s), max(high, s)
            first = int(np.floor(top - high)) - 4
            last = int(np.floor(end - 1 - low)) + 5
            if last - first + 1 > held:
                held = last - first + 1
                band = np.empty(held * nx, np.float32)
            for k in range(last - first + 1):
                y = (first + k) % ny
                source, factor, into = raw[i, y], gain[y], band[k * nx:(k + 1) * nx]
                for x in range(nx):
                    into[x] = np.float32(source[x]) * factor[x]
                j = np.searchsorted(bad, y * nx)
                while j < len(bad) and bad[j] < (y + 1) * nx:
                    into[bad[j] - y * nx] = values[i, j]
                    j += 1
            for y0 in range(top, end, CELL):
                y1 = min(y0 + CELL, end)
                centre = 0.5 * (y0 + y1 - 1)
                count_y = _cells(c, 1, centre, (ny, nx), table, wy, run_y)
                count_x = _cells(c, 0, centre, (ny, nx), table, wx, run_x)
                for y in range(y0, y1):
                    for n in range(count_y):
                        x0, x1, k = run_y[n, 0], run_y[n, 1], min(max(y + run_y[n, 2] - 2 - first, 0), held - 6)
                        _six(middle, np.uintp(reach + x0), wy, np.uintp(x0), across, band, np.uintp(k * nx + x0), across, np.uintp(x1 - x0))
                    for x in range(reach):
                        middle[x] = middle[nx + x]
                        middle[reach + nx + x] = middle[reach + x]
                    for n in range(count_x):
                        x0, x1, k = run_x[n, 0], run_x[n, 1], reach + run_x[n, 2] - 2
                        _six(line, np.uintp(x0), wx, np.uintp(x0), across, middle, np.uintp(k + x0), np.uintp(1), np.uintp(x1 - x0))
                    for r in range(len(weights)):
                        a = weights[r, i]
                        if a != 0.0:
                            row = out[r, y]
                            for x in range(nx):
                                row[x] += a * line[x]


def cell_gradients(moved: np.ndarray, total: np.ndarray, slope_x: np.ndarray, slope_y: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(2, P): mean over the cells of a grid (rows, columns) of 1/2 (m grad r - r grad m) for m = moved, r = total, both (my, mx) and periodic;
    grad r = (slope_x, slope_y); grad m by the differences of `filter.slope`."""
    out = np.zeros((2, grid[0] * grid[1]))
    strips(_cell_gradients, grid[0], moved, total, slope_x, slope_y, *grid, out)
    return out


@njit(nogil=True, fastmath=True, cache=True)
def _cell_gradients(moved, total, slope_x, slope_y, rows, columns, out, begin, stop):  # type: ignore[no-untyped-def]
    """Rows `begin` to `stop` of the cells of `cell_gradients`."""
    my, mx = moved.shape
    for j in range(begin, stop):
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
