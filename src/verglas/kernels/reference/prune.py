"""Scores of all hypotheses of a block of images by one product, of which only the best are kept: the definition, in plain torch."""

import torch
from torch import Tensor

CHUNK = 4096
"""Rotations that a CPU scores at a time."""
ROUNDING = 2.0**-7
"""Part of the largest product that one stored in bfloat16 may be wrong by: 2^-9 for the result and as much for each operand, twice."""


def prune(moved: Tensor, slices: Tensor, power: Tensor, priors: tuple[Tensor, Tensor], margin: float, capacity: int) -> tuple[Tensor, Tensor] | None:
    """log p(n, t, r) = moved[n T + t] . slices[r] - power[n, r] / 2 + log prior(r) + log prior(n, t); those within `margin` of the image's best.

    moved = a h (N T, Q) and slices (R, Q) are complex vectors written as real ones, in any floating type; products are summed in float32.
    power (N, R), priors = ((R,), (N, T)) float32. Returns start (N+1,) and the positions (n T + t) R + r (K,), rising; None if K > `capacity`.
    """
    by_rotation, by_shift = priors
    images, shifts = by_shift.shape
    logp = (moved.float() @ slices.float().T).view(images, shifts, -1)
    logp += (by_rotation - power / 2)[:, None] + by_shift[:, :, None]
    logp = logp.view(images, -1)
    index = torch.nonzero((logp >= logp.amax(1, keepdim=True) - margin).view(-1))[:, 0]
    if len(index) > capacity:
        return None
    return torch.searchsorted(index, torch.arange(images + 1, device=index.device) * logp.shape[1]), index
