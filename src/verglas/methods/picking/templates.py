"""Picking with templates: every template at every in-plane angle against the whitened micrograph, in batches."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core.ctf import evaluate
from verglas.methods.picking.bank import Bank, basis_spectra
from verglas.methods.picking.choose import accepted, contest, expected_false
from verglas.methods.picking.contamination import contamination
from verglas.methods.picking.extremes import extremes
from verglas.methods.picking.field import Field, coarsen, frequencies, make_field
from verglas.methods.picking.scores import ScoreMaps, Spectra, seen_factor, spectra, twice
from verglas.types import Defocus, OpticsGroup

BATCH, CHUNK = 16, 4096
"""Transforms done at once; places compared at once, so that they stay in the cache."""
LOOK = 6
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
    """Best answers over templates and angles. A first look with every LOOK-th angle tells which contamination is not particles; it is left out."""
    fine = make_field(micrograph, pixel, options.diameter, COARSE * options.lowpass / 1.8, options.white)
    found = matched(coarsen(fine), bank, options, ctf)
    maps = best_of(found, bank, LOOK)
    xy, z, _, decoys = contest(maps, options.apart / maps.pixel)
    good = accepted(expected_false(decoys, z), 0.05)
    if good >= 8 and (bad := contamination(fine, xy[:good] * 1.8, options.diameter)).any():
        found = matched(template_field(micrograph, pixel, options, bad), bank, options, ctf)
    return best_of(found, bank)


@dataclass(frozen=True)
class Answers:
    """Of template m at each of rows * columns places of the field: mix[m] (K,) @ few (K, places), times seen (places,), 0 where nothing is seen."""

    field: Field
    mix: Tensor
    few: Tensor
    seen: Tensor


def matched(field: Field, bank: Bank, options: TemplateOptions, ctf: Ctf | None) -> Answers:
    """z_m = sum_k X conj(C T_m) L / sqrt(S) / sd_m, sd_m^2 = sum |C T_m|^2 L^2: a matched filter in its standard deviations, S the power of noise
    and clutter. C: the CTF, 1 if unknown."""
    of = spectra(field, options.diameter, options.lowpass)
    weight = of.passed / of.power**WHITENING
    weight = weight if ctf is None else weight * ctf_of(field, ctf)
    deviation = variances(bank, field, of.power * weight**2).sqrt().clamp(min=1e-30)
    seen = seen_factor(of, template_energy(bank, of)).flatten()
    return Answers(field, bank.mix / deviation[:, None], answers(bank, of.transform * weight, field), seen)


def best_of(found: Answers, bank: Bank, every: int = 1) -> ScoreMaps:
    """max over templates of z, and of -z as decoys. Only `every`-th template is looked at."""
    places = found.few.shape[1]
    best, decoy, which = torch.empty(places), torch.empty(places), torch.empty(places, dtype=torch.int32)
    mix = found.mix[::every].contiguous()
    for start in range(0, places, CHUNK):
        part = slice(start, start + CHUNK)
        extremes((mix @ found.few[:, part]).numpy(), best[part].numpy(), decoy[part].numpy(), which[part].numpy())
    return score_maps(found.field, bank, best * found.seen, decoy * found.seen, which.long() * every)


def answers(bank: Bank, weighted: Tensor, field: Field) -> Tensor:
    """sum_k X W conj(B) e^(2 pi i k x) of each basis image B: (K, rows * columns), for X W (h, w//2+1)."""
    shape, size = field.image.shape, field.size
    few = torch.empty(len(bank.basis), *size)
    for start in range(0, len(few), BATCH):
        product = basis_spectra(bank, shape)[start : start + BATCH].conj() * weighted
        few[start : start + BATCH] = torch.fft.irfft2(product, s=shape)[:, : size[0], : size[1]]
    return few.flatten(1)


def variances(bank: Bank, field: Field, power: Tensor) -> Tensor:
    """Mean square (M,) of the templates after a filter of power |W|^2 (h, w//2+1): a^T G a, G_kl = sum B_k conj(B_l) |W|^2."""
    shape = field.image.shape
    spectrum = torch.view_as_real(basis_spectra(bank, shape)).flatten(1)
    both = (power * twice(shape)).flatten().repeat_interleave(2) / field.image.numel() ** 2
    gram = torch.zeros(len(spectrum), len(spectrum))
    for start in range(0, spectrum.shape[1], 16 * CHUNK):
        some = spectrum[:, start : start + 16 * CHUNK]
        gram += (some * both[start : start + 16 * CHUNK]) @ some.T
    return ((bank.mix @ gram) * bank.mix).sum(1)


def score_maps(field: Field, bank: Bank, best: Tensor, decoy: Tensor, which: Tensor) -> ScoreMaps:
    """Flat maps of rows * columns places as they are kept."""
    template, psi = (one[which].reshape(field.size).numpy() for one in (bank.template, bank.psi))
    return ScoreMaps(best.view(field.size).numpy(), decoy.view(field.size).numpy(), template, psi, field.pixel, field.scale, field.offset)


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
