"""How alike two maps are, shell by shell."""

from dataclasses import dataclass

import numpy as np
import torch

from verglas.core.fsc import fsc, resolution_at
from verglas.errors import InputError
from verglas.methods.mapops.change import SAME
from verglas.types import Map


@dataclass(frozen=True)
class MapComparison:
    """fsc (S,) by shell 0..B/2; resolution (S,) Å of each shell; where it falls below 0.5 and 0.143 (Å); correlation of
    the voxels (within the mask if one was given)."""

    fsc: np.ndarray
    resolution: np.ndarray
    at_half: float
    at_gold: float
    correlation: float


def compare_maps(a: Map, b: Map, mask: Map | None = None) -> MapComparison:
    """FSC of two maps on one grid, both multiplied by `mask` first if given (no correction for the mask)."""
    for other, name in ((b, "second map"), (mask, "mask")):
        _check_grid(a, other, name)
    weight = np.float32(1.0) if mask is None else mask.data.astype(np.float32)
    ta, tb = (torch.from_numpy(m.data.astype(np.float32) * weight) for m in (a, b))
    curve = fsc(ta, tb)
    shells = np.arange(len(curve))
    with np.errstate(divide="ignore"):
        resolution = a.box * a.pixel_size / shells
    return MapComparison(
        curve.numpy(), resolution, resolution_at(curve, 0.5, a.box, a.pixel_size),
        resolution_at(curve, 0.143, a.box, a.pixel_size), _correlation(a.data, b.data, mask),
    )


def _correlation(a: np.ndarray, b: np.ndarray, mask: Map | None) -> float:
    inside = slice(None) if mask is None else mask.data.ravel() > 0.5
    x, y = a.ravel()[inside].astype(np.float64), b.ravel()[inside].astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0


def _check_grid(a: Map, other: Map | None, name: str) -> None:
    if other is None:
        return
    if a.data.shape != other.data.shape:
        raise InputError(
            f"{other.data.shape} voxels, but the first map has {a.data.shape}", where=name,
            remedy="bring both to one box: verglas map resize, verglas map crop",
        )
    if abs(a.pixel_size / other.pixel_size - 1) > 10 * SAME:
        raise InputError(
            f"pixel size {other.pixel_size:.4f} Å, but the first map has {a.pixel_size:.4f} Å", where=name,
            remedy="bring both to one pixel size: verglas map resize --pixel-size",
        )
