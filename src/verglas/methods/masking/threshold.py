"""From which density on a voxel belongs to the particle, found from the map alone."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from verglas.core.mask import distance_from_centre, extend

GENEROSITY = 0.6
"""Share of the way from the background to the between-class threshold: a mask errs on the wide side."""
NOISE_SIGMAS = 3.0
"""The threshold stays at least this many standard deviations above the background."""
CLEARANCE = 0.06
"""Background = at least this share of the box away from the particle ..."""
RIM = 0.85
"""... or, if noise leaves less than a tenth of the sphere, what is beyond this share of its radius."""
COMPANION = 0.1
"""Parts at least this large, as a share of the largest part, are kept with it."""


@dataclass(frozen=True)
class Threshold:
    """value: the threshold; otsu: where the classes separate best; background, noise: mean and sd of the solvent."""

    value: float
    otsu: float
    background: float
    noise: float


def auto_threshold(density: np.ndarray) -> Threshold:
    """Threshold of a low-passed map (B, B, B) with a bright particle, from voxels in the inscribed sphere.

    t = the value that separates particle and solvent best (Otsu 1979); background and noise = robust mean and sd of
    the voxels well away from {density >= t}; threshold = background + 0.6 (t - background), but at least 3 sd above it.
    """
    box = density.shape[0]
    r = distance_from_centre(box).numpy()
    inside = r < box / 2
    otsu = between_class_threshold(density[inside])
    solvent = inside & ~extend(density >= otsu, CLEARANCE * box)
    values = density[solvent if solvent.sum() > 0.1 * inside.sum() else inside & (r > RIM * box / 2)]
    background = float(np.median(values))
    noise = float(1.4826 * np.median(np.abs(values - background)))
    wide = background + GENEROSITY * (otsu - background)
    return Threshold(max(wide, background + NOISE_SIGMAS * noise), otsu, background, noise)


def between_class_threshold(values: np.ndarray, bins: int = 512) -> float:
    """Otsu's threshold: maximises w0 w1 (m0 - m1)^2 over a histogram; the value itself if all are equal."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return high
    count, edges = np.histogram(values, bins, (low, high))
    centre = (edges[1:] + edges[:-1]) / 2
    weight, first = np.cumsum(count), np.cumsum(count * centre)
    below, above = weight[:-1], weight[-1] - weight[:-1]
    spread = (first[-1] * below / weight[-1] - first[:-1]) ** 2 / np.maximum(below * above, 1)
    return float(edges[1 + int(np.argmax(spread))])


def main_parts(binary: np.ndarray) -> tuple[np.ndarray, float]:
    """The largest face-connected part and all at least a tenth of it; the largest part's share of the whole."""
    label, number = ndimage.label(binary)
    if number == 0:
        return binary, 0.0
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    keep = sizes >= COMPANION * sizes.max()
    keep[0] = False
    return keep[label], float(sizes.max() / sizes.sum())
