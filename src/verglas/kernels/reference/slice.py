"""Central slices by trilinear interpolation: the definition, in plain torch."""

import torch
from torch import Tensor

from verglas.kernels.reference.corners import corners


def cut(volume: Tensor, axes: Tensor, k: Tensor) -> Tensor:
    """S[r, p] = V(k_p[0] axes[r, 0] + k_p[1] axes[r, 1]), V interpolated from its 8 neighbours, 0 outside.

    volume (D, D, H) complex64 with the origin at (D//2, D//2, 0) and x >= 0 stored (V(-q) = conj V(q));
    axes (R, 2, 3) float32 voxels (x, y, z) per unit of k; k (P, 2) float32. Returns (R, P) complex64.
    """
    position = torch.einsum("pj,rjc->rpc", k, axes)
    index, weight, conjugate = corners(position, volume.shape[0], volume.shape[2])
    value = (volume.reshape(-1)[index] * weight).sum(-1)
    return torch.where(conjugate, value.conj(), value)
