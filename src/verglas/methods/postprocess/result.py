"""What post-processing returns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from verglas.types import Map


@dataclass(frozen=True)
class FscCurves:
    """FSC by shell 0..B/2, each (S,) float64; None where there is no mask.

    `true` is the unmasked curve, or with a mask the masked one corrected for what the mask adds. `mask_fraction` and
    `weight_fraction` are the unmasked curve corrected for the empty part of the box (for the report).
    """

    unmasked: np.ndarray
    true: np.ndarray
    masked: np.ndarray | None = None
    randomised: np.ndarray | None = None
    mask_fraction: np.ndarray | None = None
    weight_fraction: np.ndarray | None = None
    randomise_shell: int | None = None


@dataclass(frozen=True)
class StraightLine:
    """y = intercept + slope x, with the (absolute) correlation coefficient of the points."""

    slope: float
    intercept: float
    correlation: float
    points: int


@dataclass(frozen=True)
class Guinier:
    """ln of the mean |F| per shell (F = FFT / B^3) against 1/d^2 (1/Å^2), each (S,); -99 where nothing is left.

    `fit` is the line through `weighted` in the chosen range (None without automatic B).
    """

    resolution_squared: np.ndarray
    original: np.ndarray
    mtf_corrected: np.ndarray | None
    weighted: np.ndarray
    sharpened: np.ndarray
    fit: StraightLine | None


@dataclass(frozen=True)
class PostprocessResult:
    """The maps and all the numbers; resolutions in Å, `bfactor` in Å^2 (0 = none applied).

    `mask_use`: "none" given, "used", or "dropped" because the unmasked curve reached further. `solvent_fraction` is
    the particle-box fraction F by the mask (RELION's). `warnings` are sentences for the user.
    """

    sharpened: Map
    masked: Map | None
    curves: FscCurves
    guinier: Guinier
    resolution: float
    resolution_half: float
    """Where the final curve falls below 0.5."""
    resolution_unmasked: float
    bfactor: float
    randomise_resolution: float | None
    solvent_fraction: float | None
    weight_fraction: float | None
    mask_use: Literal["none", "used", "dropped"]
    warnings: tuple[str, ...]
