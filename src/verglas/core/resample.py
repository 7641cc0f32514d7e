"""Change of box and pixel size by band-limited (Fourier) interpolation; the centre stays at pixel B//2.

Both ways are separable and exact for a periodic, band-limited signal: values are kept (a constant stays the constant).
"""

import math

import torch
from torch import Tensor

from verglas.core.shells import Dims


def resize_map(data: Tensor, box: int) -> Tensor:
    """Maps (..., B, B, B) on `box`^3 voxels of the same field of view, pixel a B / box: Fourier crop or zero fill.

    The cube of frequencies is kept when shrinking; the Nyquist plane is folded when shrinking and split when growing,
    so that growing and shrinking back is the identity.
    """
    return _resize(data, box, 3)


def resize_images(data: Tensor, box: int) -> Tensor:
    """Images (..., B, B) on box x box pixels of the same field of view; see `resize_map`."""
    return _resize(data, box, 2)


def resample(data: Tensor, pixel_from: float, pixel_to: float, box: int | None = None, dims: Dims = 3) -> Tensor:
    """Maps (or images, dims=2) at any other pixel size (Å) in a box of any side (default: nearest even to B a / a').

    x'_j = sum_k X_k exp(2 pi i k (j - B'//2)(a'/a) / B) on each axis, |k| <= B/2 min(1, a/a'): the exact trigonometric
    interpolant, without frequencies beyond the new Nyquist. Accuracy is that of the number type (1e-6 in float32).
    Positions outside the old box (a pixel or more past its last) are 0.
    """
    old = data.shape[-1]
    new = box if box is not None else nearest_even(old * pixel_from / pixel_to)
    matrix = _interpolation_matrix(old, new, pixel_to / pixel_from).to(data.device, data.dtype)
    for axis in range(-dims, 0):
        data = torch.tensordot(data.movedim(axis, -1), matrix, dims=([-1], [1])).movedim(-1, axis)
    return data.contiguous()


def nearest_even(value: float) -> int:
    """The even whole number nearest to value, at least 2."""
    return max(2, 2 * math.floor(value / 2 + 0.5))


def _resize(data: Tensor, box: int, dims: int) -> Tensor:
    for axis in range(-dims, 0):
        if data.shape[axis] != box:
            data = _resize_axis(data, box, axis)
    return data


def _resize_axis(data: Tensor, new: int, axis: int) -> Tensor:
    """One axis of `resize_map`: rfft about pixel B//2, keep min(B, new)//2 + 1 frequencies, inverse of length `new`."""
    old = data.shape[axis]
    spectrum = torch.fft.rfft(data.roll(-(old // 2), axis), dim=axis)
    least = min(old, new)
    kept = spectrum.narrow(axis, 0, least // 2 + 1).clone()
    if least % 2 == 0:
        kept.select(axis, least // 2).mul_(2.0 if new < old else 0.5)
    return torch.fft.irfft(kept, n=new, dim=axis).roll(new // 2, axis) * (new / old)


def _interpolation_matrix(old: int, new: int, step: float) -> Tensor:
    """(new, old) float64: row j = weights of the trigonometric interpolant at old pixel B//2 + (j - B'//2) step."""
    position = (torch.arange(new, dtype=torch.float64) - new // 2) * step
    source = torch.arange(old, dtype=torch.float64) - old // 2
    limit = min(old / 2, old / (2 * step))
    k = torch.arange(int(limit + 1e-9) + 1, dtype=torch.float64)
    weight = torch.full_like(k, 2.0)
    weight[0] = 1.0
    if old % 2 == 0 and k[-1] == old / 2:
        weight[-1] = 1.0
    angle = 2 * math.pi / old
    cos = torch.cos(angle * position[:, None] * k) * weight @ torch.cos(angle * k[:, None] * source)
    sin = torch.sin(angle * position[:, None] * k) * weight @ torch.sin(angle * k[:, None] * source)
    inside = (position > -(old // 2) - 1) & (position < old - old // 2)
    return (cos + sin) / old * inside[:, None]
