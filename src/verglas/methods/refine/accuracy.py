"""How well poses are determined: the smallest change of a pose that 99 % of the likelihood can tell (RELION's expected errors)."""

import torch
from torch import Tensor

from verglas.core import projection
from verglas.core.projection import Reference
from verglas.core.rotations import euler_to_matrix
from verglas.core.shifts import phases
from verglas.methods.refine.images import Geometry
from verglas.runtime.group import ALONE, Group

TELLABLE = 4.60517
"""-ln 0.01."""
PARTICLES = 100
"""Particles looked at in every iteration."""
BLOCK = 8 << 20
"""Pixels of moved slices that are made at once."""


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


def expected_errors(
    reference: Reference, angles: Tensor, power: Tensor, geo: Geometry, generator: torch.Generator, flat: bool = False,
    group: Group = ALONE,
) -> tuple[float, float]:
    """Mean over particles of the smallest tellable change in one random Euler angle (rad) and of one random coordinate (Å).

    A change is tellable when sum (s_g C)^2 |P(A) - P(A')|^2 / 2 sigma2 > 4.605 over the half plane. angles (N, 3) rad are the
    current poses, power (N, P) = (s_g C)^2 / sigma2. `flat`: only psi is changed. The processes of the group share the work.
    """
    n, pixels = len(angles), len(geo.band)
    which = torch.randint(2 if flat else 0, 3, (n,), generator=generator)
    turned = angles[:, None].repeat(1, len(ANGLES), 1)
    turned[torch.arange(n), :, which] += ANGLES
    axis = torch.nn.functional.one_hot(torch.randint(0, 2, (n,), generator=generator), 2).double()
    angle, offset = torch.zeros(2, n, dtype=torch.float64)
    own = torch.arange(n)[group.rank :: group.size]
    for rows in own.split(max(1, BLOCK // (len(ANGLES) * pixels))) if len(own) else ():
        base = projection.project(reference, euler_to_matrix(angles[rows]), geo.band)
        moved = projection.project(reference, euler_to_matrix(turned[rows].view(-1, 3)), geo.band).view(len(rows), -1, pixels)
        angle[rows] = _first(((moved - base[:, None]).abs().square_() * power[rows, None]).sum(-1) / 2, ANGLES)
        steps = (axis[rows, None] * OFFSETS_PX[:, None]).reshape(-1, 2)
        shifted = (1 - phases(steps, geo.band.k[:, 0], geo.band.k[:, 1], geo.band.box)).abs().square_().view(len(rows), -1, pixels)
        offset[rows] = _first((shifted * (base.abs() ** 2 * power[rows])[:, None]).sum(-1) / 2, OFFSETS_PX)
    group.sum_(angle, offset)
    return float(angle.mean()), float(offset.mean()) * geo.pixel


def _first(apart: Tensor, ladder: Tensor) -> Tensor:
    """The first value of the ladder whose change is tellable, for each row of apart (N, L); the last one if none is."""
    tellable = apart > TELLABLE
    return ladder[torch.where(tellable.any(1), tellable.float().argmax(1), len(ladder) - 1)]
