"""Fourier shell correlation, the resolution read from it, and its correction for what a mask adds."""

import math

import numpy as np
import torch
from torch import Tensor

from verglas.core.shells import radius, shell_index, shell_sum


def fsc(a: Tensor, b: Tensor) -> Tensor:
    """FSC of two real maps (B, B, B): (B//2 + 1,) float64 for shells 0..B/2, with FSC(0) = 1. See `fsc_fourier`."""
    return fsc_fourier(torch.fft.rfftn(a, dim=(-3, -2, -1)), torch.fft.rfftn(b, dim=(-3, -2, -1)), a.shape[-1])


def fsc_fourier(fa: Tensor, fb: Tensor, box: int) -> Tensor:
    """FSC(s) = sum Re(A B*) / sqrt(sum |A|^2 sum |B|^2) over shell s of half transforms (B, B, B//2 + 1).

    Harauz & van Heel 1986. The sums run over the points of the half transform, each once, as RELION counts them: both
    Friedel mates of the plane x = 0 are stored, so they count twice against the rest. FSC(0) = 1; 0 for an empty shell.
    """
    count = box // 2 + 1
    index = shell_index(box, 3, device=fa.device)
    cross = shell_sum(fa.real * fb.real + fa.imag * fb.imag, index, count)
    power = shell_sum(fa.real**2 + fa.imag**2, index, count) * shell_sum(fb.real**2 + fb.imag**2, index, count)
    curve = torch.where(power > 0, cross / power.clamp(min=1e-300).sqrt(), torch.zeros_like(cross))
    curve[0] = 1.0
    return curve


def first_below(curve: Tensor | np.ndarray, threshold: float) -> int | None:
    """First shell i >= 1 where the curve is below the threshold, or None."""
    below = np.flatnonzero(np.asarray(curve)[1:] < threshold)
    return int(below[0]) + 1 if len(below) else None


def resolution_at(curve: Tensor, threshold: float, box: int, pixel: float) -> float:
    """Resolution in Å = B a / i for i the last shell before the curve first falls below the threshold (RELION's rule).

    No interpolation. Nyquist (of the last shell given) if it never does; infinity if it already does in shell 1.
    """
    first = first_below(curve, threshold)
    last = len(curve) - 1 if first is None else first - 1
    return box * pixel / last if last > 0 else math.inf


def phase_randomise(data: Tensor, shell: int, generator: torch.Generator) -> Tensor:
    """The map (B, B, B) with random phases at |k| >= `shell` (not rounded), as RELION does, amplitudes kept.

    The phases are those of the transform of white noise: uniform, and Hermitian by construction, so the result is real
    and every amplitude is kept exactly. `generator` lives on the CPU; a seed gives the same phases on any device.
    """
    noise = torch.randn(data.shape, generator=generator, dtype=data.dtype).to(data.device)
    phase = torch.fft.rfftn(noise)
    transform = torch.fft.rfftn(data)
    scrambled = transform.abs() * phase / phase.abs().clamp(min=1e-30)
    outside = radius(data.shape[-1], 3, device=data.device) >= shell
    return torch.fft.irfftn(torch.where(outside, scrambled, transform), s=data.shape)


def corrected_fsc(masked: Tensor, randomised: Tensor, randomise_shell: int, clamp: bool) -> Tensor:
    """FSC without the part that the mask itself makes (Chen et al. 2013).

    From the curves (S,) of the masked maps and of the masked phase-randomised maps:

    FSC_true = FSC_m for shells < randomise_shell + 2, else (FSC_m - FSC_r) / (1 - FSC_r).
    `clamp`: 0 where FSC_r > FSC_m (used inside a refinement); post-processing does not clamp.
    """
    shells = torch.arange(len(masked), device=masked.device)
    true = (masked - randomised) / (1.0 - randomised).clamp(min=1e-12)
    if clamp:
        true = torch.where(randomised > masked, torch.zeros_like(true), true)
    true = torch.where(shells < randomise_shell + 2, masked, true)
    true[0] = true[0] if true[0] > 0 else 1.0
    return true
