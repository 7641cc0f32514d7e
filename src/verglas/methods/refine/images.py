"""From pixels to the quantities of the likelihood: shift, mask, transform, correct, gather (Scheres 2012; RELION's order of steps)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core import ctf, fourier
from verglas.core.aberrations import odd_phase
from verglas.core.band import Band, make_band
from verglas.core.ctf import CtfOptions
from verglas.core.mask import apply_soft_sphere
from verglas.methods.refine.plan import MASK_EDGE_PX
from verglas.types import OpticsGroup, Particles


@dataclass(frozen=True)
class Geometry:
    """How images of one optics group relate to the model: `band` in model shells, `pixel` Å, `gain` of a slice's amplitude.

    A slice of the model, times `gain`, is the transform of an image of this group with unit noise outside the particle:
    ((B a) / (B_i a_i))^2 a_i / a for images normalised to a background of standard deviation 1.
    """

    group: OpticsGroup
    band: Band
    gain: float

    @property
    def pixel(self) -> float:
        return self.group.pixel_size

    @property
    def frequencies(self) -> tuple[Tensor, Tensor]:
        """(P,) sx, sy in 1/Å."""
        s = self.band.k.double() / (self.group.box * self.group.pixel_size)
        return s[:, 0], s[:, 1]

    def to(self, device: str) -> "Geometry":
        return replace(self, band=self.band.to(device))


def geometry(group: OpticsGroup, box: int, pixel: float, shells: int) -> Geometry:
    """For a model of `box` voxels of `pixel` Å and model shells 0 .. `shells`."""
    scale = box * pixel / (group.box * group.pixel_size)
    scale = 1.0 if abs(scale - 1) < 1e-6 else scale
    band = make_band(group.box, shells, scale, tuple(group.magnification))
    return Geometry(group, band, scale**2 * group.pixel_size / pixel)


@dataclass(frozen=True)
class Spectra:
    """Transforms of N images on the P pixels of a band: `masked` for the likelihood, `whole` for the reconstruction; power (N, S).

    `power` is the masked image's sum of |X|^2 over the half plane in shells of the model, to Nyquist. `centre` (N, 2) Å is
    the whole-pixel shift that has been applied.
    """

    masked: Tensor
    whole: Tensor
    power: Tensor
    centre: Tensor


@dataclass(frozen=True)
class Corrections:
    """What is done to the images of an optics group after the transform: `demodulate` (P,) complex, from odd aberrations and the MTF."""

    demodulate: Tensor | None

    def to(self, device: str) -> "Corrections":
        return Corrections(None if self.demodulate is None else self.demodulate.to(device))


Mtf = tuple[np.ndarray, np.ndarray]
"""(frequency in 1/px of the detector, value), rising frequencies."""


def corrections(geo: Geometry, mtf: Mtf | None) -> Corrections:
    """exp(-i phi) of the odd aberrations over MTF(s a_original); None where both are trivial."""
    sx, sy = geo.frequencies
    phase = odd_phase(sx, sy, geo.group)
    factor = torch.polar(torch.ones_like(phase), -phase)
    if mtf is not None:
        s = torch.hypot(sx, sy).numpy() * geo.group.original_pixel_size
        factor = factor / torch.from_numpy(np.interp(s, *mtf))
    trivial = bool((factor == 1).all())
    return Corrections(None if trivial else factor.to(torch.complex64))


def whole_pixels(origin: np.ndarray, pixel: float) -> np.ndarray:
    """Stored origins (N, 2) Å rounded to whole pixels, half away from zero -> (N, 2) int64."""
    x = origin / pixel
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64)


def transform(images: Tensor, shift: Tensor, full: Geometry, diameter: float, correction: Corrections) -> Spectra:
    """Images (N, B, B) moved by `shift` (N, 2) px, masked to `diameter` Å, transformed on `full.band` and corrected there.

    Masked pixels become the weighted mean of the image's background (RELION's zero_mask).
    """
    moved = fourier.integer_shift(images, shift)
    radius = diameter / (2 * full.pixel)
    band = full.band
    whole = band.gather(fourier.forward(moved))
    masked = band.gather(fourier.forward(apply_soft_sphere(moved, radius, MASK_EDGE_PX, "background mean", 2)))
    if correction.demodulate is not None:
        whole, masked = whole * correction.demodulate, masked * correction.demodulate
    power = shell_sums(masked.abs() ** 2, band)
    return Spectra(masked, whole, power, shift * full.pixel)


def shell_sums(values: Tensor, band: Band) -> Tensor:
    """(N, P) -> (N, S) sums over the shells of the band."""
    out = torch.zeros(values.shape[0], len(band.shell_start) - 1, device=values.device)
    return out.index_add_(1, band.shell, values)


def contrast(geo: Geometry, particles: Particles, scale: np.ndarray, options: CtfOptions) -> Tensor:
    """s_g C gain (N, P) float32: what multiplies a slice to predict an image; C^2 for CTF-premultiplied data."""
    c = ctf.evaluate(*geo.frequencies, geo.group, particles.defocus, options)
    c = c * c if geo.group.ctf_premultiplied else c
    factor = torch.from_numpy(scale[particles.group] * geo.gain).float()
    return c.mul_(factor[:, None].to(c))
