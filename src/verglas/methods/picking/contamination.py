"""Ice, gold, carbon edges: what is so much darker or brighter than the particles that it cannot be particles."""

import numpy as np
from scipy import ndimage

from verglas.methods.picking.field import Field

TIMES = 2.5
"""Two particles on top of each other, and some."""


def contamination(field: Field, xy: np.ndarray, diameter: float) -> np.ndarray:
    """(rows, columns) bool: larger than (diameter / 5)^2 and deeper or brighter than TIMES what particles at xy (N, 2) px reach; widened by
    diameter / 5. The smoothed picture `depth` is compared, with its excursions within a third of a diameter of each particle."""
    size = diameter / field.pixel
    height = np.abs(field.depth)
    reached = ndimage.maximum_filter(height, max(3, int(size * 2 / 3)))
    y, x = np.rint(xy[:, ::-1]).astype(int).clip(0, np.array(height.shape) - 1).T
    strange, count = ndimage.label(height > TIMES * float(np.median(reached[y, x])))
    area = np.bincount(strange.ravel(), minlength=count + 1)
    large = area >= (size / 5) ** 2
    large[0] = False
    wide: np.ndarray = ndimage.distance_transform_edt(~large[strange]) <= size / 5
    return wide & bool(large.any())
