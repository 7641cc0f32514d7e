"""First shifts of whole frames: cross-correlation of each with the sum of the others, to whole pixels and a parabola."""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

ITERATIONS, TOLERANCE = 8, 0.3
"""At most so many rounds; done when the frames moved by less than so many px rms."""
RANGE = 60.0
"""Largest change of a shift in one round, px."""


@dataclass(frozen=True)
class Found:
    """shifts (F, 2) px, the first 0; rounds; last: rms change of the last round, px."""

    shifts: Tensor
    rounds: int
    last: float


def search(spectra: Tensor, shape: tuple[int, int], scale: float, bfactor: float) -> Found:
    """spectra (F, sy, sx // 2 + 1) of pictures `shape` = (my, mx), whose pixels are `scale` px, cut to (sy, sx).

    C_i = IFFT((R - F_i) conj(F_i) w), R = sum of all, w(k) = exp(-2 B k²), k in cycles per px (not of the pictures), on the grid
    that those of the frequencies with w > 0.01 need that are there.
    """
    my, mx = shape
    highest = (2.3 / max(bfactor, 20.0)) ** 0.5 * scale  # cycles per px of the pictures at which w = 0.01
    held = spectra.shape[1], 2 * spectra.shape[2] - 2
    size = tuple(min(n, max(16, int(2 * highest * m) // 2 * 2)) for n, m in zip(held, shape))
    half = size[0] // 2
    small = torch.cat([spectra[:, :half, : size[1] // 2 + 1], spectra[:, held[0] - half :, : size[1] // 2 + 1]], 1).clone()
    size = (2 * half, size[1])
    ky = (torch.fft.fftfreq(size[0], device=spectra.device) * (size[0] / my))[:, None]
    kx = (torch.fft.rfftfreq(size[1], device=spectra.device) * (size[1] / mx))[None]
    w = torch.exp(-2 * bfactor * (ky**2 + kx**2) / scale**2)
    w[0, 0] = 0.0
    step = torch.tensor([mx / size[1], my / size[0]], device=spectra.device)  # px of the pictures per pixel of C
    shifts = torch.zeros(len(spectra), 2, device=spectra.device)
    rounds, last = 0, float("inf")
    while rounds < ITERATIONS and last > TOLERANCE:
        total = small.sum(0)
        moved = torch.stack([_peak(torch.fft.irfft2((total - one) * one.conj() * w, s=size), RANGE / scale / float(step.max())) for one in small])
        moved = (moved - moved[:1]) * step
        shifts += moved
        for k, by in ((kx, moved[:, 0]), (ky, moved[:, 1])):
            small *= torch.polar(torch.ones_like(k), -2 * pi * by[:, None, None] * k)
        last = float((moved**2).sum(1).mean().sqrt()) * scale
        rounds += 1
    return Found((shifts - shifts[:1]) * scale, rounds, last)


def _peak(c: Tensor, reach: float) -> Tensor:
    """(2,): x, y of the largest value of c (periodic, origin at [0, 0]) within `reach`, refined by a parabola per axis."""
    ny, nx = c.shape
    ry, rx = (min(int(reach) + 1, n // 2 - 1) for n in (ny, nx))
    rows = torch.cat([c[ny - ry :], c[: ry + 1]])
    near = torch.cat([rows[:, nx - rx :], rows[:, : rx + 1]], 1)
    at = int(near.argmax())
    y, x = at // (2 * rx + 1) - ry, at % (2 * rx + 1) - rx

    def refined(low: Tensor, middle: Tensor, high: Tensor) -> float:
        bend = float(low + high - 2 * middle)
        return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * float(low - high) / bend))

    dx = refined(c[y % ny, (x - 1) % nx], c[y % ny, x % nx], c[y % ny, (x + 1) % nx])
    dy = refined(c[(y - 1) % ny, x % nx], c[y % ny, x % nx], c[(y + 1) % ny, x % nx])
    return torch.tensor([x + dx, y + dy], device=c.device)
