"""What the user chose for a classification with fixed poses, in the units of the method (Å)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from verglas.core.ctf import CtfOptions

Scaling = Literal["none", "input", "optimal"]


@dataclass(frozen=True)
class RandomSubsets:
    """Starting maps: reconstructions of `particles` random particles each."""

    particles: int = 1000


@dataclass(frozen=True)
class PrincipalComponents:
    """Starting maps: `reconstructions` of `particles` random particles each, their first `components`, particles clustered along these."""

    reconstructions: int = 100
    particles: int = 1000
    components: int = 2


@dataclass(frozen=True)
class GivenMaps:
    """Starting maps (K, B, B, B) on the grid of the particles, on their grey scale."""

    maps: np.ndarray


Start = RandomSubsets | PrincipalComponents | GivenMaps


@dataclass(frozen=True)
class Online:
    """Expectation maximisation on batches: `batch` particles per class, `epochs` over the data.

    The learning rate eta falls as `rate` 2^(-t / h), h = `half_life` x iterations; `similarity` falls to 0 linearly within the first half.
    """

    epochs: float = 2.0
    batch: int = 1000
    rate: float = 0.4
    half_life: float = 0.5
    similarity: float = 0.5


@dataclass(frozen=True)
class Stop:
    """No more than `iterations` full iterations; the end when fewer than `switches` (share) of the particles change class.

    `density`: the end also needs an RMS density change below this in two consecutive iterations; None: it does not.
    """

    iterations: int = 25
    switches: float = 0.02
    density: float | None = None


@dataclass(frozen=True)
class Plan:
    """A classification of particles with known poses into `classes`. Lengths in Å.

    `resolution`: nothing finer is compared, and nothing coarser than `coarsest`; `lowpass` of the starting maps;
    `diameter` of the circular image mask.
    """

    classes: int = 2
    resolution: float = 8.0
    coarsest: float = 150.0
    lowpass: float = 20.0
    diameter: float = 200.0
    symmetry: str = "C1"
    start: Start = PrincipalComponents()
    online: Online = Online()
    stop: Stop = Stop()
    hard: bool = False
    scaling: Scaling = "optimal"
    padding: float = 2.0
    intact_first_peak: bool = False
    seed: int = 1

    @property
    def ctf(self) -> CtfOptions:
        return CtfOptions(intact_first_peak=self.intact_first_peak)
