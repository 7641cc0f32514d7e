"""How well poses are determined: the smallest change of a pose that 99 % of the likelihood can tell (RELION's expected errors)."""

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection
from verglas.core.projection import Reference
from verglas.core.rotations import euler_to_matrix
from verglas.core.shifts import phases
from verglas.methods.refine.images import Geometry

TELLABLE = 4.60517
"""-ln 0.01."""
PARTICLES = 100
"""Particles looked at in every iteration."""


def _ladder(steps: list[tuple[float, float]]) -> Tensor:
    """Rising values from 0 with an increment that depends on the range: (below this, add this)."""
    values, e = [], 0.0
    for limit, increment in steps:
        while e < limit - 1e-9:
            e += increment
            values.append(e)
    return torch.tensor(values, dtype=torch.float64)


ANGLES = torch.deg2rad(_ladder([(0.2, 0.05), (1, 0.1), (2, 0.2), (5, 0.5), (10, 1), (20, 2), (30, 5)]))
OFFSETS_PX = _ladder([(1, 0.1), (2, 0.2), (5, 0.5), (10, 1)])


def expected_errors(reference: Reference, angles: Tensor, power: Tensor, geo: Geometry, generator: torch.Generator) -> tuple[float, float]:
    """Mean over particles of the smallest tellable change in one random Euler angle (rad) and of one random coordinate (Å).

    A change is tellable when sum (s_g C)^2 |P(A) - P(A')|^2 / 2 sigma2 > 4.605 over the half plane. angles (N, 3) rad are the
    current poses, power (N, P) = (s_g C)^2 / sigma2.
    """
    n, steps = len(angles), len(ANGLES)
    base = projection.project(reference, euler_to_matrix(angles), geo.band)
    which = torch.randint(0, 3, (n,), generator=generator)
    turned = angles[:, None].repeat(1, steps, 1)
    turned[torch.arange(n), :, which] += ANGLES
    moved = projection.project(reference, euler_to_matrix(turned.view(-1, 3)), geo.band).view(n, steps, -1)
    apart = ((moved - base[:, None]).abs().square_() * power[:, None]).sum(-1) / 2
    axis = torch.nn.functional.one_hot(torch.randint(0, 2, (n,), generator=generator), 2).double()
    shift = phases((axis[:, None] * OFFSETS_PX[:, None]).reshape(-1, 2), geo.band.k[:, 0], geo.band.k[:, 1], geo.band.box)
    shifted = (1 - shift.view(n, len(OFFSETS_PX), -1)).abs().square_()
    apart_offset = (shifted * (base.abs() ** 2 * power)[:, None]).sum(-1) / 2
    return _first(apart, ANGLES), _first(apart_offset, OFFSETS_PX) * geo.pixel


def _first(apart: Tensor, ladder: Tensor) -> float:
    """Mean over particles of the first value whose change is tellable, the last one if none is."""
    tellable = apart > TELLABLE
    first = torch.where(tellable.any(1), tellable.float().argmax(1), len(ladder) - 1)
    return float(np.asarray(ladder[first]).mean())
