"""A map turned and moved: V(R x + t) by cubic splines on a Fourier-upsampled grid."""

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from torch import Tensor

from verglas.core.resample import resize_map


def spline_coefficients(volume: Tensor) -> np.ndarray:
    """Cubic B-spline coefficients (2B, 2B, 2B) float32 of the map (B, B, B) on half the pixel, periodic."""
    fine = resize_map(volume, 2 * volume.shape[0]).numpy()
    return spline_filter(fine, order=3, output=np.float32, mode="grid-wrap")


def turned(coefficients: np.ndarray, rotation: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    """V(R x + t) on the voxels x (B, B, B) of the coarse map about voxel B // 2, one z plane at a time.

    t = `shift` (3,) in coarse voxels (x, y, z). 0 where R x + t is outside the box. The error is below 2e-3 of the signal
    in shells up to 3/4 of Nyquist.
    """
    box = len(coefficients) // 2
    at = np.arange(box) - box // 2
    y, x = np.meshgrid(at, at, indexing="ij")
    move = np.zeros((3, 1)) if shift is None else np.asarray(shift, dtype=np.float64).reshape(3, 1)
    out = np.empty((box, box * box), dtype=np.float32)
    for plane, z in enumerate(at):
        points = rotation @ np.stack((x, y, np.full_like(x, z))).reshape(3, -1) + move
        where = (2.0 * points + box)[::-1]
        out[plane] = map_coordinates(coefficients, where, order=3, prefilter=False, mode="grid-wrap")
        out[plane, np.abs(points).max(0) > box / 2] = 0.0
    return out.reshape(box, box, box)
