"""The tilt of the specimen, from the defocus of patches of the micrograph."""

from dataclasses import dataclass
from math import atan, atan2, hypot

import numpy as np

from verglas.methods.ctffit.cells import cells
from verglas.methods.ctffit.estimate import CtfFit
from verglas.methods.ctffit.lens import Lens
from verglas.methods.ctffit.refine import refine
from verglas.methods.ctffit.search import Range
from verglas.methods.ctffit.spectrum import of_micrograph

_PATCHES = 4
"""Patches per side, overlapping by half."""
_SMALLEST = 384
"""px: below this width a patch shows no rings worth fitting."""


@dataclass(frozen=True)
class Tilt:
    """`angle` between specimen and image plane, `axis`: direction of the tilt axis from the x axis in [0, pi), `error` of the angle (from the
    scatter about the plane), all rad. slope (2,): defocus per Å along x and y; `axis` is at right angles to it.
    """

    angle: float
    axis: float
    error: float
    slope: tuple[float, float]


def tilt(image: np.ndarray, pixel_size: float, lens: Lens, fit: CtfFit, wanted: Range) -> Tilt | None:
    """A plane through the local defocus of patches (ny, nx), each refined from the fit of the whole; None when fewer than 6 patches show rings.

    defocus(x, y) = mean + slope . (x, y); tan(angle) = |slope|. Patches count by their standard errors; those off the plane by more than 4 of
    them are dropped once.
    """
    rows = [_local(image[y, x], pixel_size, lens, fit, wanted) for y in _slices(image.shape[0]) for x in _slices(image.shape[1])]
    places = np.array([(np.mean([x.start, x.stop]), np.mean([y.start, y.stop])) for y in _slices(image.shape[0]) for x in _slices(image.shape[1])])
    good = np.array([row is not None for row in rows])
    if good.sum() < 6:
        return None
    local = np.array([row for row in rows if row is not None])
    design = np.column_stack((np.ones(good.sum()), (places[good] - np.array(image.shape[::-1]) / 2) * pixel_size))
    keep = np.ones(len(local), dtype=bool)
    for _ in range(2):
        weighted = design[keep] / local[keep, 1:]
        plane, *_ = np.linalg.lstsq(weighted, local[keep, 0] / local[keep, 1], rcond=None)
        pull = (local[:, 0] - design @ plane) / local[:, 1]
        scatter = max(1.0, 1.4826 * float(np.median(np.abs(pull))))
        keep = np.abs(pull) < 4 * scatter
    covariance = np.linalg.pinv(weighted.T @ weighted) * scatter**2
    sx, sy = float(plane[1]), float(plane[2])
    return Tilt(atan(hypot(sx, sy)), (atan2(sy, sx) + np.pi / 2) % np.pi, float(np.sqrt(np.trace(covariance[1:, 1:]) / 2)), (sx, sy))


def _slices(length: int) -> list[slice]:
    side = max(min(_SMALLEST, length), 2 * length // (_PATCHES + 1))
    return [slice(int(start), int(start) + side) for start in np.linspace(0, length - side, _PATCHES)]


def _local(patch: np.ndarray, pixel_size: float, lens: Lens, fit: CtfFit, wanted: Range) -> tuple[float, float] | None:
    """Mean defocus of a patch and its standard error (Å), astigmatism held near that of the whole; None where no rings stand out."""
    data = cells(of_micrograph(np.ascontiguousarray(patch), pixel_size), wanted.coarsest, wanted.finest)
    starts = (fit.aim.moved(step) for step in np.arange(-1200.0, 1201.0, 400.0))
    best = max((refine(data, lens, start, 2 * wanted.finest, wanted.expected, rounds=4) for start in starts), key=lambda one: one.score)
    best = refine(data, lens, best.aim, wanted.finest, wanted.expected)
    return (best.aim.mean, float(best.errors[0])) if best.score > 12.0 else None
