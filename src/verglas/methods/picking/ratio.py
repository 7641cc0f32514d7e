"""The probability ratio of a template at each place: the figure of merit of RELION's template picking."""

import torch

from verglas.methods.picking.bank import Bank, bank_spectra
from verglas.methods.picking.field import Field
from verglas.methods.picking.scores import ScoreMaps, seen_factor, spectra
from verglas.methods.picking.templates import BATCH, Ctf, TemplateOptions, ctf_of, template_energy


def ratio_scores(field: Field, bank: Bank, options: TemplateOptions, ctf: Ctf | None) -> ScoreMaps:
    """fom = (exp(-d/2) - 1) / (exp(<A^2>/2) - 1), d = -2 <A X> / sigma + <A^2>, means <> over the n pixels of the disc; the best of all A = a C T.

    1: a particle exactly like the template; 0: noise. Templates have mean 0, so the local mean drops out; sigma is that of the field's image in
    an annulus around the disc. The amplitude a of each template is fitted to its ten best places, so the grey scale of the templates is free.
    """
    of, shape = spectra(field, options.diameter, options.lowpass), field.image.shape
    weight = of.passed if ctf is None else of.passed * ctf_of(field, ctf)
    count = torch.pi * (options.diameter / 2 / field.pixel) ** 2
    inverse_sigma = 1.0 / ring_deviation(field, options.diameter)
    best, decoy = (torch.full(shape, -torch.inf) for _ in range(2))
    which = torch.zeros(shape, dtype=torch.int64)
    visible = (seen_factor(field, template_energy(bank, of)) > 0).float()
    for start in range(0, len(bank.images), BATCH):
        spectrum = bank_spectra(bank, shape, start, min(start + BATCH, len(bank.images)))
        product = torch.fft.irfft2(of.transform * weight * spectrum.conj(), s=shape) / count * inverse_sigma * visible
        square = torch.fft.irfft2(spectrum * weight, s=shape).square().sum((1, 2)) / count
        amplitude = (product.flatten(1).topk(10).values.mean(1) / square.clamp(min=1e-12)).clamp(min=1e-6)
        energy = (square * amplitude**2)[:, None, None]
        top = torch.expm1(0.5 * energy).clamp(min=1e-6)
        product *= amplitude[:, None, None]
        wrong = (torch.expm1(-product - 0.5 * energy) / top).amax(0)
        high, at = (torch.expm1(product - 0.5 * energy) / top).max(0)
        which = torch.where(high > best, at + start, which)
        best, decoy = torch.maximum(best, high), torch.maximum(decoy, wrong)
    part = slice(0, field.size[0]), slice(0, field.size[1])
    best, decoy, which = (best * visible)[part], (decoy * visible)[part], which[part]
    return ScoreMaps(best.numpy(), decoy.numpy(), bank.template[which].numpy(), bank.psi[which].numpy(), field.pixel, field.scale, field.offset)


def ring_deviation(field: Field, diameter: float) -> torch.Tensor:
    """Standard deviation (h, w) of the image over valid pixels of the annulus from 1/2 to 3/4 diameters around each place."""
    h, w = field.image.shape
    y, x = torch.fft.fftfreq(h)[:, None] * h, torch.fft.fftfreq(w)[None] * w
    radius = torch.hypot(y, x) * field.pixel / diameter
    kernel = torch.fft.rfft2(((radius >= 0.5) & (radius <= 0.75)).float()).conj()
    valid = field.valid.float()
    seen, mean, square = (
        torch.fft.irfft2(torch.fft.rfft2(one) * kernel, s=field.image.shape) for one in (valid, field.image, field.image.square())
    )
    seen = seen.clamp(min=1.0)
    return (square / seen - (mean / seen).square()).clamp(min=1e-2).sqrt()
