"""The M-step: from the tallies of both halves to their next models (Scheres 2012; RELION's auto-refine)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core import fsc as fsc_module
from verglas.core import mask as masks
from verglas.core import reconstruct
from verglas.core.reconstruct import Sums
from verglas.methods.refine.plan import MASK_EDGE_PX, Plan
from verglas.methods.refine.state import Model
from verglas.methods.refine.tally import Tally
from verglas.runtime.group import Group

MIN_OFFSET_VARIANCE = 2.0
"""Å^2."""
SCALE_RANGE = 5.0
"""Group scales stay within this factor of their median."""


def solvent_corrected_fsc(sums: tuple[Sums, Sums], mask: Tensor, generator: torch.Generator, group: Group) -> np.ndarray:
    """FSC of the masked unregularised halves with the mask's own correlation removed by phase randomisation (Chen et al. 2013). (S,)."""
    a, b = group.divide(2, lambda h: reconstruct.solve(sums[h]))
    plain = fsc_module.fsc(a, b)
    below = fsc_module.first_below(plain, 0.8)
    if below is None:
        return np.asarray(plain.double())
    ra, rb = (fsc_module.phase_randomise(x, below, generator) for x in (a, b))
    masked, randomised = fsc_module.fsc(a * mask, b * mask), fsc_module.fsc(ra * mask, rb * mask)
    out = fsc_module.corrected_fsc(masked, randomised, below, clamp=True).double()
    out[sums[0].shells + 1 :] = 0
    return np.asarray(out)


def signal_to_noise(fsc: np.ndarray, averaged: bool) -> np.ndarray:
    """SSNR = f / (1 - f), f = FSC in [0.001, 0.999]; of the average of both halves f = sqrt(2 FSC / (1 + FSC))."""
    f = np.maximum(fsc, 0.001)
    f = np.sqrt(2 * f / (1 + f)) if averaged else f
    f = np.minimum(f, 0.999)
    return np.asarray(f / (1 - f))


@dataclass(frozen=True)
class Solved:
    """A map (B, B, B) and its spectra (S,); sigma2 is that of the reference."""

    map: Tensor
    tau2: np.ndarray
    ssnr: np.ndarray
    sigma2: np.ndarray


def solve(sums: Sums, fsc: np.ndarray, averaged: bool) -> Solved:
    """The map with the prior that follows from the FSC: tau2 = SSNR sigma2, sigma2 = 1 / mean(p^3 weight) per shell."""
    weight = reconstruct.average_weight(sums).numpy()
    sigma2 = np.where(weight > 0, 1.0 / np.maximum(weight, 1e-300), 0.0)
    ssnr = signal_to_noise(fsc, averaged)
    tau2 = ssnr * sigma2
    return Solved(reconstruct.solve(sums, torch.from_numpy(tau2)), tau2, ssnr, sigma2)


def flatten_solvent(volume: Tensor, plan: Plan, pixel: float, mask: Tensor | None) -> Tensor:
    """The user's mask, or a soft sphere of the particle's diameter; outside is 0."""
    if mask is not None:
        return volume * mask
    radius = plan.diameter / (2 * pixel)
    return volume * masks.soft_sphere(volume.shape[0], radius, MASK_EDGE_PX, device=volume.device)


def noise_spectra(tally: Tally, old: np.ndarray) -> np.ndarray:
    """sigma2 (G, S) = residual power / (2 images pixels) per real component; groups without images and empty shells keep theirs."""
    count = 2 * tally.images[:, None] * tally.pixels
    new = np.where(count > 0, tally.noise / np.maximum(count, 1), old)
    for s in range(1, new.shape[1]):
        new[:, s] = np.where(new[:, s] < 1e-14, new[:, s - 1], new[:, s])
    new[:, 0] = np.where(new[:, 0] < 1e-14, new[:, 1], new[:, 0])
    return np.asarray(new)


def group_scales(tally: Tally, members: np.ndarray, old: np.ndarray) -> np.ndarray:
    """XA / AA per scale group, within [median/5, 5 median], particle-weighted mean 1. `members` (Q,) particles per group."""
    if len(members) < 2:
        return old
    new = np.where(tally.aa > 0, tally.xa / np.maximum(tally.aa, 1e-300), 1.0)
    used = members > 0
    median = float(np.median(new[used]))
    if median <= 0:
        return old
    new = np.clip(new, median / SCALE_RANGE, median * SCALE_RANGE)
    return np.asarray(np.where(used, new / (np.sum(new * members) / members.sum()), 1.0))


def update_model(model: Model, tally: Tally, plan: Plan, members: np.ndarray, keep_noise: bool) -> Model:
    """Everything of a model but its map and spectra. `keep_noise`: a correlation iteration leaves sigma2 and the scales alone."""
    n = max(tally.particles, 1)
    shared = {
        "direction_prior": tally.direction[0] / max(tally.direction.sum(), 1e-30),
        "average_pmax": tally.pmax / n, "log_likelihood": tally.log_likelihood,
        "sigma2_offset": max(tally.offset2 / (2 * n), MIN_OFFSET_VARIANCE),
    }
    if keep_noise:
        return replace(model, **shared)
    scale = group_scales(tally, members, model.scale) if plan.correct_scale else model.scale
    return replace(model, **shared, sigma2=noise_spectra(tally, model.sigma2), scale=scale)


def update_norms(norm: np.ndarray, average: float, residual: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """norm_i = (norm_i / average) sqrt(2 residual_i) for `rows`, and their new average. residual: sum over the half plane."""
    new = norm.copy()
    new[rows] = norm[rows] / average * np.sqrt(2 * residual[rows])
    return new, float(new[rows].mean())
