"""The frame in which a map made without symmetry has its symmetry axes where the point group has them.

For V'(x) = V(R x + t) and an operator S of the group, V'(S x) should be V'(x). The score of (R, t) is the mean correlation of
the symmetry mates F'(S p) with each other over Fourier space (the mate with itself left out, so that noise does not count):

    c = sum_p w (|sum_s F'(S_s p)|^2 - sum_s |F'(S_s p)|^2) / ((G - 1) sum_p w sum_s |F'(S_s p)|^2)

with w = |p| / sqrt(power of the shell): the |p| because slices are denser near the origin than space is, and half way to equal
weight of all shells, since the lowest ones hold little but the outline. Frames R and R n are equivalent for n in the normaliser
of the group; only one of each is searched, and of the equivalent ones that is returned which turns the map the least.
"""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from torch import Tensor

from verglas.core.fsc import resolution_at
from verglas.core.rotations import random_rotations
from verglas.core.shells import shell_sum
from verglas.core.symmetry import operators
from verglas.methods.align.climb import Pose, Score, Steps, climb
from verglas.methods.align.frames import equivalents, frames, free_directions, least_turn
from verglas.methods.align.place import find_particle
from verglas.methods.align.search import COARSE, COARSEST, FINE, apart, distinct, scored
from verglas.methods.align.views import BLOCK, Views, Window, make_views, slices
from verglas.types import Map
from verglas.units import DEGREE

SLICES, FINE_SLICES = 16, 48
"""Planes times operators, at least: enough for any direction to be seen; against noise the refinement looks at more of Fourier space."""
CANDIDATES, FINALISTS = 10, 3
CHANCES = 200
"""Random frames that tell what a frame without meaning scores."""


@dataclass(frozen=True, eq=False)
class SymmetryFrame:
    """V'(x) = V(R x + t) has the group's axes: rotation R (3, 3) float64, shift t (3,) Å x y z (of the centre, from voxel B // 2).

    score: mean correlation of the symmetry mates in this frame at `resolution` (Å), 1 when exact, for a group of `order` operators;
    worst: the same for the operator with which the map agrees least; before: in the map as it was; chance and best_chance: median
    and best of 200 random frames about the same centre; runner_up: of the next best frame elsewhere. holds_to: Å, where the FSC
    between mates falls below 0.5; radius: Å, of the particle.
    """

    rotation: np.ndarray
    shift: np.ndarray
    order: int
    score: float
    worst: float
    before: float
    chance: float
    best_chance: float
    runner_up: float
    resolution: float
    holds_to: float
    radius: float

    @property
    def convincing(self) -> bool:
        """Whether the map has this symmetry: all operators agree, and mates agree well or far better than in other frames.

        Noise lowers all correlations alike, a symmetry that is not there only some of them.
        """
        stands_out = self.score > 0.25 and self.score - self.runner_up > 0.35 * (self.score - self.chance)
        return self.worst > 0.85 * self.score and (self.score > 0.7 or stands_out)

    def with_average(self, score: float) -> float:
        """Correlation of the map with its symmetry average: c = sqrt((1 + (G - 1) score) / G)."""
        return float(np.sqrt(max(0.0, 1.0 + (self.order - 1) * score) / self.order))


def find_symmetry_axes(
    source: Map, symmetry: str, *, recentre: bool = True, resolution: float | None = None, radius: float | None = None
) -> SymmetryFrame:
    """The frame of a point group in a map of any orientation and, unless `recentre` is False, position.

    resolution (Å): the finest that is used; default radius / 8. radius (Å) of the particle; default from the density.
    """
    place = find_particle(source)
    centre = place.centre if recentre else np.zeros(3)
    radius = radius or place.radius + (0.0 if recentre else float(np.linalg.norm(place.centre)))
    finest = max(radius / FINE, 2.5 * source.pixel_size) if resolution is None else max(resolution, 2.5 * source.pixel_size)
    window = Window(centre, radius, max(radius / COARSE, COARSEST, finest))
    group = operators(symmetry)
    if len(group) == 1:
        return SymmetryFrame(np.eye(3), centre, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, window.resolution, 2 * source.pixel_size, radius)
    planes = ceil(SLICES / len(group))
    coarse = make_views(source, window, planes)
    same, free = equivalents(symmetry), free_directions(symmetry)
    shift = window.resolution / 6 if recentre else 0.0
    score = mates_score(coarse, group)
    starts = scored(score, frames(symmetry), torch.from_numpy(centre - coarse.centre))
    tops = climb(score, distinct(starts, same, CANDIDATES), Steps(5 * DEGREE, 1.5 * shift, free), 4)
    tops = distinct(tops, same, CANDIDATES)
    fine = make_views(source, replace(window, centre=coarse.centre + tops[0].shift.numpy(), resolution=finest), ceil(FINE_SLICES / len(group)))
    moved = torch.from_numpy(coarse.centre - fine.centre)
    finalists = [replace(pose, shift=pose.shift + moved) for pose in tops[:FINALISTS]]
    best = climb(mates_score(fine, group), finalists, Steps(2 * DEGREE, shift / 2, free), 5)[0]
    others = [replace(top, shift=top.shift + torch.from_numpy(coarse.centre)) for top in tops if apart(top.rotation, best.rotation, same)]
    return _described(source, symmetry, best, fine, window, others)


