"""Class averages on one grid that is tied to the mask of the classification and not to the pixel size."""

import numpy as np
from scipy import ndimage

SIZE = 64
RADIUS = 30.0
"""px of the common grid; the mask of the classification has this radius there."""


def prepare(image: np.ndarray, radius: float) -> np.ndarray:
    """(B, B) with the mask radius in px -> (64, 64) float64, the mask radius 30 px; smoothed first where the grid becomes coarser."""
    step = radius / RADIUS
    data = np.asarray(image, dtype=np.float64)
    if step > 1.0:
        data = ndimage.gaussian_filter(data, 0.5 * np.sqrt(step**2 - 1.0))
    axis = (np.arange(SIZE) - SIZE // 2) * step + image.shape[-1] // 2
    return np.asarray(ndimage.map_coordinates(data, np.meshgrid(axis, axis, indexing="ij"), order=3, mode="nearest"))


def disc_radius(images: np.ndarray) -> float:
    """Radius in px of the circle outside of which the images (K, B, B) are flat: where the mean squared deviation from the corners falls
    below a hundredth of its largest mean over a ring; half the box where they are not masked."""
    box = images.shape[-1]
    axis = np.arange(box) - box // 2
    r = np.rint(np.hypot(axis[:, None], axis)).astype(int)
    corner = images[:, 0, 0][:, None, None]
    power = (np.asarray(images, dtype=np.float64) - corner) ** 2
    scale = power.mean((1, 2), keepdims=True)
    rings = ndimage.mean((power / np.where(scale > 0, scale, 1.0)).mean(0), r, np.arange(box // 2 + 1))
    outside = np.flatnonzero(rings >= 0.01 * rings.max())
    return float(min(outside[-1] + 0.5, box / 2)) if len(outside) else box / 2
