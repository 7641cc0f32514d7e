"""Local optimisation of rotations and shifts, many at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from verglas.core.rotations import axis_rotation

Score = Callable[[Tensor, Tensor], Tensor]
"""Rotations (K, 3, 3) and shifts (K, 3) -> scores (K,), higher is better."""

SHRINK = 0.45
"""The region gets this much smaller when the best point lies well inside it."""


@dataclass(frozen=True, eq=False)
class Pose:
    """V'(x) = V(R x + t): rotation R (3, 3), shift t (3,) in Å, both float64, and how good it is."""

    rotation: Tensor
    shift: Tensor
    score: float


@dataclass(frozen=True, eq=False)
class Steps:
    """Size of the region of a search: angle (rad) and shift (Å; 0 keeps the shift), along directions (2 or 3, 3) of the new frame."""

    angle: float
    shift: float
    directions: Tensor

    @property
    def basis(self) -> Tensor:
        """(D, 6): what each parameter does to (w, u)."""
        d = self.directions.double()
        turn, move = (torch.kron(torch.tensor([row], dtype=torch.float64), d) for row in ((self.angle, 0.0), (0.0, self.shift)))
        return torch.cat((turn, move)) if self.shift > 0 else turn


def climb(score: Score, starts: list[Pose], steps: Steps, rounds: int) -> list[Pose]:
    """The best pose near each start: R = R0 exp[w], t = t0 + R0 u, best first.

    Each round scores a fixed pattern of points within the region, fits a quadratic to them, and goes to its highest point within
    the region (a trust region method: Conn, Gould & Toint 2000, chapter 9, with a model by regression). Every start is worked on
    in the same calls of `score`.
    """
    basis = steps.basis
    pattern = _pattern(len(basis))
    fit = torch.linalg.pinv(_monomials(pattern))
    size = [1.0] * len(starts)
    best = list(starts)
    for _ in range(rounds):
        rotations, shifts = _moved(best, pattern * torch.tensor(size, dtype=torch.float64)[:, None, None], basis)
        scores = score(rotations.flatten(0, 1), shifts.flatten(0, 1)).double().view(len(best), -1)
        tops = torch.stack([_highest(fit @ row, len(basis)) for row in scores])
        there = _moved(best, (tops * torch.tensor(size, dtype=torch.float64)[:, None])[:, None], basis)
        values = score(there[0].flatten(0, 1), there[1].flatten(0, 1)).double()
        for i in range(len(best)):
            j = int(scores[i].argmax())
            if float(values[i]) >= float(scores[i, j]):
                best[i], away = Pose(there[0][i, 0], there[1][i, 0], float(values[i])), float(tops[i].norm())
            else:
                best[i], away = Pose(rotations[i, j], shifts[i, j], float(scores[i, j])), float(pattern[j].norm())
            size[i] *= SHRINK if away < 0.7 else 1.0
    return sorted(best, key=lambda pose: -pose.score)


def _moved(starts: list[Pose], x: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations (K, X, 3, 3) and shifts (K, X, 3) at parameters x (K, X, D) from each start."""
    w, u = (x @ basis).split(3, dim=-1)
    angle = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
    unit = w / angle.clamp(min=1e-12)
    turns = torch.stack([axis_rotation(a, t) if float(t) > 0 else torch.eye(3).double() for a, t in zip(unit.view(-1, 3), angle.view(-1))])
    first = torch.stack([pose.rotation for pose in starts])
    rotations = first[:, None] @ turns.view(*x.shape[:2], 3, 3)
    return rotations, torch.stack([pose.shift for pose in starts])[:, None] + torch.einsum("kij,kxj->kxi", first, u)


def _pattern(size: int) -> Tensor:
    """(X, D) points in the unit ball, the origin first: both ways along each parameter, along each pair, and half as far."""
    eye = torch.eye(size, dtype=torch.float64)
    pairs = [(eye[i] + s * eye[j]) / 2**0.5 for i in range(size) for j in range(i) for s in (1.0, -1.0)]
    points = torch.cat((eye, -eye, torch.stack(pairs)))
    return torch.cat((torch.zeros(1, size, dtype=torch.float64), points, 0.5 * points[: 2 * size]))


def _monomials(x: Tensor) -> Tensor:
    """(X, 1 + D + D(D+1)/2): 1, x_i, x_i x_j with i <= j."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat((torch.ones(len(x), 1, dtype=x.dtype), x, x[:, i] * x[:, j]), dim=1)


def _highest(coefficients: Tensor, size: int) -> Tensor:
    """(D,) where in the unit ball the quadratic c0 + g.x + x^T Q x is highest; upward curvature counts as downward."""
    gradient = coefficients[1 : 1 + size]
    i, j = torch.triu_indices(size, size)
    hessian = torch.zeros(size, size, dtype=coefficients.dtype)
    hessian[i, j] = coefficients[1 + size :]
    curvature, axes = torch.linalg.eigh(hessian + hessian.T)
    along = axes.T @ gradient / curvature.abs().clamp(min=1e-6 * float(curvature.abs().max()) + 1e-12)
    x = axes @ along
    return x / x.norm().clamp(min=1.0)
