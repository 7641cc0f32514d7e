"""Ice, gold, carbon edges: what is so much darker or brighter than the particles that it cannot be particles."""

import numpy as np
from scipy import ndimage

from verglas.methods.picking.field import Field

TIMES = 2.5
"""Two particles on top of each other, and some."""
RIM, LUMP = (4.5, 2.5), (8.0, 0.4)
"""Standard deviations deep, diameters long: rims of carbon, grid bars and large ice; and lumps, which strong particles could be too."""


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
    return _filled(field, large[strange], size)


def outstanding(field: Field, diameter: float, limits: tuple[float, float]) -> np.ndarray:
    """(rows, columns) bool: connected places where `depth` is beyond limits[0] of its robust standard deviations and that stretch over limits[1]
    diameters, known before any particle is; widened by diameter / 5, with what they enclose if it is less than (4 diameters)^2."""
    (steep, long), height, size = limits, np.abs(field.depth), diameter / field.pixel
    found, count = ndimage.label(height > steep * 1.4826 * float(np.median(height)), np.ones((3, 3)))
    spans = [max(part.stop - part.start for part in one) for one in ndimage.find_objects(found, count)]
    large = np.array([False, *(span >= long * size for span in spans)])
    return _filled(field, large[found], size)


def _filled(field: Field, large: np.ndarray, size: float) -> np.ndarray:
    """(rows, columns) bool widened by size / 5 px, with what is not valid and what these enclose if that is less than (4 size)^2."""
    wide = ~field.valid.numpy()[: field.size[0], : field.size[1]]
    if large.any():
        wide |= ndimage.distance_transform_edt(~large) <= size / 5
    parts, count = ndimage.label(~wide)
    small = np.bincount(parts.ravel(), minlength=count + 1) < (4 * size) ** 2
    small[0] = True
    return np.asarray(small[parts])
