"""Scores of all hypotheses of a block of images by one product, of which only the best are kept: the definition, in plain torch."""

import torch
from torch import Tensor

ROUNDING = 2.0**-7
"""Part of the largest cross term that a bfloat16 product may be wrong by: 2^-9 for the result and as much for each operand, twice."""


def near(product: Tensor, bias: Tensor, prior: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions in (N, T, R), rising, of the hypotheses with log p >= max - margin.

    log p[n, t, r] = product[n T + t, r] + bias[n, r] + prior[n, t]; product (N T, R) float32 or bfloat16, bias (N, R) and prior (N, T)
    float32. A bfloat16 product widens the margin by ROUNDING x the largest |product| of the image.
    """
    cross = product.float().view(*prior.shape, -1)
    value = (cross + bias[:, None] + prior[:, :, None]).flatten(1)
    if product.dtype == torch.bfloat16:
        floor = value.amax(1) - margin - ROUNDING * cross.abs().flatten(1).amax(1)
    else:
        floor = value.amax(1) - margin
    keep = value >= floor[:, None]
    start = torch.zeros(len(keep) + 1, dtype=torch.int64, device=keep.device)
    start[1:] = keep.sum(1).cumsum(0)
    return start, torch.nonzero(keep.view(-1))[:, 0]


def prune(moved: Tensor, slices: Tensor, power: Tensor, priors: tuple[Tensor, Tensor], margin: float, capacity: int) -> tuple[Tensor, Tensor] | None:
    """log p(n, t, r) = moved[n T + t] . slices[r] - power[n, r] / 2 + log prior(r) + log prior(n, t); those within `margin` of the image's best.

    moved = a h (N T, Q) and slices (R, Q) are complex vectors written as real ones, in any floating type; products are summed in float32.
    power (N, R), priors = ((R,), (N, T)) float32. Returns start (N+1,) and the positions (n T + t) R + r (K,), rising; None if K > `capacity`.
    A product that is stored in bfloat16, as on CPUs, has a wider margin, see `near`.
    """
    start, index = near(moved.float() @ slices.float().T, priors[0] - power / 2, priors[1], margin)
    return None if len(index) > capacity else (start, index)
