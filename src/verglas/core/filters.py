"""Radial filters of real maps and images."""

import math

import torch
from torch import Tensor

from verglas.core.shells import Dims, radius, shell_index


def apply_radial(data: Tensor, weights: Tensor) -> Tensor:
    """Multiply the half transform of data (..., B, B[, B]) by real weights on its grid (B, [B,] B//2 + 1)."""
    axes = tuple(range(-weights.dim(), 0))
    shape = data.shape[-weights.dim():]
    return torch.fft.irfftn(torch.fft.rfftn(data, dim=axes) * weights, s=shape, dim=axes)


def raised_cosine(r: Tensor, cut: float, edge: float) -> Tensor:
    """1 for r <= cut - edge/2, 0 for r >= cut + edge/2, between 0.5 - 0.5 cos(pi (cut + edge/2 - r) / edge)."""
    if edge <= 0:
        return (r <= cut).to(r.dtype)
    x = ((cut + edge / 2 - r) / edge).clamp(0.0, 1.0)
    return 0.5 - 0.5 * torch.cos(math.pi * x)


def lowpass(data: Tensor, pixel: float, resolution: float, edge_shells: float = 2.0, dims: Dims = 3) -> Tensor:
    """Low-pass to `resolution` (Å): raised cosine of full width `edge_shells`, centred on the shell B a / resolution.

    data (..., B, B, B), or (..., B, B) with dims=2; pixel a in Å. RELION's filter of starting references and of
    post-processed maps.
    """
    box = data.shape[-1]
    r = radius(box, dims, device=data.device)
    return apply_radial(data, raised_cosine(r, box * pixel / resolution, edge_shells).to(data.dtype))


def bfactor(data: Tensor, pixel: float, b: float, dims: Dims = 3) -> Tensor:
    """Multiply by exp(-b s^2 / 4), s in 1/Å, b in Å^2: positive b blurs, negative sharpens; 0 beyond Nyquist."""
    box = data.shape[-1]
    s = radius(box, dims, device=data.device) / (box * pixel)
    gain = torch.exp(-b / 4 * s**2) * (s <= 0.5 / pixel + 1e-9)
    return apply_radial(data, gain.to(data.dtype))


def apply_shells(data: Tensor, curve: Tensor, dims: Dims = 3) -> Tensor:
    """Multiply shell i by curve[i] (S,), shells beyond the curve by 0. data (..., B, B, B), or (..., B, B): dims=2."""
    index = shell_index(data.shape[-1], dims, device=data.device)
    table = torch.cat([curve, curve.new_zeros(1)]).to(data.device, data.dtype)
    return apply_radial(data, table[index.clamp(max=len(curve))])
