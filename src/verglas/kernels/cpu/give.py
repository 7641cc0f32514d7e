"""What an image gives to the sums of the M-step on the CPU; the definitions are in `kernels.reference.give`."""

import numpy as np
from numba import njit, prange


@njit(fastmath=True, cache=True, inline="always")
def _shift_sum(shifts: np.ndarray, shift: np.ndarray, weight: np.ndarray, first: int, last: int, at: int, moves: int, g: np.ndarray) -> np.float32:
    """g = sum over the listed shifts and their children of weight x phases; returns the sum of the weights. g is left alone if that is 0."""
    total = np.float32(0.0)
    for j in range(first, last):
        for f in range(moves):
            w = weight[at]
            at += 1
            if w == 0.0:
                continue
            h = shifts[shift[j] * moves + f]
            if total == 0.0:
                for p in range(len(g)):
                    g[p] = w * h[p]
            else:
                for p in range(len(g)):
                    g[p] += w * h[p]
            total += w
    return total


@njit(parallel=True, fastmath=True, cache=True)
def backproject(
    x: np.ndarray, b: np.ndarray, shifts: np.ndarray, image: np.ndarray, start: np.ndarray, shift: np.ndarray, weight: np.ndarray,
    order: np.ndarray, bounds: np.ndarray, turns: int, moves: int, data: np.ndarray, power: np.ndarray, mass: np.ndarray,
) -> None:
    """Overwrites data (U c, 2P), power (U c, P), mass (U c,) with the sums over the pairs order[bounds[u]:bounds[u+1]] of rotation u."""
    pixels = b.shape[1]
    for row in prange(len(mass)):
        u, c = row // turns, row % turns
        g = np.empty(2 * pixels, np.float32)
        data[row] = 0
        power[row] = 0
        mass[row] = 0
        for o in range(bounds[u], bounds[u + 1]):
            i = order[o]
            n = image[i]
            at = (start[i] * turns + c * (start[i + 1] - start[i])) * moves
            total = _shift_sum(shifts, shift, weight, start[i], start[i + 1], at, moves, g)
            if total == 0.0:
                continue
            mass[row] += total
            for p in range(pixels):
                gr, gi, xr, xi = g[2 * p], g[2 * p + 1], x[n, 2 * p], x[n, 2 * p + 1]
                data[row, 2 * p] += gr * xr - gi * xi
                data[row, 2 * p + 1] += gr * xi + gi * xr
                power[row, p] += total * b[n, p]


@njit(parallel=True, fastmath=True, cache=True)
def cross(
    slices: np.ndarray, a: np.ndarray, b: np.ndarray, shifts: np.ndarray, cut: np.ndarray, start: np.ndarray, shift: np.ndarray,
    weight: np.ndarray, rows: np.ndarray, shells: np.ndarray, turns: int, moves: int, xa: np.ndarray, aa: np.ndarray, mass: np.ndarray,
) -> None:
    """Overwrites xa (N, S), aa (N, S) and mass (K,); pairs rows[n]:rows[n+1] belong to image n, pixels shells[s]:shells[s+1] to shell s."""
    pixels = b.shape[1]
    for n in prange(len(rows) - 1):
        g = np.empty(2 * pixels, np.float32)
        xa[n] = 0
        aa[n] = 0
        for i in range(rows[n], rows[n + 1]):
            mass[i] = 0
            for c in range(turns):
                at = (start[i] * turns + c * (start[i + 1] - start[i])) * moves
                total = _shift_sum(shifts, shift, weight, start[i], start[i + 1], at, moves, g)
                if total == 0.0:
                    continue
                mass[i] += total
                u = cut[i] * turns + c
                for s in range(len(shells) - 1):
                    x_sum, a_sum = np.float32(0.0), np.float32(0.0)
                    for p in range(shells[s], shells[s + 1]):
                        ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                        x_sum += (ar * sr + ai * si) * g[2 * p] + (ar * si - ai * sr) * g[2 * p + 1]
                        a_sum += b[n, p] * (sr * sr + si * si)
                    xa[n, s] += x_sum
                    aa[n, s] += a_sum * total
