"""What the input of post-processing must satisfy, explained to the user when it does not."""

import numpy as np

from verglas.errors import InputError
from verglas.methods.postprocess.options import Mtf
from verglas.types import Map


def check_halves(half1: Map, half2: Map) -> None:
    """Same box and pixel, finite, and not the same map twice."""
    if half1.data.shape != half2.data.shape:
        raise InputError(
            f"half map 1 has {half1.data.shape} voxels and half map 2 {half2.data.shape}; they must be equal",
            where="half maps", remedy="give the two half maps of one refinement",
        )
    if abs(half1.pixel_size - half2.pixel_size) > 1e-3 * half1.pixel_size:
        raise InputError(
            f"pixel sizes differ: {half1.pixel_size:.4f} and {half2.pixel_size:.4f} Å", where="half maps",
            remedy="give the two half maps of one refinement, or state the calibrated pixel size",
        )
    for name, half in (("half map 1", half1), ("half map 2", half2)):
        if not np.isfinite(half.data).all():
            raise InputError("contains NaN or infinite voxels", where=name, remedy="reconstruct it again")
    if np.array_equal(half1.data, half2.data):
        raise InputError(
            "the two half maps are identical, so their FSC is 1 everywhere and says nothing", where="half maps",
            remedy="give the maps of the two independent halves (run_half1_class001_unfil.mrc and run_half2_...)",
        )


def check_mask(mask: Map, half: Map) -> None:
    """On the grid of the half maps, between 0 and 1, and not empty."""
    if mask.data.shape != half.data.shape:
        raise InputError(
            f"{mask.data.shape} voxels, but the half maps have {half.data.shape}", where="mask",
            remedy="make the mask from a map of this box (verglas mask), or resize it (verglas map resize)",
        )
    if abs(mask.pixel_size - half.pixel_size) > 1e-2 * half.pixel_size:
        raise InputError(
            f"pixel size {mask.pixel_size:.4f} Å, but the half maps have {half.pixel_size:.4f} Å", where="mask",
            remedy="make the mask from a map of this refinement, or correct the header",
        )
    low, high = float(mask.data.min()), float(mask.data.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise InputError(
            f"values from {low:.4g} to {high:.4g}, expected 0 to 1", where="mask",
            remedy="a mask is not a map: make one with verglas mask",
        )
    if high < 0.5:
        raise InputError(f"largest value {high:.4g}: nothing inside", where="mask", remedy="lower the threshold")


def check_mtf(mtf: Mtf | None) -> None:
    """Positive values at growing frequencies."""
    if mtf is None:
        return
    if len(mtf.frequency) < 2 or (np.diff(mtf.frequency) <= 0).any():
        raise InputError("frequencies must grow by row", where="MTF", remedy="give the detector's MTF STAR file")
    if (mtf.value < 1e-10).any():
        row = int(np.argmax(mtf.value < 1e-10)) + 1
        found = f"row {row} has value {mtf.value[row - 1]:.3g}; all must be above 0"
        raise InputError(found, where="MTF", remedy="correct the table")
