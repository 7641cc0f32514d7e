"""The coarse pass: every grid hypothesis of every image is scored, few survive (Scheres 2012, adaptive expectation)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas import kernels
from verglas.core import projection
from verglas.core.band import Band
from verglas.core.projection import Reference
from verglas.core.sampling import AnyGrid, rotations
from verglas.methods.refine import hypotheses
from verglas.methods.refine.hypotheses import Pairs, Survivors
from verglas.methods.refine.prune import pruned
from verglas.methods.refine.ragged import owner, positions, starts


@dataclass(frozen=True)
class Gaussian:
    """Hypotheses are weighed by their likelihood; those within `fraction` of the total probability survive, at most `most`."""

    fraction: float
    most: int = 1 << 62


@dataclass(frozen=True)
class Correlation:
    """Hypotheses are compared by normalised cross-correlation and only the best survives: for maps of unknown scale."""


Rule = Gaussian | Correlation


@dataclass(frozen=True)
class Near:
    """Hypotheses within `margin` of the best log-posterior stay in the race: the rule of a first look at low resolution."""

    margin: float


MARGIN = 25.0
"""Log units: measured to lose less than 1e-7 of the posterior mass (bench/LOG.md)."""
LOOKS = (0.35, 0.6)
"""Parts of the radius that are looked at first."""
SMALL = 400
"""Pixels below which a first look is not worth its while."""
DENSE = 0.1
"""Share of hypotheses left by the first look above which products are faster than lists."""
Cutter = Callable[[np.ndarray, int], Tensor]
"""Rotation numbers (U,) and a number of pixels -> slices (U, pixels)."""


@dataclass(frozen=True)
class Grids:
    """The grid of an iteration on one band: rotations by `grid` and `perturbation`; shift phases (T, P) coarse, (4 T, P) fine.

    shifts (T, 2) and fine_shifts (4 T, 2) in Å, perturbation included. `looks` are the numbers of pixels, rising,
    on which hypotheses are compared in the coarse pass, each time fewer of them.
    """

    grid: AnyGrid
    perturbation: float
    shifts: Tensor
    fine_shifts: Tensor
    phases: Tensor
    fine_phases: Tensor
    looks: tuple[int, ...]


def survivors_of(rule: Rule | Near, logp: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions (K,) in logp of the hypotheses that the rule keeps."""
    match rule:
        case Gaussian(fraction, most):
            least, _, _ = kernels.threshold(logp, start, fraction, most)
            return kernels.compact(logp, start, least)
        case Near(margin):
            return kernels.compact(logp, start, kernels.highest(logp, start)[0].double() - margin)
        case Correlation():
            return torch.arange(len(start), device=start.device), kernels.highest(logp, start)[1]


def global_slices(references: tuple[Reference, ...], grids: Grids, band: Band) -> Tensor:
    """Slices (K R, Pc) of the whole coarse grid and all classes: cut once, shared by all images."""
    matrices = rotations(grids.grid, None, grids.perturbation)
    return torch.cat([projection.project(reference, matrices, band, grids.looks[-1]) for reference in references])


def search_everywhere(a: Tensor, b: Tensor, slices: Tensor, grids: Grids, priors: tuple[Tensor, Tensor], rule: Rule) -> Survivors:
    """log p(n, t, r) = Re(a h_t)* S_r - b |S_r|^2 / 2 + log priors as two matrix products; what the rule keeps.

    a, b (N, P) on the full band; slices (K R, Pc); priors = (log prior of classes and directions (K D,), log prior of shifts (N, T)).
    A large band is searched within a part of its radius first, and what comes near the best there is scored further out.
    """
    first, *more = grids.looks
    if isinstance(rule, Correlation) or not (more or a.is_cuda):
        return _products(a, b, slices, grids, priors, rule)
    few = _first_look(a, b, slices[:, :first], grids, priors)
    if few is None or len(few.image) > DENSE * len(a) * len(grids.phases) * len(slices):
        return _products(a, b, slices, grids, priors, rule)
    return narrow(few, a, b, lambda numbers, pixels: slices[torch.from_numpy(numbers).to(a.device), :pixels], grids, rule, more or [first])


def _first_look(a: Tensor, b: Tensor, slices: Tensor, grids: Grids, priors: tuple[Tensor, Tensor]) -> Survivors | None:
    """Hypotheses near the best on the pixels of `slices`; a GPU may say that there are too many."""
    if not a.is_cuda:
        return _products(a, b, slices, grids, priors, Near(MARGIN))
    by_rotation = priors[0].repeat_interleave(grids.grid.psi_count)
    capacity = int(DENSE * len(a) * len(grids.phases) * len(slices)) + 1
    return pruned(a, b, slices, grids.phases, (by_rotation, priors[1]), MARGIN, capacity)


