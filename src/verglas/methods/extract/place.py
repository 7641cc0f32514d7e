"""Where windows lie, and where particles are after recentring."""

import numpy as np
import torch

from verglas.core.rotations import euler_to_matrix
from verglas.types import Poses


def corners(xy: np.ndarray, box: int) -> np.ndarray:
    """floor(xy) - B/2: the first pixel (x, y) of each window, (N, 2) int64; pixel B/2 of the window is pixel floor(xy) of the micrograph.

    The fraction of a picked coordinate is not carried anywhere, as in RELION; `recentred` keeps it where it means something.
    """
    return np.floor(xy).astype(np.int64) - box // 2


def closest_edge(xy: np.ndarray, box: int, shape: tuple[int, int]) -> np.ndarray:
    """(N,) pixels between each window and the nearest edge of a micrograph (ny, nx); negative: so many pixels stick out."""
    first = corners(xy, box)
    last = np.array(shape[::-1]) - (first + box)
    return np.minimum(first, last).min(axis=1)


def touches(xy: np.ndarray, box: int, shape: tuple[int, int]) -> np.ndarray:
    """(N,) whether a window holds at least one pixel of a micrograph (ny, nx)."""
    first = corners(xy, box)
    return np.all((first + box > 0) & (first < np.array(shape[::-1])), axis=1)


def recentred(xy: np.ndarray, poses: Poses, pixel_size: float | np.ndarray, point: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(xy (N, 2) px, origin (N, 2) Å) of windows around `point` (Å from the centre of the reference), for micrograph pixels of a Å.

    d = (origin - (A point)_xy) / a,  xy' = xy - round(d),  origin' = (d - round(d)) a: the place of the point in the micrograph,
    xy - d, stays; only whole pixels move the window.
    """
    pixels = np.broadcast_to(np.asarray(pixel_size, dtype=np.float64), len(xy))[:, None]
    projected = (euler_to_matrix(torch.from_numpy(poses.angles)) @ torch.tensor(point, dtype=torch.float64)).numpy()[:, :2]
    off = (poses.origin - projected) / pixels
    whole = np.floor(off + 0.5)
    return xy - whole, (off - whole) * pixels
