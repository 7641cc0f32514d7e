"""Insertion of slices into a Fourier volume, the exact transpose of `slice.cut`: the definition, in plain torch."""

import torch
from torch import Tensor

from verglas.kernels.reference.corners import corners


def add(data: Tensor, weight: Tensor, values: Tensor, weights: Tensor, axes: Tensor, k: Tensor) -> None:
    """data (D, D, H) complex64 and weight (D, D, H) float32 += trilinear splats of values (R, P) and weights (R, P), in place."""
    position = torch.einsum("pj,rjc->rpc", k, axes)
    index, w, conjugate = corners(position, data.shape[0], data.shape[2])
    used = (weights != 0)[..., None]
    value = torch.where(conjugate, values.conj(), values)[..., None] * (w * used)
    data.view(-1).index_add_(0, index.reshape(-1), value.reshape(-1))
    weight.view(-1).index_add_(0, index.reshape(-1), (weights[..., None] * w).reshape(-1))
