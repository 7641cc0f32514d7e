"""What the user chose for a classification, in the units of the method (Å, radians)."""

from dataclasses import dataclass
from math import pi

import numpy as np

from verglas.core.sampling import AnyGrid, InPlane, orientation_grid
from verglas.methods.refine.converge import fine_angle
from verglas.methods.refine.plan import Plan


@dataclass(frozen=True)
class Em:
    """Expectation-maximisation over all particles; `fast_subsets`: the first 15 iterations see a growing part of them."""

    fast_subsets: bool = False


@dataclass(frozen=True)
class Vdam:
    """Variable-metric gradient descent with adaptive moments on growing mini-batches (Kimanius et al. 2021).

    `first` and `last` = (fraction of all particles, at most, at least): the size of the first and last mini-batches.
    `step` is the last step size, `inactivity` the part of an even share below which a class is replaced.
    """

    first: tuple[float, int, int]
    last: tuple[float, int, int]
    step: float = 0.3
    inactivity: float = 0.1


VDAM_2D = Vdam((0.005, 10_000, 200), (0.05, 100_000, 1000))
VDAM_3D = Vdam((0.005, 5_000, 200), (0.1, 50_000, 1000), step=0.5, inactivity=0.0)


@dataclass(frozen=True)
class ClassPlan:
    """K classes, T = `tau` (weight of the data against the prior), `iterations` in all.

    `search`: symmetry, mask, sampling, corrections and seed, as for a refinement. psi_step (rad) > 0: 2D classes, with this fine
    in-plane step. limit (Å) > 0: nothing finer is used in the search. sigma (rad) > 0: local searches.
    march (Å) > 0: nothing finer than this at first; the limit is reached, by equal steps in frequency, after half of the iterations.
    `auto_sampling`: the grid gets finer, to LAST_ORDER, when the accuracy asks for it. `centre`: 2D averages are kept in the middle.
    `non_negative`: no negative density. `align`: poses are sought; otherwise (in 2D) they stay, and only classes are.
    `cross`: once classes have formed, a particle is compared with maps to which it did not contribute, see `crossed`.
    """

    classes: int
    iterations: int
    tau: float
    search: Plan
    algorithm: Em | Vdam
    psi_step: float = 0.0
    limit: float = 0.0
    march: float = 0.0
    sigma: float = 0.0
    centre: bool = True
    auto_sampling: bool = False
    non_negative: bool = False
    cross: bool = False
    align: bool = True

    @property
    def flat(self) -> bool:
        return self.psi_step > 0

    @property
    def ini(self) -> int:
        """Iterations of the first phase of VDAM: 30 %."""
        return round(0.3 * self.iterations)

    @property
    def between(self) -> int:
        """Iterations of the second phase; the last 20 % are the third."""
        return self.iterations - self.ini - round(0.2 * self.iterations)

    def grid(self, order: int) -> AnyGrid:
        """Coarse orientations: twice the fine step in the plane, or HEALPix `order`."""
        return InPlane(max(1, round(pi / self.psi_step))) if self.flat else orientation_grid(order, self.search.symmetry)


LAST_ORDER = 2
"""Finest grid of an ab-initio model: no local searches."""
BLUR = 0.375
"""A wave shorter than this part of the way of the particle's edge in one fine step is lost: half a step is the largest error."""


def finest_wave(diameter: float) -> float:
    """Å: nothing finer is looked at in an ab-initio model, whose grid ends at LAST_ORDER."""
    return BLUR * fine_angle(LAST_ORDER) * diameter


def fall(x: float, width: float, start: float) -> float:
    """1 / (10^((x - start - width/2) / (width/4)) + 1): from 1 to 0 over `width` iterations."""
    if width <= 0:
        return 0.0
    return float(1.0 / (10.0 ** np.clip((x - start - width / 2) / (width / 4), -30, 30) + 1.0))


def step_size(plan: ClassPlan, vdam: Vdam, iteration: int) -> float:
    """From 0.9 to the last step size over the first half of the second phase."""
    s = fall(iteration, plan.between // 2, plan.ini)
    return 0.9 * s + vdam.step * (1 - s)


def tau_of(plan: ClassPlan, iteration: int) -> float:
    """T; in VDAM from 1 to T over the first quarter of the second phase."""
    if isinstance(plan.algorithm, Em):
        return plan.tau
    s = fall(iteration, plan.between // 4, plan.ini)
    return s + plan.tau * (1 - s)


def subset_size(plan: ClassPlan, iteration: int, particles: int) -> int:
    """Particles of this iteration."""
    match plan.algorithm:
        case Em(fast_subsets):
            if not fast_subsets or iteration > 15:
                return particles
            first = (100 if plan.flat else 1500) * plan.classes
            return min(particles, (first, 3 * first, max(3 * first, round(0.3 * particles)))[(iteration - 1) // 5])
        case Vdam() as vdam:
            a, b = (max(min(int(f * particles), most), least) for f, most, least in (vdam.first, vdam.last))
            grown = (iteration - plan.ini) / max(plan.between, 1)
            if iteration == plan.iterations and plan.classes > 1:
                return particles
            return min(particles, round(a + (b - a) * float(np.clip(grown, 0, 1))))


def most_significant(plan: ClassPlan) -> int:
    """Coarse hypotheses of an image that are looked at more closely, at most: VDAM keeps few."""
    return 1 << 62 if isinstance(plan.algorithm, Em) else (5 if plan.flat else 100) * max(plan.classes, 1)
