"""Where the particle is in a map, roughly, and how large it is."""

from dataclasses import dataclass

import numpy as np
import torch

from verglas.core.filters import lowpass
from verglas.core.mask import distance_from_centre
from verglas.core.resample import resize_map
from verglas.methods.mapops.info import contrast
from verglas.methods.masking.threshold import auto_threshold, main_parts
from verglas.types import Map

OVERVIEW_BOX = 64
OVERVIEW_SHELLS = 12
"""The particle is looked for after a low-pass to the box width over this."""
REACH = 0.995
"""The radius holds this share of the particle's voxels ..."""
MARGIN = 1.1
"""... and some room for what the low-pass hides."""


@dataclass(frozen=True)
class Place:
    """centre (3,) Å, x y z, from voxel B // 2; radius in Å of a sphere around it that holds the particle."""

    centre: np.ndarray
    radius: float


def find_particle(source: Map) -> Place:
    """Centre of mass of the positive density above the automatic threshold, main parts only, in a low-passed small copy."""
    box = min(source.box, OVERVIEW_BOX)
    pixel = source.pixel_size * source.box / box
    small = resize_map(torch.from_numpy(np.ascontiguousarray(source.data, dtype=np.float32)), box)
    smooth = lowpass(small, pixel, max(box * pixel / OVERVIEW_SHELLS, 2 * pixel)).numpy()
    if contrast(smooth) == "dark":
        smooth = -smooth
    found = auto_threshold(smooth)
    binary, _ = main_parts((smooth >= found.value) & (distance_from_centre(box).numpy() <= box / 2))
    if not binary.any():
        return Place(np.zeros(3), 0.45 * box * pixel)
    at = np.argwhere(binary).astype(np.float64)
    middle = np.average(at, axis=0, weights=np.maximum(smooth[binary] - found.background, 1e-30))
    radius = float(np.quantile(np.linalg.norm(at - middle, axis=1), REACH)) * pixel * MARGIN
    return Place((middle[::-1] - box // 2) * pixel, min(max(radius, 3 * pixel), 0.5 * box * pixel))
