"""Picking with templates: every template at every in-plane angle against the whitened micrograph, in batches."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core.ctf import evaluate
from verglas.methods.picking.bank import Bank, bank_spectra
from verglas.methods.picking.choose import accepted, contest, expected_false
from verglas.methods.picking.contamination import contamination
from verglas.methods.picking.field import Field, coarsen, frequencies, make_field
from verglas.methods.picking.scores import ScoreMaps, Spectra, seen_factor, spectra, twice
from verglas.types import Defocus, OpticsGroup

BATCH = 36
WHITENING = 0.5
"""Power of S: 1 is ideal for exact templates, 1/2 found more with real averages and steps of some degrees."""
COARSE = 0.45
"""Å of a field's pixel per Å of the low-pass filter: a little finer than Nyquist."""


@dataclass(frozen=True)
class TemplateOptions:
    """diameter Å of the particle; details up to `lowpass` Å; `white`: particles are bright; distance Å between picks."""

    diameter: float
    lowpass: float = 20.0
    white: bool = False
    distance: float = 0.0

    @property
    def apart(self) -> float:
        """Å; 0 means 0.6 diameters."""
        return self.distance or 0.6 * self.diameter


@dataclass(frozen=True)
class Ctf:
    """The one row of a micrograph's defocus, and its optics."""

    defocus: Defocus
    optics: OpticsGroup


def field_pixel(pixel: float, lowpass: float) -> float:
    """Å of the fields on which templates are compared: whole micrograph pixels up to COARSE * lowpass * 5/9, and these times 9/5."""
    return 1.8 * pixel * max(1, int(COARSE * lowpass / 1.8 / pixel + 1e-6))


def template_field(micrograph: np.ndarray, pixel: float, options: TemplateOptions, bad: np.ndarray | None = None) -> Field:
    """The field of a micrograph (ny, nx) on the pixels of `field_pixel`."""
    return coarsen(make_field(micrograph, pixel, options.diameter, COARSE * options.lowpass / 1.8, options.white, bad))


def template_scores(micrograph: np.ndarray, pixel: float, bank: Bank, options: TemplateOptions, ctf: Ctf | None = None) -> ScoreMaps:
    """Best answers over templates and angles; contamination that the first picks do not explain is left out in a second pass."""
    fine = make_field(micrograph, pixel, options.diameter, COARSE * options.lowpass / 1.8, options.white)
    maps = matched(coarsen(fine), bank, options, ctf)
    xy, z, _, decoys = contest(maps, options.apart / maps.pixel)
    good = accepted(expected_false(decoys, z), 0.05)
    if good < 8:
        return maps
    bad = contamination(fine, xy[:good] * 1.8, options.diameter)
    return matched(template_field(micrograph, pixel, options, bad), bank, options, ctf) if bad.any() else maps


def matched(field: Field, bank: Bank, options: TemplateOptions, ctf: Ctf | None) -> ScoreMaps:
    """max over templates m of z_m = sum_k X conj(C T_m) L / sqrt(S) / sd_m, sd_m^2 = sum |C T_m|^2 L^2: a matched filter in its standard deviations,
    S the power of noise and clutter; and the same of -z, as decoys. C: the CTF, 1 if unknown."""
    of = spectra(field, options.diameter, options.lowpass)
    weight = of.passed / of.power**WHITENING
    weight = weight if ctf is None else weight * ctf_of(field, ctf)
    weighted, shape = of.transform * weight, field.image.shape
    best, decoy = (torch.full(shape, -torch.inf) for _ in range(2))
    which = torch.zeros(shape, dtype=torch.int64)
    power = twice(shape) * of.power * weight**2
    for start in range(0, len(bank.images), BATCH):
        spectrum = bank_spectra(bank, shape, start, min(start + BATCH, len(bank.images)))
        scale = torch.einsum("myx,yx->m", spectrum.real.square() + spectrum.imag.square(), power).sqrt() / field.image.numel()
        z = torch.fft.irfft2(weighted * spectrum.conj(), s=shape)
        z /= scale[:, None, None].clamp(min=1e-30)
        low, (high, at) = z.amin(0), z.max(0)
        which = torch.where(high > best, at + start, which)
        best, decoy = torch.maximum(best, high), torch.maximum(decoy, -low)
    seen = seen_factor(field, template_energy(bank, of))
    part = slice(0, field.size[0]), slice(0, field.size[1])
    best, decoy, which = (best * seen)[part], (decoy * seen)[part], which[part]
    return ScoreMaps(best.numpy(), decoy.numpy(), bank.template[which].numpy(), bank.psi[which].numpy(), field.pixel, field.scale, field.offset)


def template_energy(bank: Bank, of: Spectra) -> Tensor:
    """Mean square of the templates, (h, w) around pixel (0, 0): where the signal is."""
    energy = torch.zeros(of.field.image.shape)
    box = bank.images.shape[-1]
    energy[:box, :box] = bank.images.square().mean(0)
    return energy.roll((-(box // 2), -(box // 2)), (0, 1))


def ctf_of(field: Field, ctf: Ctf) -> Tensor:
    """C (h, w//2+1) of the micrograph, positive at low frequency."""
    sx, sy = frequencies(field)
    return evaluate(sx.flatten(), sy.flatten(), ctf.optics, ctf.defocus)[0].view(sx.shape)
