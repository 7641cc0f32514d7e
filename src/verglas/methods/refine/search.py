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
from verglas.methods.refine.ragged import owner, positions, starts
from verglas.runtime.products import tf32


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
"""Log units: measured to lose no accuracy (bench/LOG.md)."""
LOOKS = (0.35, 0.6)
"""Parts of the radius that are looked at first."""
SMALL = 400
"""Pixels below which a first look is not worth its while."""
MANY = 50_000
"""Hypotheses of an image from which a rough product and the rescoring of its best are faster than one exact product."""
DENSE = 0.1
"""Share of hypotheses left by the first look above which products are faster than lists."""
Cutter = Callable[[Pairs, int], tuple[Tensor, np.ndarray]]
"""Pairs and a number of pixels -> slices (U, at least pixels) and the row in them of every pair (K,) int32."""


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


@dataclass(frozen=True)
class Shared:
    """Slices of the whole coarse grid and all classes, cut once for all images: `whole` (K R, Pc) complex.

    `first` (K R, 2 (look - 1)) real and `power` (K R, look - 1), |S|^2, are what a first look needs, on `look` pixels without the origin;
    `first` in bfloat16 where such products are faster. first None: one look at everything.
    """

    whole: Tensor
    first: Tensor | None
    power: Tensor | None
    look: int


def shared_slices(references: tuple[Reference, ...], grids: Grids, band: Band, bfloat: bool) -> Shared:
    """`bfloat`: make the first look in bfloat16, a single one only if hypotheses are MANY."""
    matrices = rotations(grids.grid, None, grids.perturbation)
    whole = torch.cat([projection.project(reference, matrices, band, grids.looks[-1]) for reference in references])
    look = grids.looks[0]
    bfloat = bfloat and (len(grids.looks) > 1 or len(whole) * len(grids.phases) >= MANY)
    if len(grids.looks) == 1 and not bfloat:
        return Shared(whole, None, None, look)
    part = whole[:, 1:look]
    first = torch.view_as_real(part.contiguous()).view(len(whole), -1)
    return Shared(whole, first.bfloat16() if bfloat else first, part.real**2 + part.imag**2, look)


def search_everywhere(a: Tensor, b: Tensor, shared: Shared, grids: Grids, priors: tuple[Tensor, Tensor], rule: Rule) -> Survivors:
    """log p(n, t, r) = Re(a h_t)* S_r - b |S_r|^2 / 2 + log priors as two matrix products; what the rule keeps.

    a, b (N, P) on the full band; priors = (log prior of classes and directions (K D,), log prior of shifts (N, T)).
    What comes near the best at a first look is scored further out; either kind of first look leaves the same.
    """
    if isinstance(rule, Correlation) or shared.first is None:
        return _all(a, b, shared.whole, grids, priors, rule)
    few = _first(a, b, shared, grids, priors)
    if few is None:
        return _all(a, b, shared.whole, grids, priors, rule)
    seen = 0 if shared.first.dtype == torch.bfloat16 else shared.look  # what bfloat16 lets through by its wider margin is cut again in float32
    more = [pixels for pixels in grids.looks if pixels > seen or pixels == grids.looks[-1]]
    return narrow(few, a, b, lambda pairs, pixels: (shared.whole, pairs.rotations[pairs.number].astype(np.int32)), grids, rule, more)


def narrow(few: Survivors, a: Tensor, b: Tensor, cut: Cutter, grids: Grids, rule: Rule, looks: list[int]) -> Survivors:
    """A short list scored on more and more pixels; those near the best stay, at the last look those that the rule keeps."""
    for pixels in looks:
        pairs = hypotheses.group(few, (1, 1))
        few = rescore(few, pairs, (a, b), cut(pairs, pixels), pixels, grids, rule if pixels == looks[-1] else Near(MARGIN))
    return few


def _moved(a: Tensor, grids: Grids, pixels: int) -> Tensor:
    """a h_t (N T, 2 (pixels - 1)) real, the origin left out."""
    return torch.view_as_real(a[:, None, 1:pixels] * grids.phases[:, 1:pixels]).view(len(a) * len(grids.phases), -1)


def _first(a: Tensor, b: Tensor, shared: Shared, grids: Grids, priors: tuple[Tensor, Tensor]) -> Survivors | None:
    """What comes within MARGIN of the best at the first look; None if that is too much for lists."""
    assert shared.first is not None and shared.power is not None
    by_rotation, images = priors[0].repeat_interleave(grids.grid.psi_count), len(a)
    with tf32():
        power = b[:, 1 : shared.look] @ shared.power.T
    moved, capacity = _moved(a, grids, shared.look).to(shared.first.dtype), int(DENSE * images * len(grids.phases) * len(shared.first))
    found = kernels.prune(moved, shared.first, power, (by_rotation, priors[1]), MARGIN, max(capacity, images))
    return None if found is None else _listed(*found, len(shared.first), grids, priors)


def _all(a: Tensor, b: Tensor, slices: Tensor, grids: Grids, priors: tuple[Tensor, Tensor], rule: Rule) -> Survivors:
    """What the rule keeps of everything, on the pixels of `slices`."""
    direction_prior, shift_prior = priors
    images, shifts, (turns, pixels) = len(a), len(grids.phases), slices.shape
    s = slices[:, 1:]
    logp = (_moved(a, grids, pixels) @ torch.view_as_real(s.contiguous()).view(turns, -1).T).view(images, shifts, turns)
    power = b[:, 1:pixels] @ (s.real**2 + s.imag**2).T
    if isinstance(rule, Correlation):
        logp *= power.clamp(min=1e-30).rsqrt()[:, None]
    else:
        logp += (direction_prior.repeat_interleave(grids.grid.psi_count) - power / 2)[:, None] + shift_prior[:, :, None]
    kept, index = survivors_of(rule, logp.view(-1), torch.arange(images + 1, device=a.device) * (shifts * turns))
    return _listed(kept, index, turns, grids, priors)


def _listed(start: Tensor, index: Tensor, turns: int, grids: Grids, priors: tuple[Tensor, Tensor]) -> Survivors:
    """Positions in (N, T, turns) as columns, sorted by image, then rotation, then shift."""
    shifts, count = len(grids.phases), start.diff()
    image = torch.repeat_interleave(torch.arange(len(count), device=index.device), count, output_size=len(index))
    rotation, shift = index % turns, index // turns % shifts
    key = ((image * turns + rotation) * shifts + shift).sort().values
    rotation, shift = key // shifts % turns, key % shifts
    prior = priors[0][rotation // grids.grid.psi_count] + priors[1][image, shift]
    return Survivors(*(np.asarray(column.numpy(force=True)) for column in (image, rotation, shift, prior, count)))


def rescore(
    few: Survivors, pairs: Pairs, images: tuple[Tensor, Tensor], slices: tuple[Tensor, np.ndarray], pixels: int, grids: Grids, rule: Rule | Near
) -> Survivors:
    """What the rule keeps of a short list once it is scored on `pixels`; slices = (U, >= pixels) and which of them each pair has."""
    a, b, h = (x[:, :pixels].contiguous() for x in (*images, grids.phases))
    image, number, start, shift = (torch.from_numpy(x).to(a.device) for x in (pairs.image, slices[1], pairs.start, pairs.shift))
    logp = kernels.score(slices[0], a, b, h, torch.from_numpy(pairs.log_prior).to(a.device), image, number, start, shift)
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
