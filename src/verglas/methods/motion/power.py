"""The spectrum of a movie that CTF estimation fits: amplitudes of short sums of frames, added, as a small picture."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Tensor

from verglas.methods.motion.conditioning import Movie

DOSE, SIZE = 4.0, 512
"""e/Å² of frames that are added before the amplitude is taken; pixels of the picture."""
FINEST = 1.4
"""Å per px of a picture whose spectrum ends where this one ends: finer frequencies carry no rings."""


@dataclass(frozen=True)
class PowerSpectrum:
    """picture (n, n) float32: amplitudes, frequency 0 at pixel (n/2, n/2); pixel k from there is k / (n pixel_size), pixel_size in Å."""

    picture: np.ndarray
    pixel_size: float


def frames_per_group(dose_rate: float) -> int:
    """Frames that together have received about DOSE; 4 where the dose is not known."""
    return max(1, round(DOSE / dose_rate)) if dose_rate > 0 else 4


def power_spectrum(movie: Movie, group: int, pixel_size: float, device: str, size: int = SIZE) -> PowerSpectrum:
    """sum over groups of |F(sum of the frames of the group)|; frames unmoved, the motion within a group being small.

    Resampled to a square of side m = min(ny, nx) (the same frequency in x and y), cut to frequencies below 1 / (2 FINEST), reduced to `size`.
    """
    count, ny, nx = movie.raw.shape
    amplitude = torch.zeros(ny, nx // 2 + 1, device=device)
    for start in range(0, count, group):
        total = movie.raw[start].astype(np.float32)
        for i in range(start + 1, min(start + group, count)):
            total += movie.raw[i]
        total *= movie.gain
        total.reshape(-1)[movie.bad] = movie.values[start:start + group].sum(0)
        amplitude += torch.fft.rfft2(torch.from_numpy(total).to(device), norm="ortho").abs()
    amplitude[0, 0] = amplitude[0, 1]  # the mean of the frames is no ring
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
    from verglas.methods.motion.sums import crop

    return torch.fft.irfft2(crop(torch.fft.rfft2(picture, norm="forward"), size), s=size, norm="forward")
