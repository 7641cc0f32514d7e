"""What can be chosen in post-processing; alternatives are unions of small types."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class AutoB:
    """B from the slope of the Guinier plot between `lowres` and `highres` (Å; highres 0 = up to Nyquist)."""

    lowres: float = 10.0
    highres: float = 0.0


@dataclass(frozen=True)
class FixedB:
    """This B (Å^2); negative sharpens."""

    value: float


@dataclass(frozen=True)
class NoB:
    """No sharpening."""


BFactor = AutoB | FixedB | NoB


@dataclass(frozen=True)
class FscWeighting:
    """Weight each shell by sqrt(2 f / (1 + f)), f the final FSC (Rosenthal & Henderson 2003)."""


@dataclass(frozen=True)
class Lowpass:
    """No FSC weighting; low-pass at `resolution` (Å) instead, or at the resolution found if None."""

    resolution: float | None = None


Weighting = FscWeighting | Lowpass


@dataclass(frozen=True)
class RandomiseBelow:
    """Randomise phases from the first shell where the unmasked FSC is below `fsc`."""

    fsc: float = 0.8


@dataclass(frozen=True)
class RandomiseFrom:
    """Randomise phases from this resolution (Å)."""

    resolution: float


Randomise = RandomiseBelow | RandomiseFrom


@dataclass(frozen=True)
class Mtf:
    """Modulation transfer of the detector: value (n,) at frequency (n,) in 1/detector pixel (0 to 0.5)."""

    frequency: np.ndarray
    value: np.ndarray
    detector_pixel: float
    """Å per pixel of the detector at the specimen (before any binning)."""


@dataclass(frozen=True)
class Settings:
    """How to post-process. `mask_even_if_worse` keeps a mask that lowers the resolution (otherwise it is dropped)."""

    bfactor: BFactor = field(default_factory=AutoB)
    weighting: Weighting = field(default_factory=FscWeighting)
    randomise: Randomise = field(default_factory=RandomiseBelow)
    mtf: Mtf | None = None
    molecular_weight: float | None = None
    """Da; adds the FSC of the particle's share of the box by weight to the report."""
    mask_even_if_worse: bool = False
    seed: int = 0
