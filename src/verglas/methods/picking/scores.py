"""Whitened matched filters on a field, and the maps of their best answers."""

from dataclasses import dataclass, replace

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
    alone answers as often with either sign), template from 0, psi rad. Micrograph pixel = position * scale + offset.
    centre: if given, a pick is moved to its highest place within `reach` Å."""

    best: np.ndarray
    decoy: np.ndarray
    template: np.ndarray
    psi: np.ndarray
    pixel: float
    scale: float
    offset: float
    centre: np.ndarray | None = None
    reach: float = 0.0

    def to_micrograph(self, xy: np.ndarray) -> np.ndarray:
        """Positions (N, 2) of the maps -> pixels of the micrograph."""
        return xy * self.scale + self.offset


@dataclass(frozen=True)
class Spectra:
    """transform (h, w//2+1) of the field's image, its radial power S (noise and the clutter of particles together), passed: the low-pass filter;
    valid: transform of what is valid."""

    field: Field
    transform: Tensor
    power: Tensor
    passed: Tensor
    valid: Tensor


def spectra(field: Field, diameter: float, lowpass: float) -> Spectra:
    """S in rings of 1/(4 diameter), smoothed by a ring; the low-pass filter falls to 1/2 at `lowpass` Å."""
    transform = torch.fft.rfft2(field.image)
    sx, sy = frequencies(field)
    s = torch.hypot(sx, sy)
    ring = (s * (4.0 * diameter)).round().long().flatten()
    sums = torch.bincount(ring, transform.abs().square().flatten().double())
    curve = (sums / torch.bincount(ring).clamp(min=1)).numpy()
    curve[:2] = curve[2]
    curve = ndimage.gaussian_filter1d(np.maximum(curve, curve.max() * 1e-6), 1.0, mode="nearest")
    power = torch.from_numpy(curve).float()[ring].view(s.shape)
    return Spectra(field, transform, power, 1.0 / (1.0 + (s * lowpass) ** 8), torch.fft.rfft2(field.valid.float()))


def energy(field: Field, diameter: float, lowpass: float) -> Field:
    """The field with min(y^2 / v, 9) - local mean as image: y its details between diameter / 2 and `lowpass`, v their robust variance.

    It is high wherever there is any structure, and so shows the middle of particles that look different each time.
    """
    sx, sy = frequencies(field)
    s = torch.hypot(sx, sy)
    band = (1.0 - torch.exp(-((s * diameter / 2) ** 2))) / (1.0 + (s * lowpass) ** 8)
    square = torch.fft.irfft2(torch.fft.rfft2(field.image) * band, s=field.image.shape).square()
    usual = square[field.valid].median() / 0.455
    square = (square / usual.clamp(min=1e-12)).clamp(max=CLIPPED) * field.valid
    mean = local_mean(square.numpy(), field.valid.numpy().astype(np.float32), 2.0 * diameter / field.pixel)
    return replace(field, image=(square - torch.from_numpy(mean.astype(np.float32))) * field.valid)


def answer(of: Spectra, template: Tensor, exponent: float) -> Tensor:
    """z(x) = sum_k X conj(T) W e^(2 pi i k x) / sd with W = L / S^exponent, sd^2 = sum |T|^2 W^2 S: a filter in its standard deviations,
    (rows, columns) of the micrograph.

    template (h, w) real, its centre at pixel (0, 0), wrapped. Exponent 0 is the filter for white noise, 1 that for identical particles
    in clutter. Where only a part n of the template's energy is seen (border, left out places): z / sqrt(n).
    """
    shape = of.field.image.shape
    spectrum = torch.fft.rfft2(template)
    filtered = spectrum * of.passed / of.power**exponent
    deviation = float((filtered.abs().square() * of.power * twice(shape)).sum().sqrt()) / of.field.image.numel()
    z = torch.fft.irfft2(of.transform * filtered.conj(), s=shape) / max(deviation, 1e-30)
    seen = seen_factor(of, template * torch.fft.irfft2(filtered, s=shape))
    return z[: len(seen), : seen.shape[1]] * seen


def twice(shape: torch.Size) -> Tensor:
    """(w//2+1,) how often a column of the half plane counts in a sum over the plane."""
    weights = torch.full((shape[1] // 2 + 1,), 2.0)
    weights[0] = 1.0
    if shape[1] % 2 == 0:
        weights[-1] = 1.0
    return weights


def seen_factor(of: Spectra, energy: Tensor) -> Tensor:
    """1 / sqrt(n) (rows, columns), n(x) the part of |energy| (h, w), around pixel (0, 0), that falls on valid pixels when moved to x; 0 where that is
    too little."""
    weight = energy.abs()
    field = of.field
    seen = torch.fft.irfft2(of.valid * torch.fft.rfft2(weight).conj(), s=field.image.shape) / weight.sum().clamp(min=1e-30)
    part = slice(0, field.size[0]), slice(0, field.size[1])
    return torch.where((seen > LEAST_SEEN) & field.valid, seen.clamp(min=LEAST_SEEN).rsqrt(), 0.0)[part]
