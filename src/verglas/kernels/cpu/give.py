"""What images give to the sums of the M-step on the CPU; the definition is `kernels.reference.give`."""

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
def give(
    slices: np.ndarray, images: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], shifts: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], bounds: np.ndarray, shells: np.ndarray, turns: int, moves: int,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray], per_pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """images = a, b, x, c; pairs = image, start, shift, weight, order; overwrites sums = data, power, mass and per_pair = xa, aa, mass."""
    a, b, x, c = images
    image, start, shift, weight, order = pairs
    data, power, mass = sums
    xa, aa, pair_mass = per_pair
    pixels = b.shape[1]
    for r in prange(len(bounds) - 1):
        g = np.empty(2 * pixels, np.float32)
        for turn in range(turns):
            u = r * turns + turn
            data[u] = 0
            power[u] = 0
            mass[u] = 0
            for o in range(bounds[r], bounds[r + 1]):
                i = order[o]
                n = image[i]
                if turn == 0:
                    xa[i] = 0
                    aa[i] = 0
                    pair_mass[i] = 0
                at = (start[i] * turns + turn * (start[i + 1] - start[i])) * moves
                total = _shift_sum(shifts, shift, weight, start[i], start[i + 1], at, moves, g)
                if total == 0.0:
                    continue
                mass[u] += total
                pair_mass[i] += total
                for p in range(pixels):
                    gr, gi, xr, xi = g[2 * p], g[2 * p + 1], x[n, 2 * p], x[n, 2 * p + 1]
                    data[u, 2 * p] += gr * xr - gi * xi
                    data[u, 2 * p + 1] += gr * xi + gi * xr
                    power[u, p] += total * c[n, p]
                for s in range(len(shells) - 1):
                    x_sum, a_sum = np.float32(0.0), np.float32(0.0)
                    for p in range(shells[s], shells[s + 1]):
                        ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                        x_sum += (ar * sr + ai * si) * g[2 * p] + (ar * si - ai * sr) * g[2 * p + 1]
                        a_sum += b[n, p] * (sr * sr + si * si)
                    xa[i, s] += x_sum
                    aa[i, s] += a_sum * total
