"""Insertion of slices into a Fourier volume on the CPU; the definition is `kernels.reference.insert`.

Every voxel is owned by one thread (blocks of 4 z-planes in turn), which adds to it in the order of the slices, so that
the sums do not depend on the number of threads and no atomic operation is needed.
"""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def add(data: np.ndarray, weight: np.ndarray, values: np.ndarray, weights: np.ndarray, axes: np.ndarray, k: np.ndarray, lanes: int) -> None:
    """data (D, D, H, 2), weight (D, D, H) += values (R, 2P), weights (R, P) at axes (R, 2, 3) x k (P, 2); all float32."""
    one, zero = np.float32(1.0), np.float32(0.0)
    c = np.float32(data.shape[0] // 2)
    limit = (c - np.float32(1.5)) ** 2
    for lane in prange(lanes):
        for r in range(axes.shape[0]):
            ux, uy, uz = axes[r, 0, 0], axes[r, 0, 1], axes[r, 0, 2]
            vx, vy, vz = axes[r, 1, 0], axes[r, 1, 1], axes[r, 1, 2]
            for p in range(k.shape[0]):
                kx, ky = k[p, 0], k[p, 1]
                x, z = ux * kx + vx * ky, uz * kx + vz * ky
                flip = one if x >= zero else -one
                z = z * flip + c
                iz = np.int32(z)
                low, high = (iz >> 2) % lanes == lane, ((iz + 1) >> 2) % lanes == lane
                if not (low or high):
                    continue
                y = uy * kx + vy * ky
                w = weights[r, p]
                if w == zero or x * x + y * y + (z - c) ** 2 > limit:
                    continue
                x, y = x * flip, y * flip + c
                ix, iy = np.int32(x), np.int32(y)
                fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
                re, im = values[r, 2 * p], values[r, 2 * p + 1] * flip
                for dz in range(2):
                    if not (low if dz == 0 else high):
                        continue
                    wz = fz if dz == 1 else one - fz
                    for dy in range(2):
                        wy = wz * (fy if dy == 1 else one - fy)
                        for dx in range(2):
                            u = wy * (fx if dx == 1 else one - fx)
                            data[iz + dz, iy + dy, ix + dx, 0] += u * re
                            data[iz + dz, iy + dy, ix + dx, 1] += u * im
                            weight[iz + dz, iy + dy, ix + dx] += u * w
