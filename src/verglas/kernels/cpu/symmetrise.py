"""Point-group sums of a Fourier volume on the CPU; the definition is `kernels.reference.symmetrise`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def symmetrise(data: np.ndarray, weight: np.ndarray, operators: np.ndarray, radius: float, data_out: np.ndarray, weight_out: np.ndarray) -> None:
    """data (D, D, H, 2), weight (D, D, H), operators (S, 3, 3) float32 -> sums over operators of the trilinear values at R k, |k| <= radius."""
    one, zero = np.float32(1.0), np.float32(0.0)
    c = data.shape[0] // 2
    centre = np.float32(c)
    r2 = np.float32(radius * radius)
    for iz in prange(data.shape[0]):
        for iy in range(data.shape[1]):
            for ix in range(data.shape[2]):
                kx, ky, kz = np.float32(ix), np.float32(iy - c), np.float32(iz - c)
                if kx * kx + ky * ky + kz * kz > r2:
                    continue
                re, im, total = zero, zero, zero
                for s in range(operators.shape[0]):
                    m = operators[s]
                    x = m[0, 0] * kx + m[0, 1] * ky + m[0, 2] * kz
                    y = m[1, 0] * kx + m[1, 1] * ky + m[1, 2] * kz
                    z = m[2, 0] * kx + m[2, 1] * ky + m[2, 2] * kz
                    flip = one if x >= zero else -one
                    x, y, z = x * flip, y * flip + centre, z * flip + centre
                    jx, jy, jz = np.int32(x), np.int32(y), np.int32(z)
                    fx, fy, fz = x - np.float32(jx), y - np.float32(jy), z - np.float32(jz)
                    for dz in range(2):
                        wz = fz if dz == 1 else one - fz
                        for dy in range(2):
                            wy = wz * (fy if dy == 1 else one - fy)
                            for dx in range(2):
                                u = wy * (fx if dx == 1 else one - fx)
                                re += u * data[jz + dz, jy + dy, jx + dx, 0]
                                im += u * flip * data[jz + dz, jy + dy, jx + dx, 1]
                                total += u * weight[jz + dz, jy + dy, jx + dx]
                data_out[iz, iy, ix, 0] = re
                data_out[iz, iy, ix, 1] = im
                weight_out[iz, iy, ix] = total
