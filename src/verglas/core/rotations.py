"""Rotation matrices and Euler angles in RELION's convention (ZYZ, passive).

A pose is a matrix A (3, 3) that maps object coordinates to view coordinates, so row 3 of A is the viewing direction
in the object frame, and the slice of a transform V seen in that pose is P(x, y) = V(A^T (x, y, 0)).
"""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

_DEGENERATE = 16.0 * 1.1920929e-07
"""RELION's threshold: below this sin(tilt) the tilt is 0 or pi and only rot + psi (or psi - rot) is defined."""


def euler_to_matrix(angles: Tensor) -> Tensor:
    """A = Rz(psi) Ry(tilt) Rz(rot) (..., 3, 3) of angles (..., 3) = (rot, tilt, psi) rad.

    Rz(t) = [[c, s, 0], [-s, c, 0], [0, 0, 1]] and Ry(t) = [[c, 0, -s], [0, 1, 0], [s, 0, c]].
    RELION's convention and Heymann et al. (2005)'s; transposed, scipy's active `Rotation.from_euler("ZYZ", angles)`.
    """
    ca, cb, cg = torch.cos(angles).unbind(-1)
    sa, sb, sg = torch.sin(angles).unbind(-1)
    rows = (
        cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb,
        -sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb,
        sb * ca, sb * sa, cb,
    )  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*angles.shape[:-1], 3, 3)


def matrix_to_euler(matrix: Tensor) -> Tensor:
    """(rot, tilt, psi) rad (..., 3) of A (..., 3, 3): tilt in [0, pi], rot and psi in [-pi, pi].

    psi = atan2(A12, -A02), rot = atan2(A21, A20), tilt = atan2(|(A02, A12)|, A22); where sin(tilt) vanishes rot = 0 and
    psi = atan2(-A10, A00) at tilt 0, atan2(A10, -A00) at tilt pi.
    """
    sin_tilt = torch.hypot(matrix[..., 0, 2], matrix[..., 1, 2])
    flat = sin_tilt <= _DEGENERATE
    up = torch.where(matrix[..., 2, 2] > 0, 1.0, -1.0).to(matrix.dtype)
    zero = torch.zeros_like(sin_tilt)
    psi = torch.atan2(
        torch.where(flat, -up * matrix[..., 1, 0], matrix[..., 1, 2]),
        torch.where(flat, up * matrix[..., 0, 0], -matrix[..., 0, 2]),
    )
    rot = torch.where(flat, zero, torch.atan2(matrix[..., 2, 1], matrix[..., 2, 0]))
    tilt = torch.atan2(torch.where(flat, zero, sin_tilt), matrix[..., 2, 2])
    return torch.stack((rot, tilt, psi), dim=-1)


def direction_to_vector(phi: Tensor, theta: Tensor) -> Tensor:
    """(sin theta cos phi, sin theta sin phi, cos theta), (..., 3): row 3 of A for rot = phi, tilt = theta (rad)."""
    return torch.stack((torch.sin(theta) * torch.cos(phi), torch.sin(theta) * torch.sin(phi), torch.cos(theta)), dim=-1)


def axis_rotation(axis: Sequence[float] | Tensor, angle: float | Tensor) -> Tensor:
    """The matrix R (..., 3, 3) that turns column vectors by `angle` (...) rad, right-handed about `axis` (3,).

    Rodrigues: R = 1 + sin(t) K + (1 - cos(t)) K^2, K the cross-product matrix of the unit axis. float64.
    """
    unit = torch.as_tensor(axis, dtype=torch.float64)
    x, y, z = unit / torch.linalg.vector_norm(unit)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero)).reshape(3, 3)
    t = torch.as_tensor(angle, dtype=torch.float64, device=unit.device)[..., None, None]
    one = torch.eye(3, dtype=torch.float64, device=unit.device)
    return one + torch.sin(t) * cross + (1 - torch.cos(t)) * (cross @ cross)


def random_rotations(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3, 3) float64 rotations, uniform over all rotations: unit quaternions from four normal deviates."""
    q = torch.randn(n, 4, generator=generator, dtype=torch.float64, device=generator.device)
    w, x, y, z = (q / torch.linalg.vector_norm(q, dim=1, keepdim=True)).unbind(1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, dim=1).reshape(n, 3, 3)


def angular_distance(a: Tensor, b: Tensor) -> Tensor:
    """Angle (...) rad in [0, pi] of the rotation between a and b (..., 3, 3).

    sin(t/2) = |a - b| / sqrt(8) (Frobenius) and cos(t/2) = sqrt(1 + tr(a b^T)) / 2, so small angles keep full
    precision.
    """
    sine = torch.linalg.matrix_norm(a - b) / sqrt(8.0)
    cosine = torch.sqrt(torch.clamp(1.0 + (a * b).sum((-2, -1)), min=0.0)) / 2.0
    return 2.0 * torch.atan2(sine, cosine)


def mean_axis_distance(a: Tensor, b: Tensor, operators: Tensor) -> Tensor:
    """RELION's change of orientation: min over symmetry mates of the mean angle between the axes of the two frames.

    min_s (1/3) sum_i angle(row i of a, row i of b S_s), for a, b (N, 3, 3) and operators S (S, 3, 3) -> (N,) rad.
    """
    best = torch.full(a.shape[:1], torch.inf, dtype=a.dtype, device=a.device)
    for operator in operators.to(a):
        half_chord = torch.linalg.vector_norm(a - b @ operator, dim=-1) / 2.0
        best = torch.minimum(best, (2.0 * torch.asin(torch.clamp(half_chord, max=1.0))).mean(-1))
    return best
