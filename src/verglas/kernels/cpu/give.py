"""What images give to the sums of the M-step on the CPU; the definition is `kernels.reference.give`."""

import numpy as np
from numba import njit, prange


@njit(fastmath=True, cache=True)
def _shift_sums(shifts: np.ndarray, shift: np.ndarray, weight: np.ndarray, moves: int, g: np.ndarray, total: np.ndarray) -> None:
    """g[c] = sum over the listed shifts and their children of weight x phases, total[c] the sum of the weights; weight (c L m,) of one pair."""
    listed = len(shift)
    total[:] = 0
    g[:] = 0
    for j in range(listed):
        for c in range(len(total)):
            at = (c * listed + j) * moves
            four = moves - moves % 4
            for f in range(0, four, 4):  # g is loaded and stored once for four child shifts
                w0, w1, w2, w3 = weight[at + f], weight[at + f + 1], weight[at + f + 2], weight[at + f + 3]
                some = w0 + w1 + w2 + w3
                if some == 0.0:
                    continue
                row = shift[j] * moves + f
                h0, h1, h2, h3 = shifts[row], shifts[row + 1], shifts[row + 2], shifts[row + 3]
                for p in range(g.shape[1]):
                    g[c, p] += w0 * h0[p] + w1 * h1[p] + w2 * h2[p] + w3 * h3[p]
                total[c] += some
            for f in range(four, moves):
                w = weight[at + f]
                if w != 0.0:
                    h = shifts[shift[j] * moves + f]
                    for p in range(g.shape[1]):
                        g[c, p] += w * h[p]
                    total[c] += w


@njit(parallel=True, fastmath=True, cache=True)
def give(
    slices: np.ndarray, images: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], shifts: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], bounds: np.ndarray, shells: np.ndarray, turns: int, moves: int,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray], per_pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """images = a, b, x, c; pairs = image, start, shift, weight, order; overwrites sums = data, power, mass and per_pair = xa, aa, mass."""
    a, b, x, ctf2 = images
    image, start, shift, weight, order = pairs
    data, power, mass = sums
    xa, aa, pair_mass = per_pair
    pixels = b.shape[1]
    for r in prange(len(bounds) - 1):
        g, total = np.empty((turns, 2 * pixels), np.float32), np.empty(turns, np.float32)
        data[r * turns : (r + 1) * turns] = 0
        power[r * turns : (r + 1) * turns] = 0
        mass[r * turns : (r + 1) * turns] = 0
        for o in range(bounds[r], bounds[r + 1]):
            i = order[o]
            n = image[i]
            xa[i] = 0
            aa[i] = 0
            pair_mass[i] = 0
            fan = turns * moves
            _shift_sums(shifts, shift[start[i] : start[i + 1]], weight[start[i] * fan : start[i + 1] * fan], moves, g, total)
            for c in range(turns):
                if total[c] == 0.0:
                    continue
                u = r * turns + c
                mass[u] += total[c]
                pair_mass[i] += total[c]
                for p in range(pixels):
                    gr, gi, xr, xi = g[c, 2 * p], g[c, 2 * p + 1], x[n, 2 * p], x[n, 2 * p + 1]
                    data[u, 2 * p] += gr * xr - gi * xi
                    data[u, 2 * p + 1] += gr * xi + gi * xr
                    power[u, p] += total[c] * ctf2[n, p]
                for s in range(len(shells) - 1):
                    x_sum, a_sum = np.float32(0.0), np.float32(0.0)
                    for p in range(shells[s], shells[s + 1]):
                        ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                        x_sum += (ar * sr + ai * si) * g[c, 2 * p] + (ar * si - ai * sr) * g[c, 2 * p + 1]
                        a_sum += b[n, p] * (sr * sr + si * si)
                    xa[i, s] += x_sum
                    aa[i, s] += a_sum * total[c]
