"""The coarse pass: every grid hypothesis of every image is scored, few survive (Scheres 2012, adaptive expectation)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas import kernels
from verglas.core import projection
from verglas.core.band import Band
from verglas.core.projection import Reference
from verglas.core.sampling import Grid, rotations
from verglas.methods.refine.hypotheses import Survivors, sort_survivors
from verglas.methods.refine.ragged import owner, positions


@dataclass(frozen=True)
class Gaussian:
    """Hypotheses are weighed by their likelihood; those within `fraction` of the total probability survive."""

    fraction: float


@dataclass(frozen=True)
class Correlation:
    """Hypotheses are compared by normalised cross-correlation and only the best survives: for maps of unknown scale."""


Rule = Gaussian | Correlation


@dataclass(frozen=True)
class Grids:
    """The grid of an iteration on one band: rotations by `grid` and `perturbation`; shift phases (T, P) coarse, (4 T, P) fine.

    shifts (T, 2) and fine_shifts (4 T, 2) in Å, perturbation included. `pixels` of the band are used in the coarse pass.
    """

    grid: Grid
    perturbation: float
    shifts: Tensor
    fine_shifts: Tensor
    phases: Tensor
    fine_phases: Tensor
    pixels: int


def survivors_of(rule: Rule, logp: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions (K,) in logp of the hypotheses that the rule keeps."""
    match rule:
        case Gaussian(fraction):
            least, _, _ = kernels.threshold(logp, start, fraction)
            return kernels.compact(logp, start, least)
        case Correlation():
            _, _, best = kernels.threshold(logp, start, 0.0, 1)
            return torch.arange(len(start)), best


def global_slices(reference: Reference, grids: Grids, band: Band) -> Tensor:
    """Slices (R, Pc) of the whole coarse grid, without the origin pixel: cut once, shared by all images."""
    everything = rotations(grids.grid, None, grids.perturbation)
    return projection.project(reference, everything, band, grids.pixels)[:, 1:].contiguous()


def search_everywhere(a: Tensor, b: Tensor, slices: Tensor, grids: Grids, priors: tuple[Tensor, Tensor], rule: Rule) -> Survivors:
    """log p(n, t, r) = Re(a h_t)* S_r - b |S_r|^2 / 2 + log priors as two matrix products; what the rule keeps.

    a, b (N, P) on the full band; slices (R, Pc-1); priors = (log prior of directions (D,), log prior of shifts (N, T)).
    """
    direction_prior, shift_prior = priors
    rotation_prior = direction_prior.repeat_interleave(grids.grid.psi_count)
    images, shifts, turns = len(a), len(grids.phases), len(slices)
    a, b, h = a[:, 1 : grids.pixels], b[:, 1 : grids.pixels], grids.phases[:, 1 : grids.pixels]
    moved = torch.view_as_real(a[:, None] * h).view(images * shifts, -1)
    logp = (moved @ torch.view_as_real(slices).view(turns, -1).T).view(images, shifts, turns)
    power = b @ (slices.real**2 + slices.imag**2).T
    match rule:
        case Gaussian():
            logp += (rotation_prior - power / 2)[:, None] + shift_prior[:, :, None]
        case Correlation():
            logp *= power.clamp(min=1e-30).rsqrt()[:, None]
    start = torch.arange(images + 1) * (shifts * turns)
    kept, index = survivors_of(rule, logp.view(-1), start)
    n = owner(kept.numpy())
    local = index.numpy() - n * (shifts * turns)
    shift, rotation = local // turns, local % turns
    prior = rotation_prior.numpy()[rotation] + shift_prior.numpy()[n, shift]
    return sort_survivors(n, rotation, shift, prior, images)


@dataclass(frozen=True)
class Candidates:
    """Per-image lists of coarse rotations near the last orientation: rotation and log prior (C,), start (N+1,)."""

    start: np.ndarray
    rotation: np.ndarray
    log_prior: np.ndarray

    def take(self, images: np.ndarray) -> "Candidates":
        at, start = positions(self.start, images)
        return Candidates(start, self.rotation[at], self.log_prior[at])


def search_near(a: Tensor, b: Tensor, candidates: Candidates, grids: Grids, band_reference: tuple[Band, Reference], shift_prior: Tensor, rule: Gaussian) -> Survivors:
    """The same for per-image candidates: slices of the distinct ones are cut once for the block."""
    band, reference = band_reference
    images, shifts, pixels = len(a), len(grids.phases), grids.pixels
    distinct, which = np.unique(candidates.rotation, return_inverse=True)
    slices = projection.project(reference, rotations(grids.grid, torch.from_numpy(distinct), grids.perturbation), band, pixels)
    image = owner(candidates.start)
    pairs = len(image)
    prior = torch.from_numpy(candidates.log_prior)[:, None] + shift_prior[torch.from_numpy(image)]
    logp = kernels.score(
        slices, a[:, :pixels].contiguous(), b[:, :pixels].contiguous(), grids.phases[:, :pixels].contiguous(), prior.view(-1),
        torch.from_numpy(image.astype(np.int32)), torch.from_numpy(which.astype(np.int32)), torch.arange(pairs + 1) * shifts,
        torch.arange(shifts, dtype=torch.int32).repeat(pairs),
    )
    _, index = survivors_of(rule, logp, torch.from_numpy(candidates.start) * shifts)
    pair, shift = index.numpy() // shifts, index.numpy() % shifts
    n = image[pair]
    return sort_survivors(n, candidates.rotation[pair], shift, prior.numpy()[pair, shift], images)


