"""Rings and shells of the half-complex Fourier grid.

Layout: `torch.fft.rfftn` of a box of side B, last axis x = 0..B//2, the other axes in FFT order. Row i stands for the
frequency i if i <= B/2, else i - B. Shell of a coefficient = ROUND(|k|), half away from zero, k in units of 1/(B a).
"""

from typing import Literal

import torch
from torch import Tensor

Dims = Literal[2, 3]
Device = torch.device | str | None


def frequencies(box: int, device: Device = None) -> Tensor:
    """(B,) float32 signed frequencies 0, 1, ... B/2, 1 - B/2, ... -1 in FFT order (Nyquist counts as positive)."""
    i = torch.arange(box, device=device)
    return torch.where(i <= box // 2, i, i - box).to(torch.float32)


def radius(box: int, dims: Dims = 3, half: bool = True, device: Device = None) -> Tensor:
    """|k| of every coefficient, float32: (B, [B,] B//2 + 1) for `half` (rfft grid), else (B, [B,] B) (fft grid)."""
    full = frequencies(box, device)
    last = full[: box // 2 + 1] if half else full
    squared = last**2
    for _ in range(dims - 1):
        squared = squared[None] + (full**2).reshape(-1, *([1] * squared.dim()))
    return squared.sqrt()


def shell_index(box: int, dims: Dims = 3, half: bool = True, device: Device = None) -> Tensor:
    """Shell number of every coefficient, ROUND(|k|), int64, on the grid of `radius`. Corners go up to ~0.87 B (3D)."""
    return (radius(box, dims, half, device) + 0.5).floor().to(torch.int64)


def hermitian_weights(box: int, device: Device = None) -> Tensor:
    """(B//2 + 1,) float32: how many coefficients of the full transform one column of the half transform stands for.

    1 for x = 0 and, in an even box, x = B/2; 2 elsewhere. Broadcasts along the last axis.
    """
    weights = torch.full((box // 2 + 1,), 2.0, device=device)
    weights[0] = 1.0
    if box % 2 == 0:
        weights[-1] = 1.0
    return weights


def shell_sum(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Sum of values (..., *index.shape) over each shell: (..., count) float64; shells >= count are left out."""
    batch = values.shape[: values.dim() - index.dim()]
    slot = index.reshape(-1).clamp(max=count)
    flat = values.reshape(-1, slot.numel()).to(torch.float64)
    total = torch.zeros(flat.shape[0], count + 1, dtype=torch.float64, device=values.device)
    total.index_add_(1, slot, flat)
    return total[:, :count].reshape(*batch, count)


def shell_count(index: Tensor, count: int) -> Tensor:
    """(count,) int64: number of coefficients in each shell of this grid (half-plane points count once)."""
    return torch.bincount(index.reshape(-1).clamp(max=count), minlength=count + 1)[:count]


def shell_mean(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Mean of values over each shell of this grid: (..., count) float64; 0 where a shell has no coefficient."""
    return shell_sum(values, index, count) / shell_count(index, count).clamp(min=1)


def resolution_of_shell(box: int, pixel: float, count: int) -> Tensor:
    """(count,) float64 resolution in Å of shell i: B a / i; infinity for shell 0."""
    return box * pixel / torch.arange(count, dtype=torch.float64)
