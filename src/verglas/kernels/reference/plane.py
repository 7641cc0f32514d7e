"""Rotated copies of a 2D transform by bilinear interpolation and their transpose: the definitions, in plain torch."""

import torch
from torch import Tensor


def cut(volume: Tensor, axes: Tensor, k: Tensor) -> Tensor:
    """S[r, p] = V(k_p[0] axes[r, 0] + k_p[1] axes[r, 1]), V interpolated from its 4 neighbours, 0 outside.

    volume (1, D, H) complex64 with the origin at (0, D//2, 0) and x >= 0 stored; axes (R, 2, 3), of which x and y are used.
    """
    index, weight, conjugate = _corners(axes, k, volume.shape)
    value = (volume.reshape(-1)[index] * weight).sum(-1)
    return torch.where(conjugate, value.conj(), value)


def add(data: Tensor, weight: Tensor, values: Tensor, weights: Tensor, axes: Tensor, k: Tensor) -> None:
    """data (1, D, H) and weight (1, D, H) += bilinear splats of values (R, P) and weights (R, P), in place."""
    index, w, conjugate = _corners(axes, k, data.shape)
    used = (weights != 0)[..., None]
    value = torch.where(conjugate, values.conj(), values)[..., None] * (w * used)
    data.view(-1).index_add_(0, index.reshape(-1), value.reshape(-1))
    weight.view(-1).index_add_(0, index.reshape(-1), (weights[..., None] * w).reshape(-1))


def _corners(axes: Tensor, k: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor, Tensor]:
    """Flat indices (R, P, 4), weights (R, P, 4), and whether the Friedel mate was taken (R, P); 0 beyond D // 2 - 1.5."""
    centre, half = shape[1] // 2, shape[2]
    position = torch.einsum("pj,rjc->rpc", k, axes)[..., :2]
    inside = (position * position).sum(-1) <= (centre - 1.5) ** 2
    conjugate = position[..., 0] < 0
    q = torch.where(conjugate[..., None], -position, position) * inside[..., None]
    q = q + torch.tensor([0, centre], dtype=q.dtype, device=q.device)
    low = q.floor()
    f, i = q - low, low.long()
    index, weight = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            index.append((i[..., 1] + dy) * half + i[..., 0] + dx)
            weight.append((f[..., 0] if dx else 1 - f[..., 0]) * (f[..., 1] if dy else 1 - f[..., 1]) * inside)
    return torch.stack(index, -1), torch.stack(weight, -1), conjugate