def mates_score(views: Views, group: Tensor) -> Score:
    """The function of the module's head for one map and a group (G, 3, 3)."""
    mates = group.float()
    weights = views.weights

    def score(turns: Tensor, shifts: Tensor) -> Tensor:
        step = max(1, BLOCK // (len(mates) * len(weights)))
        found = []
        for r, t in zip(turns.float().split(step), shifts.float().split(step)):
            between, within = _products(slices(views, r, t, mates))
            found.append((between @ weights) / (within @ weights))
        return torch.cat(found)

    return score


def mates_curve(views: Views, group: Tensor, pose: Pose) -> Tensor:
    """FSC between symmetry mates (S,), shell by shell: the score with each shell by itself."""
    between, within = _products(slices(views, pose.rotation[None].float(), pose.shift[None].float(), group.float()))
    count = len(views.power)
    curve = shell_sum(between[0], views.shell, count) / shell_sum(within[0], views.shell, count).clamp(min=1e-30)
    curve[0] = 1.0
    return curve


def _products(values: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over pairs of different mates, and over mates with themselves, of F F* (K, P), scaled to be equal when all agree."""
    within = values.real.square().sum(1) + values.imag.square().sum(1)
    total = values.sum(1)
    return (total.real.square() + total.imag.square() - within) / (values.shape[1] - 1), within


def mates_worst(views: Views, group: Tensor, pose: Pose) -> float:
    """The lowest correlation of the map with itself under one operator, all pairs of mates that differ by it together."""
    values = slices(views, pose.rotation[None].float(), pose.shift[None].float(), group.float())[0]
    values = values * views.weights.sqrt()
    pairs = (values @ values.mH).real.double()
    products = torch.einsum("gij,sjk->gsik", group, group)
    partner = torch.cdist(products.reshape(-1, 9), group.reshape(-1, 9)).argmin(1).view(len(group), len(group))
    return float(pairs.gather(1, partner).sum(0)[1:].min() / pairs.diagonal().sum())


def _described(source: Map, symmetry: str, best: Pose, fine: Views, window: Window, others: list[Pose]) -> SymmetryFrame:
    """The frame with the numbers that tell how far to trust it, measured at the resolution of the global search.

    others: frames elsewhere, with shifts from the middle of the box.
    """
    group = operators(symmetry)
    shift = fine.centre + best.shift.numpy()
    views = make_views(source, replace(window, centre=shift), ceil(FINE_SLICES / len(group)))
    score, local = mates_score(views, group), torch.from_numpy(shift - views.centre)
    chances = score(random_rotations(CHANCES, torch.Generator().manual_seed(3)), local.expand(CHANCES, 3))
    here = replace(best, shift=local)
    before = score(torch.eye(3, dtype=torch.float64)[None], -torch.from_numpy(views.centre)[None])
    elsewhere = [float(score(pose.rotation[None], (pose.shift - torch.from_numpy(views.centre))[None])) for pose in others]
    return SymmetryFrame(
        rotation=least_turn(symmetry, best.rotation).numpy(), shift=shift, order=len(group),
        score=float(score(here.rotation[None], local[None])), worst=mates_worst(views, group, here), before=float(before),
        chance=float(chances.median()), best_chance=float(chances.max()), runner_up=max(elsewhere, default=float(chances.median())),
        resolution=views.resolution, holds_to=resolution_at(mates_curve(fine, group, best), 0.5, fine.band.box, fine.pixel), radius=window.radius,
    )
