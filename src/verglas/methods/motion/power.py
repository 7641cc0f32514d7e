"""The spectrum of a micrograph that CTF estimation fits, as a small picture."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor

SIZE = 512
"""Pixels of the picture."""
FINEST = 1.4
"""Å per px of a picture whose spectrum ends where this one ends: finer frequencies carry no rings."""


@dataclass(frozen=True)
class PowerSpectrum:
    """picture (n, n) float32: amplitudes, frequency 0 at pixel (n/2, n/2); pixel k from there is k / (n pixel_size), pixel_size in Å."""

    picture: np.ndarray
    pixel_size: float


def power_spectrum(micrograph: np.ndarray, pixel_size: float, device: str, size: int = SIZE) -> PowerSpectrum:
    """|F| of a sum (ny, nx) of aligned frames, with or without dose weights.

    Rings stand out of the noise of such a sum by the square root of its number of frames more than of the frames' own spectra, and motion
    within short sums of unmoved frames costs the finest of them (bench/LOG.md). Resampled to a square of side m = min(ny, nx) (the same
    frequency in x and y), cut to frequencies below 1 / (2 FINEST), reduced to `size`.
    """
    ny, nx = micrograph.shape
    amplitude = torch.fft.rfft2(torch.from_numpy(micrograph).to(device), norm="ortho").abs()
    amplitude[0, 0] = amplitude[0, 1]  # the mean is no ring
    m = min(ny, nx)
    picture = whole(amplitude, nx)
    if ny != nx:
        picture = reduce(picture, (m, m))
    inner = min(m, 2 * ceil(m * pixel_size / FINEST / 2)) if pixel_size < FINEST else m
    edge = m // 2 - inner // 2
    picture = picture[edge:edge + inner, edge:edge + inner]
    if inner > size:
        picture = reduce(picture, (size, size))
    return PowerSpectrum(picture.cpu().numpy(), m * pixel_size / inner)


def whole(half: Tensor, nx: int) -> Tensor:
    """Half plane (ny, nx // 2 + 1) of an even function -> (ny, nx) with frequency 0 at (ny // 2, nx // 2)."""
    mirrored = torch.roll(half.flip(0), 1, 0)  # row -ky
    left = mirrored[:, 1:(nx + 1) // 2].flip(1)
    return torch.roll(torch.cat([left, half], 1) if nx % 2 else torch.cat([half[:, -1:], left, half[:, :-1]], 1), half.shape[0] // 2, 0)


def reduce(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Fourier cropping of a picture to `size` (even); pixel (n/2, n/2) goes to the middle of the new one. Values are kept."""
    from verglas.core.fourier import crop

    return torch.fft.irfft2(crop(torch.fft.rfft2(picture, norm="forward"), size), s=size, norm="forward")
