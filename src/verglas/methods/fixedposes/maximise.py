"""The M-step: class maps as damped differences from the consensus, noise spectra, class sizes, scales of the particles."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core import fsc as shell_correlation
from verglas.core import reconstruct
from verglas.core.filters import apply_shells
from verglas.core.reconstruct import Sums
from verglas.methods.fixedposes.expect import Tally

SCALES = (0.2, 5.0)
"""Scales of particles stay within this range."""
CERTAIN = 0.999
"""The largest FSC that a signal-to-noise ratio is made from."""


@dataclass(frozen=True)
class Solved:
    """Of one class: its damped `difference` from the consensus, that of each half of the particles (2, m, m, m), the undamped `halves`
    (2, m, m, m), and two FSC curves (S,): of the halves' differences and of the halves' whole maps (the resolution of the class)."""

    difference: Tensor
    by_half: Tensor
    halves: Tensor
    fsc_difference: np.ndarray
    fsc_map: np.ndarray


def solve_class(pair: tuple[Sums, Sums], consensus: Tensor, masks: tuple[Tensor, Tensor], operators: Tensor, first: int = 1) -> Solved:
    """A Wiener filter whose prior is 'as the consensus'; masks = (solvent, focus), each (m, m, m); `first`: the first shell that is
    compared. Completes the sums in place.

    The sums hold residuals against the consensus, so what they give is the difference. A half map with FSC f to the other one, within the
    focus mask, has SSNR f / (1 - f) and is multiplied by f; their mean by 2 f / (1 + f). What the halves do not share is damped to nothing.
    """
    solvent, focus = masks
    for sums in pair:
        reconstruct.complete(sums, operators)
    halves = torch.stack([reconstruct.solve(sums) for sums in pair])
    f = smooth(shell_correlation.fsc(halves[0] * focus, halves[1] * focus), first, pair[0].shells)
    whole = shell_correlation.fsc((halves[0] + consensus) * solvent, (halves[1] + consensus) * solvent)
    difference = apply_shells(halves.mean(0), 2 * f / (1 + f)) * focus
    return Solved(difference, apply_shells(halves, f) * focus, halves, f.numpy(), whole.numpy())


def smooth(fsc: Tensor, first: int, last: int) -> Tensor:
    """Shells `first` .. `last` averaged with their neighbours (1, 2, 1); within [0, 0.999]; coarser shells as they are, finer ones 0."""
    inner = fsc[first : last + 1]
    padded = torch.cat((inner[:1], inner, inner[-1:]))
    out = torch.zeros_like(fsc)
    out[:first] = fsc[:first]
    out[first : last + 1] = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    out[0] = out[1]
    return out.clamp(0.0, CERTAIN)


def noise_spectra(tally: Tally, old: np.ndarray) -> np.ndarray:
    """sigma2 (G, S) = residual power / (2 images pixels) per real component; shells beyond those compared, and empty ones, keep theirs."""
    count = 2 * tally.images[:, None] * tally.pixels
    inside = tally.noise.shape[1]
    new = old.copy()
    good = (count > 0) & (tally.noise > 0)
    new[:, :inside] = np.where(good, tally.noise / np.maximum(count, 1), old[:, :inside])
    return new


def particle_scales(tally: Tally, rows: np.ndarray) -> np.ndarray:
    """(n,) scales of `rows`, mean 1: the least-squares scale XA / AA drawn towards the mean by how uncertain it is (1 / AA).

    With v the variance of the true scales, estimated as that of XA / AA minus the mean of 1 / AA:
    s = (XA + m / v) / (AA + 1 / v), m the mean scale.
    """
    aa = np.maximum(tally.aa[rows], 1e-12)
    raw = np.clip(tally.xa[rows] / aa, *SCALES)
    mean = float(np.average(raw, weights=aa))
    spread = max(float(np.average((raw - mean) ** 2, weights=aa)) - len(raw) / float(aa.sum()), 1e-6)
    new = (tally.xa[rows] + mean / spread) / (aa + 1.0 / spread)
    new = np.clip(new / mean, *SCALES)
    return np.asarray(new / new.mean())
