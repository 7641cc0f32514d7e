"""A first look at dense hypotheses: which come near the best of their image; the definition, in plain torch."""

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
