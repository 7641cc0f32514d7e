"""Grids of in-plane shifts (Å), their prior, and the phase ramps that apply them (pixels)."""

from math import ceil, sqrt

import torch
from torch import Tensor


def offset_grid(range_a: float, step_a: float) -> Tensor:
    """Points (i, j) step inside a circle, (T, 2) float64 Å: |point| <= sqrt(range^2 + 0.001), as RELION does.

    The tolerance keeps points that lie on the circle but for rounding. The order is x-major; range 0 gives the origin
    alone.
    """
    reach = ceil(range_a / step_a) if range_a > 0 else 0
    axis = torch.arange(-reach, reach + 1, dtype=torch.float64) * step_a
    points = torch.cartesian_prod(axis, axis)
    return points[torch.linalg.vector_norm(points, dim=1) <= sqrt(range_a**2 + 0.001)]


def offset_children(points: Tensor, step_a: float, oversampling: int = 1) -> Tensor:
    """The 4^o finer shifts of each grid point, (T, 2) Å -> (T, 4^o, 2) Å.

    Along each axis the cell of width `step_a` is cut into 2^o: -step/2 + (k + 1/2) step / 2^o. Oversampling 0 returns
    the points.
    """
    parts = 2**oversampling
    axis = ((torch.arange(parts, dtype=torch.float64) + 0.5) / parts - 0.5) * step_a
    return points[:, None, :] + torch.cartesian_prod(axis, axis).to(points)


def perturb_offsets(points: Tensor, perturbation: float, step_a: float) -> Tensor:
    """Points (..., 2) Å with an iteration's random perturbation: that many coarse steps added to both coordinates."""
    return points + perturbation * step_a


def offset_log_prior(points: Tensor, old: Tensor, prior: Tensor, sigma2: float) -> Tensor:
    """log of the Gaussian prior on shifts up to a constant: -|old_n + point_t - prior_n|^2 / (2 sigma2) -> (N, T).

    points (T, 2), old = stored offset and prior = its expected value (N, 2), all Å; sigma2 Å^2 per axis. sigma2 = 0
    means uniform: zeros.
    """
    if sigma2 <= 0.0:
        return torch.zeros(old.shape[0], points.shape[0], dtype=points.dtype, device=points.device)
    residual = (old - prior)[:, None, :] + points[None, :, :]
    return residual.square().sum(-1) / (-2.0 * sigma2)


def phases(shifts_px: Tensor, kx: Tensor, ky: Tensor, box: int) -> Tensor:
    """exp(-2 pi i (kx sx + ky sy) / box), (T, P) complex64: times a transform it moves the content by +s pixels.

    shifts_px (T, 2) pixels; kx, ky (P,) Fourier indices of a box of side `box`. Turns are reduced in float64 before the
    sine.
    """
    s = shifts_px.to(torch.float64) / box
    turns = s[:, :1] * kx.to(torch.float64) + s[:, 1:] * ky.to(torch.float64)
    angle = ((turns - torch.round(turns)) * (-2.0 * torch.pi)).to(torch.float32)
    return torch.polar(torch.ones_like(angle), angle)
