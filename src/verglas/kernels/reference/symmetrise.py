"""Point-group sums of a Fourier volume: the definition, in plain torch."""

import torch
from torch import Tensor

from verglas.kernels.reference.corners import corners


def symmetrise(data: Tensor, weight: Tensor, operators: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """data'(k) = sum_R data(R k), weight'(k) = sum_R weight(R k), trilinear; sums, not averages; 0 beyond `radius` voxels.

    data (D, D, H) complex64, weight (D, D, H) float32, operators (S, 3, 3).
    """
    size, half = data.shape[0], data.shape[2]
    g = torch.arange(size, device=data.device, dtype=torch.float32) - size // 2
    k = torch.stack(torch.meshgrid(g, g, torch.arange(half, device=data.device).float(), indexing="ij")[::-1], -1).reshape(-1, 3)
    inside = (k * k).sum(1) <= radius * radius
    k = k[inside]
    new_data, new_weight = torch.zeros_like(data), torch.zeros_like(weight)
    for operator in operators.to(k):
        index, w, conjugate = corners(k @ operator.T, size, half)
        value = (data.reshape(-1)[index] * w).sum(-1)
        new_data.view(-1)[inside] += torch.where(conjugate, value.conj(), value)
        new_weight.view(-1)[inside] += (weight.reshape(-1)[index] * w).sum(-1)
    return new_data, new_weight
