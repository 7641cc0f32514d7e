"""What an image gives to the sums of the M-step on the CPU; the definitions are in `kernels.reference.give`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def backproject(
    x: np.ndarray, b: np.ndarray, shifts: np.ndarray, image: np.ndarray, start: np.ndarray, shift: np.ndarray, weight: np.ndarray,
    order: np.ndarray, bounds: np.ndarray, data: np.ndarray, power: np.ndarray,
) -> None:
    """x (N, 2P), b (N, P), shifts (T, 2P); pairs order[bounds[u]:bounds[u+1]] belong to slice u -> data (U, 2P), power (U, P), overwritten."""
    pixels = b.shape[1]
    for u in prange(len(bounds) - 1):
        g = np.empty(2 * pixels, np.float32)
        data[u] = 0
        power[u] = 0
        for o in range(bounds[u], bounds[u + 1]):
            i = order[o]
            n = image[i]
            g[:] = 0
            total = np.float32(0.0)
            for j in range(start[i], start[i + 1]):
                w = weight[j]
                total += w
                h = shifts[shift[j]]
                for p in range(2 * pixels):
                    g[p] += w * h[p]
            for p in range(pixels):
                gr, gi, xr, xi = g[2 * p], g[2 * p + 1], x[n, 2 * p], x[n, 2 * p + 1]
                data[u, 2 * p] += gr * xr - gi * xi
                data[u, 2 * p + 1] += gr * xi + gi * xr
                power[u, p] += total * b[n, p]


@njit(parallel=True, fastmath=True, cache=True)
def cross(
    slices: np.ndarray, a: np.ndarray, b: np.ndarray, shifts: np.ndarray, cut: np.ndarray, start: np.ndarray, shift: np.ndarray,
    weight: np.ndarray, rows: np.ndarray, shells: np.ndarray, xa: np.ndarray, aa: np.ndarray,
) -> None:
    """Pairs rows[n]:rows[n+1] belong to image n; pixels shells[s]:shells[s+1] to shell s -> xa (N, S), aa (N, S), overwritten."""
    pixels = b.shape[1]
    for n in prange(len(rows) - 1):
        g = np.empty(2 * pixels, np.float32)
        xa[n] = 0
        aa[n] = 0
        for i in range(rows[n], rows[n + 1]):
            u = cut[i]
            g[:] = 0
            total = np.float32(0.0)
            for j in range(start[i], start[i + 1]):
                w = weight[j]
                total += w
                h = shifts[shift[j]]
                for p in range(2 * pixels):
                    g[p] += w * h[p]
            for s in range(len(shells) - 1):
                x_sum, a_sum = np.float32(0.0), np.float32(0.0)
                for p in range(shells[s], shells[s + 1]):
                    ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                    x_sum += (ar * sr + ai * si) * g[2 * p] + (ar * si - ai * sr) * g[2 * p + 1]
                    a_sum += b[n, p] * (sr * sr + si * si)
                xa[n, s] += x_sum
                aa[n, s] += a_sum * total
