"""The eight neighbours of a position in a half Fourier volume and their trilinear weights."""

import torch
from torch import Tensor


def corners(position: Tensor, size: int, half: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flat indices (..., 8), weights (..., 8) and whether the Friedel mate was taken (...), for positions (..., 3) = x, y, z.

    Positions with x < 0 are negated (their value is the conjugate). Weights are 0 beyond size // 2 - 1.5 voxels.
    """
    centre = size // 2
    inside = (position * position).sum(-1) <= (centre - 1.5) ** 2
    conjugate = position[..., 0] < 0
    q = torch.where(conjugate[..., None], -position, position) * inside[..., None]
    q = q + torch.tensor([0, centre, centre], dtype=q.dtype, device=q.device)
    low = q.floor()
    f = q - low
    i = low.long()
    index, weight = [], []
    for dz in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                index.append(((i[..., 2] + dz) * size + i[..., 1] + dy) * half + i[..., 0] + dx)
                w = [f[..., c] if d else 1 - f[..., c] for c, d in enumerate((dx, dy, dz))]
                weight.append(w[0] * w[1] * w[2] * inside)
    return torch.stack(index, -1), torch.stack(weight, -1), conjugate
