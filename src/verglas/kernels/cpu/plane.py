"""Rotated copies of a 2D transform and their transpose on the CPU; the definition is `kernels.reference.plane`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def cut(volume: np.ndarray, axes: np.ndarray, k: np.ndarray, out: np.ndarray) -> None:
    """volume (1, D, H, 2) float32, axes (R, 2, 3), k (P, 2) -> out (R, 2P)."""
    one = np.float32(1.0)
    c = np.float32(volume.shape[1] // 2)
    limit = (c - np.float32(1.5)) ** 2
    plane = volume[0]
    for r in prange(axes.shape[0]):
        ux, uy, vx, vy = axes[r, 0, 0], axes[r, 0, 1], axes[r, 1, 0], axes[r, 1, 1]
        for p in range(k.shape[0]):
            x, y = ux * k[p, 0] + vx * k[p, 1], uy * k[p, 0] + vy * k[p, 1]
            inside = one if x * x + y * y <= limit else np.float32(0.0)
            flip = (one if x >= np.float32(0.0) else -one) * inside
            x, y = x * flip, y * flip + c
            ix, iy = np.int32(x), np.int32(y)
            fx, fy = x - np.float32(ix), y - np.float32(iy)
            for part in range(2):
                low = plane[iy, ix, part] + fx * (plane[iy, ix + 1, part] - plane[iy, ix, part])
                high = plane[iy + 1, ix, part] + fx * (plane[iy + 1, ix + 1, part] - plane[iy + 1, ix, part])
                out[r, 2 * p + part] = (low + fy * (high - low)) * (inside if part == 0 else flip)


@njit(fastmath=True, cache=True)
def add(data: np.ndarray, weight: np.ndarray, values: np.ndarray, weights: np.ndarray, axes: np.ndarray, k: np.ndarray) -> None:
    """data (1, D, H, 2), weight (1, D, H) += values (R, 2P), weights (R, P) at axes (R, 2, 3) x k (P, 2); all float32."""
    one, zero = np.float32(1.0), np.float32(0.0)
    c = np.float32(data.shape[1] // 2)
    limit = (c - np.float32(1.5)) ** 2
    for r in range(axes.shape[0]):
        ux, uy, vx, vy = axes[r, 0, 0], axes[r, 0, 1], axes[r, 1, 0], axes[r, 1, 1]
        for p in range(k.shape[0]):
            w = weights[r, p]
            x, y = ux * k[p, 0] + vx * k[p, 1], uy * k[p, 0] + vy * k[p, 1]
            if w == zero or x * x + y * y > limit:
                continue
            flip = one if x >= zero else -one
            x, y = x * flip, y * flip + c
            ix, iy = np.int32(x), np.int32(y)
            fx, fy = x - np.float32(ix), y - np.float32(iy)
            re, im = values[r, 2 * p], values[r, 2 * p + 1] * flip
            for dy in range(2):
                wy = fy if dy == 1 else one - fy
                for dx in range(2):
                    u = wy * (fx if dx == 1 else one - fx)
                    data[0, iy + dy, ix + dx, 0] += u * re
                    data[0, iy + dy, ix + dx, 1] += u * im
                    weight[0, iy + dy, ix + dx] += u * w
