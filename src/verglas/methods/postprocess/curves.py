"""The FSC curves of two half maps, with and without a mask."""

import numpy as np
import torch
from torch import Tensor

from verglas.core.fsc import corrected_fsc, first_below, fsc, phase_randomise
from verglas.methods.postprocess.options import Randomise, RandomiseBelow, RandomiseFrom, Settings
from verglas.methods.postprocess.result import FscCurves

PARTICLE_SHARE = 0.476
"""Share of a box's volume that a sphere of the box's half width fills, less the soft edge (RELION's constant)."""
PROTEIN_DENSITY = 0.81
"""Da per cubic Å of protein."""


def fsc_curves(half1: Tensor, half2: Tensor, mask: Tensor | None, pixel: float, settings: Settings) -> FscCurves:
    """All curves of maps (B, B, B), pixel in Å. Without a mask: the unmasked curve alone.

    True FSC after Chen et al. 2013: see `core.fsc.corrected_fsc`, unclamped.
    """
    unmasked = fsc(half1, half2)
    box = half1.shape[-1]
    weight_share = box_share_by_weight(box, pixel, settings.molecular_weight)
    by_weight = None if weight_share is None else part_fsc(unmasked.numpy(force=True), weight_share)
    shell = randomise_shell(unmasked, box, pixel, settings.randomise)
    if mask is None:
        return FscCurves(unmasked.numpy(force=True), unmasked.numpy(force=True), weight_fraction=by_weight)
    masked = fsc(half1 * mask, half2 * mask)
    generators = [torch.Generator().manual_seed(2 * settings.seed + i) for i in (0, 1)]
    random = [phase_randomise(h, shell, g) * mask for h, g in zip((half1, half2), generators, strict=True)]
    randomised = fsc(random[0], random[1])
    true = corrected_fsc(masked, randomised, shell, clamp=False)
    share = box_share_of_mask(mask)
    return FscCurves(
        unmasked.numpy(force=True), true.numpy(force=True), masked.numpy(force=True), randomised.numpy(force=True),
        part_fsc(unmasked.numpy(force=True), share), by_weight, shell,
    )


def randomise_shell(unmasked: Tensor, box: int, pixel: float, choice: Randomise) -> int:
    """First shell whose phases are randomised; the last shell if the curve never falls that low."""
    match choice:
        case RandomiseFrom(resolution):
            return max(1, int(box * pixel / resolution))
        case RandomiseBelow(level):
            first = first_below(unmasked, level)
            return len(unmasked) - 1 if first is None else first


def part_fsc(unmasked: np.ndarray, share: float) -> np.ndarray:
    """FSC of the particle alone: f_p = F f / (1 + (F - 1) f), F the `share` (Sindelar & Grigorieff 2012)."""
    return share * unmasked / (1.0 + (share - 1.0) * unmasked)


def box_share_of_mask(mask: Tensor) -> float:
    """F = 0.476 / share of the voxels where the mask is above one half."""
    return PARTICLE_SHARE / float((mask > 0.5).to(torch.float64).mean())


def box_share_by_weight(box: int, pixel: float, dalton: float | None) -> float | None:
    """F = 0.476 (B a)^3 * 0.81 / W with W in Da."""
    return None if dalton is None else PARTICLE_SHARE * (box * pixel) ** 3 * PROTEIN_DENSITY / dalton
