"""Low-pass, threshold, extend, soften: RELION's solvent mask."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from scipy import ndimage

from verglas.core.filters import apply_radial, raised_cosine
from verglas.core.mask import distance_from_centre, extend, soften
from verglas.core.shells import radius
from verglas.errors import InputError
from verglas.methods.masking.threshold import auto_threshold, main_parts
from verglas.types import Map

VOLUME_PER_DALTON = 1.21
"""Å^3 of protein per Da (partial specific volume 0.73 cm^3/g)."""


@dataclass(frozen=True)
class MaskResult:
    """The mask and what it encloses.

    volume: Å^3 at or above the threshold, before extension; kilodalton: protein of that volume; box_fraction: mean of
    the mask; radius: Å from the box centre to the farthest voxel of the mask; parts: connected pieces of the binary
    mask; background and noise: of the low-passed map's solvent (None with a given threshold).
    """

    mask: Map
    threshold: float
    volume: float
    kilodalton: float
    box_fraction: float
    radius: float
    parts: int
    background: float | None
    noise: float | None
    warnings: tuple[str, ...]


def make_mask(
    source: Map, lowpass: float = 15.0, threshold: float | Literal["auto"] = "auto", extend_px: float = 3.0,
    edge_px: float = 6.0,
) -> MaskResult:
    """Soft mask of a map: low-pass (Å; 0 = none), binarise at >= threshold, extend and soften (px).

    With a given threshold every voxel above it counts, as in RELION; with "auto" the threshold comes from the
    low-passed map (see `auto_threshold`) and isolated specks are left out.
    """
    return mask_from_density(replace(source, data=lowpassed(source, lowpass)), threshold, extend_px, edge_px)


def mask_from_density(source: Map, threshold: float | Literal["auto"], extend_px: float, edge_px: float) -> MaskResult:
    """`make_mask` of a map that has been low-passed."""
    density = source.data
    if threshold == "auto":
        found = auto_threshold(density)
        binary, share = main_parts(density >= found.value)
        result = mask_from_set(source, binary, found.value, extend_px, edge_px)
        result = replace(result, background=found.background, noise=found.noise)
        return replace(result, warnings=(*result.warnings, *_doubts(share)))
    binary = density >= threshold
    if not binary.any():
        raise InputError(
            f"threshold {threshold:g} is above the whole map (largest value after the low-pass: {density.max():.4g})",
            where="mask", remedy="lower the threshold, or use auto",
        )
    return mask_from_set(source, binary, float(threshold), extend_px, edge_px)


def mask_from_set(like: Map, binary: np.ndarray, threshold: float, extend_px: float, edge_px: float) -> MaskResult:
    """The mask of a binary set (B, B, B) on the grid of `like`, extended and softened (px), with its numbers."""
    grown = extend(binary, extend_px)
    mask = soften(grown, edge_px)
    pixel = like.pixel_size
    reach = distance_from_centre(like.box).numpy()[mask > 0]
    volume = float(binary.sum()) * pixel**3
    return MaskResult(
        mask=Map(mask, pixel, like.origin), threshold=threshold, volume=volume,
        kilodalton=volume / VOLUME_PER_DALTON / 1000, box_fraction=float(mask.mean(dtype=np.float64)),
        radius=float(reach.max()) * pixel if len(reach) else 0.0, parts=int(ndimage.label(binary)[1]),
        background=None, noise=None, warnings=tuple(_remarks(mask, binary)),
    )


def lowpassed(source: Map, resolution: float) -> np.ndarray:
    """(B, B, B): raised cosine 2 shells wide at the whole shell nearest to it, as in RELION's mask_create."""
    data = torch.from_numpy(source.data.astype(np.float32))
    if resolution <= 2 * source.pixel_size:
        return data.numpy()
    cut = float(np.floor(source.box * source.pixel_size / resolution + 0.5))
    return apply_radial(data, raised_cosine(radius(source.box), cut, 2.0)).numpy()


def _remarks(mask: np.ndarray, binary: np.ndarray) -> Iterator[str]:
    share = float(binary.mean())
    if share > 0.5:
        yield f"The threshold encloses {100 * share:.0f} % of the box: it is too low, or the box is too small."
    if share < 0.002:
        yield f"The threshold encloses only {100 * share:.2g} % of the box: it may be too high."
    faces = (mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1])
    if max(float(face.max()) for face in faces) > 0.5:
        yield "The mask touches the faces of the box: check the threshold, or use a larger box."


def _doubts(share: float) -> Iterator[str]:
    if share < 0.7:
        yield (
            f"Only {100 * share:.0f} % of what lies above the automatic threshold hangs together: the map may be "
            "noise, or too noisy at this low-pass; look at the mask, low-pass further, or give a threshold."
        )
