"""Whitened matched filters on a field, and the maps of their best answers."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from verglas.methods.picking.field import Field, frequencies, local_mean

CLIPPED = 9.0
"""Energy above so many times the usual is contamination more often than signal."""
LEAST_SEEN = 0.35
"""Where less than this part of a template's signal lies in the field nothing is looked for."""


@dataclass(frozen=True)
class ScoreMaps:
    """(rows, columns) of the field: best matched-filter answer in standard deviations of the micrograph, decoy the best of minus it (what noise
    alone answers as often with either sign), template from 0, psi rad. Micrograph pixel = position * scale + offset."""

    best: np.ndarray
    decoy: np.ndarray
    template: np.ndarray
    psi: np.ndarray
    pixel: float
    scale: float
    offset: float

    def to_micrograph(self, xy: np.ndarray) -> np.ndarray:
        """Positions (N, 2) of the maps -> pixels of the micrograph."""
        return xy * self.scale + self.offset


@dataclass(frozen=True)
class Whitened:
    """channels (C, h, w): the field's image, and the energy of its details. transforms (C, h, w//2+1); precision (C, C, h, w//2+1) the inverse
    of their radial power and cross spectra S, noise and clutter together; passed (h, w//2+1) the low-pass filter, 0 to 1."""

    field: Field
    channels: Tensor
    transforms: Tensor
    precision: Tensor
    passed: Tensor


def whiten(field: Field, diameter: float, lowpass: float) -> Whitened:
    """The field's spectra; the low-pass filter falls to 1/2 at `lowpass` Å. The energy of details finds particles that look different each time."""
    sx, sy = frequencies(field)
    s = torch.hypot(sx, sy)
    passed = 1.0 / (1.0 + (s * lowpass) ** 8)
    channels = torch.stack((field.image, energy(field, s, diameter, lowpass)))
    transforms = torch.fft.rfft2(channels)
    return Whitened(field, channels, transforms, precision(transforms, s, diameter), passed)


def energy(field: Field, s: Tensor, diameter: float, lowpass: float) -> Tensor:
    """min(y^2, 9 v) / v - local mean, with y the details of the image between diameter / 2 and `lowpass` and v their robust variance; (h, w)."""
    band = (1.0 - torch.exp(-((s * diameter / 2) ** 2))) / (1.0 + (s * lowpass) ** 8)
    details = torch.fft.irfft2(torch.fft.rfft2(field.image) * band, s=field.image.shape)
    square = details.square()
    middle = square[field.valid].median() / 0.455
    square = (square / middle).clamp(max=CLIPPED) * field.valid
    mean = local_mean(square.numpy(), field.valid.numpy().astype(np.float32), 2.0 * diameter / field.pixel)
    return (square - torch.from_numpy(mean.astype(np.float32))) * field.valid


def precision(transforms: Tensor, s: Tensor, diameter: float) -> Tensor:
    """The inverse of S_ab(|s|) = <F_a F_b*> over rings of 1/(4 diameter), smoothed by a ring: (C, C, h, w//2+1) float32."""
    ring = (s * (4.0 * diameter)).round().long()
    count = torch.bincount(ring.flatten()).clamp(min=1)
    channels = len(transforms)
    curves = np.empty((len(count), channels, channels))
    for a in range(channels):
        for b in range(channels):
            sums = torch.bincount(ring.flatten(), (transforms[a] * transforms[b].conj()).real.flatten().double())
            curves[:, a, b] = (sums / count).numpy()
    curves[:2] = curves[2]
    curves = ndimage.gaussian_filter1d(curves, 1.0, axis=0, mode="nearest")
    diagonal = np.einsum("kaa->ka", curves)
    curves += np.einsum("ka,ab->kab", 1e-3 * diagonal + 1e-9 * diagonal.max(0), np.eye(channels))
    return torch.from_numpy(np.linalg.inv(curves)).float()[ring].permute(2, 3, 0, 1)


def answer(white: Whitened, template: Tensor) -> Tensor:
    """z(x) = sum_k X^T L S^-1 conj(T) e^(2 pi i k x) / sd, (h, w): the matched filter in its standard deviations, sd^2 = sum L^2 T^+ S^-1 T.

    template (C, h, w) real, its centre at pixel (0, 0), wrapped. Where only a part n of its energy is seen (border, left out places), z / sqrt(n).
    """
    field = white.field
    spectrum = torch.fft.rfft2(template)
    filtered = torch.einsum("abyx,byx->ayx", white.precision.to(spectrum.dtype), spectrum) * white.passed
    twice = torch.full((spectrum.shape[-1],), 2.0)
    twice[0] = 1.0
    if field.image.shape[1] % 2 == 0:
        twice[-1] = 1.0
    variance = float(((spectrum.conj() * filtered).real.sum(0) * white.passed * twice).sum())
    deviation = sqrt(max(variance, 1e-30)) / field.image.numel()
    z = torch.fft.irfft2((white.transforms * filtered.conj()).sum(0), s=field.image.shape) / deviation
    return z * seen_factor(field, (template * torch.fft.irfft2(filtered, s=field.image.shape)).sum(0))


def seen_factor(field: Field, energy: Tensor) -> Tensor:
    """1 / sqrt(n), n(x) the part of `energy` (h, w), around pixel (0, 0), that falls on valid pixels when moved to x; 0 where too little is seen."""
    valid = torch.fft.rfft2(field.valid.float())
    seen = torch.fft.irfft2(valid * torch.fft.rfft2(energy).conj(), s=field.image.shape) / energy.sum()
    return torch.where((seen > LEAST_SEEN) & field.valid, seen.clamp(min=LEAST_SEEN).rsqrt(), 0.0)
