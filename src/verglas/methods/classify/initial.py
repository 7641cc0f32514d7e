"""References to begin with: made from the particles themselves, or one map for all classes."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from verglas.core import filters, reconstruct
from verglas.core.mask import soft_sphere
from verglas.core.rotations import random_rotations
from verglas.core.sampling import in_plane
from verglas.core.symmetry import operators, symmetrise_map
from verglas.methods.classify.plan import ClassPlan
from verglas.methods.refine.images import contrast
from verglas.methods.refine.plan import MASK_EDGE_PX
from verglas.methods.refine.source import Source
from verglas.runtime.blocks import split
from verglas.runtime.stopwatch import Stopwatch

PARTICLES = 1000
"""Particles from which the first references are made; at least 5 for each class."""
BLOBS = 40
"""Positive ones, and as many negative ones of half the height."""
SHELL = 0.07
"""Of the box: the shell to which references made from nothing are low-passed."""


def first_lowpass(plan: ClassPlan, box: int, pixel: float) -> float:
    """Å: the user's, or what 7 % of the box's shells resolve."""
    return plan.search.initial_lowpass or box * pixel / max(1, round(SHELL * box))


def from_particles(source: Source, box: int, pixel: float, plan: ClassPlan, generator: torch.Generator) -> np.ndarray:
    """Random blobs with the scale of averages at random angles: (K, B, B, B), or (K, 1, B, B) in 2D (RELION's --grad initialisation).

    With a point group the averages themselves, over its rotations: they have the radial profile of the particle, and what is in the
    particle and repeats with the group grows from there; blobs would have to be forgotten first.
    """
    lowpass = first_lowpass(plan, box, pixel)
    averages = _random_averages(source, box, plan, max(1, round(box * pixel / lowpass)), generator)
    dims: Literal[2, 3] = 2 if plan.flat else 3
    group = operators("C1" if plan.flat else plan.search.symmetry)
    out = []
    for average in averages:
        smooth = _filtered(average, pixel, lowpass, plan.flat)
        if len(group) > 1:
            start = symmetrise_map(smooth, group)
            start = _filtered((start - start.mean()) * (average.std() / start.std().clamp(min=1e-30)), pixel, lowpass, plan.flat)
        else:
            start = _filtered(_blobs(smooth, plan.search.diameter / pixel, generator), pixel, lowpass, plan.flat)
        out.append(start * soft_sphere(box, plan.search.diameter / (2 * pixel), MASK_EDGE_PX, dims))
    return torch.stack(out).numpy()


def from_map(volume: np.ndarray, pixel: float, plan: ClassPlan) -> np.ndarray:
    """One map (B, B, B), or one for each class (K, B, B, B), low-passed -> (K, B, B, B)."""
    maps = volume if volume.ndim == 4 else np.repeat(volume[None], plan.classes, axis=0)
    lowpass = plan.search.initial_lowpass
    return np.stack([filters.lowpass(torch.from_numpy(np.array(m)), pixel, lowpass).numpy() if lowpass > 0 else m for m in maps])


def _filtered(volume: Tensor, pixel: float, resolution: float, flat: bool) -> Tensor:
    return filters.lowpass(volume, pixel, resolution, dims=2 if flat else 3)


def _random_averages(source: Source, box: int, plan: ClassPlan, shells: int, generator: torch.Generator) -> list[Tensor]:
    """Particle i in class i mod K at a random angle, CTF-weighted, unregularised."""
    particles, n = source.particles, len(source.particles)
    order = torch.randperm(n, generator=generator)[: max(PARTICLES, 5 * plan.classes)].numpy()
    shells = max(2, shells // 2)
    sums = [reconstruct.empty_sums(box, plan.search.padding, shells, flat=plan.flat) for _ in range(plan.classes)]
    for g, spectra in enumerate(source.spectra):
        rows = np.sort(order[particles.optics_index[order] == g])
        for block in split(rows, 256):
            geo, mine = spectra.full, np.flatnonzero(source.share.mine[block])
            pixels = geo.band.upto(shells)
            psi = 2 * torch.pi * torch.rand(len(block), generator=generator, dtype=torch.float64)
            turns = (in_plane(psi) if plan.flat else random_rotations(len(block), generator))[torch.from_numpy(mine)]
            if len(mine) == 0:
                continue
            x = spectra.get(block[mine], np.zeros((len(mine), 2), np.int64), Stopwatch(), pixels).whole
            c = contrast(geo, particles.take(block[mine]), np.ones(len(particles.group_names)), plan.search.ctf)[:, :pixels]
            for one in range(plan.classes):
                at = torch.from_numpy(np.flatnonzero(mine % plan.classes == one))
                reconstruct.accumulate(sums[one], (x * c)[at], (c * c)[at], turns[at], geo.band)
    source.share.group.sum_(*(array for total in sums for array in (total.data, total.weight)))
    for total in sums:
        reconstruct.complete(total, operators("C1"))
    return [reconstruct.solve(total) for total in sums]


def _blobs(average: Tensor, diameter: float, generator: torch.Generator) -> Tensor:
    """Sum of Gaussians exp(-(10 r / d)^2) at random places, positive ones and negative ones of half the height, sd as before."""
    depth, box = len(average), average.shape[-1]
    spread = diameter / (7 if depth == 1 else 6)
    axes = [torch.arange(n, dtype=torch.float32) for n in (depth, box, box)]
    out = torch.zeros_like(average)
    for i in range(2 * BLOBS):
        centre = box / 2 + spread * torch.randn(3, generator=generator)
        centre = centre.clamp(0, box - 1)
        centre[0] = 0.0 if depth == 1 else centre[0]
        z, y, x = (torch.exp(-((10 / diameter * (axis - c)) ** 2)) for axis, c in zip(axes, centre))
        height = average[tuple(int(c) for c in centre)].abs() * (1.0 if i < BLOBS else -0.5)
        out += height * z[:, None, None] * y[:, None] * x
    return (out - out.mean()) * (average.std() / out.std().clamp(min=1e-30))
