"""Central slices of a Fourier volume on the CPU; the definition is `kernels.reference.slice`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def cut(volume: np.ndarray, axes: np.ndarray, k: np.ndarray, out: np.ndarray) -> None:
    """volume (D, D, H, 2) float32, axes (R, 2, 3), k (P, 2) -> out (R, 2P), real and imaginary parts interleaved."""
    one, zero = np.float32(1.0), np.float32(0.0)
    c = np.float32(volume.shape[0] // 2)
    limit = (c - np.float32(1.5)) ** 2
    sy, sz = np.int64(volume.shape[2] * 2), np.int64(volume.shape[1] * volume.shape[2] * 2)
    flat = volume.reshape(-1)
    for r in prange(axes.shape[0]):
        ux, uy, uz = axes[r, 0, 0], axes[r, 0, 1], axes[r, 0, 2]
        vx, vy, vz = axes[r, 1, 0], axes[r, 1, 1], axes[r, 1, 2]
        for p in range(k.shape[0]):
            kx, ky = k[p, 0], k[p, 1]
            x, y, z = ux * kx + vx * ky, uy * kx + vy * ky, uz * kx + vz * ky
            inside = one if x * x + y * y + z * z <= limit else zero
            friedel = one if x >= zero else -one
            flip = friedel * inside
            x, y, z = x * flip, y * flip + c, z * flip + c
            ix, iy, iz = np.int32(x), np.int32(y), np.int32(z)
            fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
            gx, gy, gz = one - fx, one - fy, one - fz
            i = np.int64(iz) * sz + np.int64(iy) * sy + np.int64(ix) * 2
            j = i + sy
            a, b = gz * gy, gz * fy
            re = a * (gx * flat[i] + fx * flat[i + 2]) + b * (gx * flat[j] + fx * flat[j + 2])
            im = a * (gx * flat[i + 1] + fx * flat[i + 3]) + b * (gx * flat[j + 1] + fx * flat[j + 3])
            i += sz
            j += sz
            a, b = fz * gy, fz * fy
            re += a * (gx * flat[i] + fx * flat[i + 2]) + b * (gx * flat[j] + fx * flat[j + 2])
            im += a * (gx * flat[i + 1] + fx * flat[i + 3]) + b * (gx * flat[j + 1] + fx * flat[j + 3])
            out[r, 2 * p] = inside * re
            out[r, 2 * p + 1] = flip * im
