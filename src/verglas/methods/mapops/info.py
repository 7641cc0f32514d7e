"""What a map looks like in numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from verglas.core.filters import lowpass
from verglas.core.mask import distance_from_centre
from verglas.methods.masking.threshold import auto_threshold, main_parts
from verglas.types import Map

OVERVIEW_SHELLS = 12
"""The particle's place and contrast are judged after a low-pass to the box width over this."""
SURE = 1.3
"""How much further one tail of the density must reach than the other to tell the contrast."""


@dataclass(frozen=True)
class MapInfo:
    """Statistics of all voxels, and of the particle found in the low-passed map.

    contrast: "bright" (particle above the solvent, as verglas and RELION want), "dark" or "unclear". centre: Å, x y z,
    of the particle from voxel B//2. radius_of_gyration: Å. volume: Å^3 within the automatic threshold. The last three
    are None without a finite, varying density.
    """

    box: int
    pixel_size: float
    origin: tuple[float, float, float]
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    not_finite: int
    contrast: Literal["bright", "dark", "unclear"]
    centre: tuple[float, float, float] | None
    radius_of_gyration: float | None
    volume: float | None


def map_info(source: Map) -> MapInfo:
    """Numbers about a map (B, B, B)."""
    data = source.data.astype(np.float64)
    finite = data[np.isfinite(data)]
    values = finite if finite.size else np.zeros(1)
    kind: Literal["bright", "dark", "unclear"] = "unclear"
    centre, gyration, volume = None, None, None
    if finite.size == data.size and np.ptp(finite) > 0:
        smooth = _overview(source)
        kind = contrast(smooth)
        centre, gyration, volume = particle(-smooth if kind == "dark" else smooth, source.pixel_size)
    return MapInfo(
        source.box, source.pixel_size, source.origin, float(values.min()), float(values.max()), float(values.mean()),
        float(values.std()), int(data.size - finite.size), kind, centre, gyration, volume,
    )


def contrast(smooth: np.ndarray) -> Literal["bright", "dark", "unclear"]:
    """Sign of the particle in a low-passed map: which tail (0.5 %) lies further from the median, within the sphere."""
    inside = smooth[distance_from_centre(smooth.shape[0]).numpy() < smooth.shape[0] / 2]
    low, middle, high = np.percentile(inside, (0.5, 50, 99.5))
    up, down = high - middle, middle - low
    if max(up, down) < SURE * min(up, down):
        return "unclear"
    return "bright" if up > down else "dark"


def particle(smooth: np.ndarray, pixel: float) -> tuple[tuple[float, float, float], float, float]:
    """Centre (Å, x y z), radius of gyration (Å) and volume (Å^3) of the density above the automatic threshold."""
    found = auto_threshold(smooth)
    binary, _ = main_parts(smooth >= found.value)
    if not binary.any():
        binary = smooth >= smooth.max()
    at = np.argwhere(binary)
    weight = (smooth[binary] - found.background).astype(np.float64)
    weight = np.maximum(weight, 1e-30)
    middle = np.average(at, axis=0, weights=weight)
    gyration = float(np.sqrt(np.average(((at - middle) ** 2).sum(1), weights=weight))) * pixel
    z, y, x = (middle - smooth.shape[0] // 2) * pixel
    return (float(x), float(y), float(z)), gyration, float(binary.sum()) * pixel**3


def _overview(source: Map) -> np.ndarray:
    resolution = max(source.box * source.pixel_size / OVERVIEW_SHELLS, 2 * source.pixel_size)
    return lowpass(torch.from_numpy(source.data.astype(np.float32)), source.pixel_size, resolution).numpy()