def narrow(few: Survivors, a: Tensor, b: Tensor, cut: Cutter, grids: Grids, rule: Rule, looks: list[int]) -> Survivors:
    """A short list scored on more and more pixels; those near the best stay, at the last look those that the rule keeps."""
    for pixels in looks:
        pairs = hypotheses.group(few, grids.grid.turns)
        few = rescore(few, pairs, a, b, cut(pairs.rotations, pixels), grids, rule if pixels == looks[-1] else Near(MARGIN))
    return few


def _products(a: Tensor, b: Tensor, slices: Tensor, grids: Grids, priors: tuple[Tensor, Tensor], rule: Rule | Near) -> Survivors:
    """The products on the pixels of `slices`, the origin left out."""
    direction_prior, shift_prior = priors
    rotation_prior = direction_prior.repeat_interleave(grids.grid.psi_count)
    images, shifts, (turns, pixels) = len(a), len(grids.phases), slices.shape
    s, a, b, h = (x[:, 1:pixels] for x in (slices, a, b, grids.phases))
    moved = torch.view_as_real(a[:, None] * h).view(images * shifts, -1)
    logp = (moved @ torch.view_as_real(s.contiguous()).view(turns, -1).T).view(images, shifts, turns)
    power = b @ (s.real**2 + s.imag**2).T
    if isinstance(rule, Correlation):
        logp *= power.clamp(min=1e-30).rsqrt()[:, None]
    else:
        logp += (rotation_prior - power / 2)[:, None] + shift_prior[:, :, None]
    kept, index = survivors_of(rule, logp.view(-1), torch.arange(images + 1, device=a.device) * (shifts * turns))
    n = owner(kept.numpy(force=True))
    shift, rotation = np.divmod(index.numpy(force=True) - n * (shifts * turns), turns)
    key = (n * turns + rotation) * shifts + shift
    key.sort()  # by image, then rotation, then shift
    pair, shift = np.divmod(key, shifts)
    n, rotation = np.divmod(pair, turns)
    prior = rotation_prior.numpy(force=True)[rotation] + shift_prior.numpy(force=True)[n, shift]
    return Survivors(n, rotation, shift, prior, np.diff(kept.numpy(force=True)))


def rescore(few: Survivors, pairs: Pairs, a: Tensor, b: Tensor, slices: Tensor, grids: Grids, rule: Rule | Near) -> Survivors:
    """What the rule keeps of a short list once it is scored on the pixels of `slices`, one row for each of pairs.rotations."""
    pixels = slices.shape[1]
    a, b, h = (x[:, :pixels].contiguous() for x in (a, b, grids.phases))
    image, number, start, shift = (torch.from_numpy(x).to(a.device) for x in (pairs.image, pairs.number, pairs.start, pairs.shift))
    logp = kernels.score(slices, a, b, h, torch.from_numpy(pairs.log_prior).to(a.device), image, number, start, shift)
    _, index = survivors_of(rule, logp, torch.from_numpy(starts(few.count)).to(a.device))
    at = index.numpy(force=True)
    count = np.bincount(few.image[at], minlength=len(few.count))
    return Survivors(few.image[at], few.rotation[at], few.shift[at], few.log_prior[at], count)


@dataclass(frozen=True)
class Candidates:
    """Per-image lists of coarse rotations near the last orientation: rotation and log prior (C,), start (N+1,)."""

    start: np.ndarray
    rotation: np.ndarray
    log_prior: np.ndarray

    def take(self, images: np.ndarray) -> "Candidates":
        at, start = positions(self.start, images)
        return Candidates(start, self.rotation[at], self.log_prior[at])

    def in_classes(self, log_prior: np.ndarray, count: int) -> "Candidates":
        """The same list in each of K classes, numbered class x count + rotation, for every image; log_prior (K,) of the classes."""
        classes = len(log_prior)
        if classes == 1:
            return self
        length = np.diff(self.start)
        image = np.repeat(np.arange(len(length)), classes)  # blocks: image by image, class by class
        k = np.tile(np.arange(classes), len(length))
        at, start = positions(self.start, image)
        each = np.repeat(k, length[image])
        return Candidates(start[::classes], self.rotation[at] + each * count, self.log_prior[at] + log_prior[each])

    def with_shifts(self, shift_prior: np.ndarray) -> Survivors:
        """Every rotation with every shift; shift_prior (N, T)."""
        shifts = shift_prior.shape[1]
        image = owner(self.start)
        prior = (self.log_prior[:, None] + shift_prior[image]).ravel()
        shift = np.tile(np.arange(shifts), len(image))
        return Survivors(np.repeat(image, shifts), np.repeat(self.rotation, shifts), shift, prior, np.diff(self.start) * shifts)


def search_near(a: Tensor, b: Tensor, candidates: Candidates, grids: Grids, cut: Cutter, shift_prior: Tensor, rule: Gaussian) -> Survivors:
    """The same for per-image candidates: slices of the distinct ones are cut once for the block."""
    few = candidates.with_shifts(shift_prior.numpy())
    return narrow(few, a, b, cut, grids, rule, list(grids.looks))
