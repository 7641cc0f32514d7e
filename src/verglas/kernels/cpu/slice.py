"""Central slices of a Fourier volume on the CPU; the definition is `kernels.reference.slice`.

Neighbouring rotations read neighbouring voxels: tiles of slices x pixels keep them in the cache.
"""

import numpy as np
from numba import njit, prange

SLICES, PIXELS = 32, 256
"""Size of a tile."""


@njit(fastmath=True, cache=True)
def _tile(volume: np.ndarray, axes: np.ndarray, k: np.ndarray, rows: tuple[int, int], pixels: tuple[int, int], out: np.ndarray) -> None:
    """Fill out[rows, pixels]."""
    one = np.float32(1.0)
    c = np.float32(volume.shape[0] // 2)
    limit = (c - np.float32(1.5)) ** 2
    sy, sz = np.int64(volume.shape[2] * 2), np.int64(volume.shape[1] * volume.shape[2] * 2)
    flat = volume.reshape(-1)
    t = np.empty(4, np.float32)  # real and imaginary parts at x and x + 1: loaded and summed as one vector
    for r in range(rows[0], rows[1]):
        ux, uy, uz = axes[r, 0, 0], axes[r, 0, 1], axes[r, 0, 2]
        vx, vy, vz = axes[r, 1, 0], axes[r, 1, 1], axes[r, 1, 2]
        for p in range(pixels[0], pixels[1]):
            kx, ky = k[p, 0], k[p, 1]
            x, y, z = ux * kx + vx * ky, uy * kx + vy * ky, uz * kx + vz * ky
            inside = one if x * x + y * y + z * z <= limit else np.float32(0.0)
            friedel = one if x >= np.float32(0.0) else -one
            flip = friedel * inside
            x, y, z = x * flip, y * flip + c, z * flip + c
            ix, iy, iz = np.int32(x), np.int32(y), np.int32(z)
            fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
            gy, gz = one - fy, one - fz
            i = np.int64(iz) * sz + np.int64(iy) * sy + np.int64(ix) * 2
            a, b, d, e = gz * gy, gz * fy, fz * gy, fz * fy
            for q in range(4):
                t[q] = a * flat[i + q] + b * flat[i + sy + q] + d * flat[i + sz + q] + e * flat[i + sz + sy + q]
            out[r, 2 * p] = inside * (t[0] + fx * (t[2] - t[0]))
            out[r, 2 * p + 1] = flip * (t[1] + fx * (t[3] - t[1]))


@njit(parallel=True, fastmath=True, cache=True)
def cut(volume: np.ndarray, axes: np.ndarray, k: np.ndarray, out: np.ndarray) -> None:
    """volume (D, D, H, 2) float32, axes (R, 2, 3), k (P, 2) -> out (R, 2P), real and imaginary parts interleaved."""
    count, most = axes.shape[0], k.shape[0]
    for t in prange((count + SLICES - 1) // SLICES):
        rows = (t * SLICES, min(count, (t + 1) * SLICES))
        for p in range(0, most, PIXELS):
            _tile(volume, axes, k, rows, (p, min(most, p + PIXELS)), out)
