"""The probability ratio of a template at each place: the figure of merit of RELION's template picking."""

import torch

from verglas.methods.picking.bank import Bank
from verglas.methods.picking.field import Field
from verglas.methods.picking.scores import ScoreMaps, seen_factor, spectra
from verglas.methods.picking.templates import CHUNK, Ctf, TemplateOptions, answers, ctf_of, score_maps, template_energy, variances


def ratio_scores(field: Field, bank: Bank, options: TemplateOptions, ctf: Ctf | None) -> ScoreMaps:
    """fom = (exp(-d/2) - 1) / (exp(<A^2>/2) - 1), d = -2 <A X> / sigma + <A^2>, means <> over the n pixels of the disc; the best of all A = a C T.

    1: a particle exactly like the template; 0: noise. Templates have mean 0, so the local mean drops out; sigma is that of the field's image in
    an annulus around the disc. The amplitude a of each template is fitted to its ten best places, so the grey scale of the templates is free.
    """
    of = spectra(field, options.diameter, options.lowpass)
    weight = of.passed if ctf is None else of.passed * ctf_of(field, ctf)
    count = torch.pi * (options.diameter / 2 / field.pixel) ** 2
    seen = seen_factor(of, template_energy(bank, of)) > 0
    part = slice(0, field.size[0]), slice(0, field.size[1])
    few = answers(bank, of.transform * weight, field) * (seen / ring_deviation(field, options.diameter)[part] / count).flatten()
    square = variances(bank, field, weight**2) * field.image.numel() / count
    chunks = [slice(start, start + CHUNK) for start in range(0, few.shape[1], CHUNK)]
    high = torch.full((len(square), 10), -torch.inf)
    for one in chunks:
        high = torch.cat((high, bank.mix @ few[:, one]), 1).topk(10).values
    amplitude = (high.mean(1) / square.clamp(min=1e-12)).clamp(min=1e-6)
    energy = (square * amplitude**2)[:, None]
    top = torch.expm1(0.5 * energy).clamp(min=1e-6)
    mix = bank.mix * amplitude[:, None]
    best, decoy, which = torch.empty(few.shape[1]), torch.empty(few.shape[1]), torch.empty(few.shape[1], dtype=torch.int64)
    for one in chunks:
        product = mix @ few[:, one]
        decoy[one] = (torch.expm1(-product - 0.5 * energy) / top).amax(0)
        best[one], which[one] = (torch.expm1(product - 0.5 * energy) / top).max(0)
    return score_maps(field, bank, best * seen.flatten(), decoy * seen.flatten(), which)


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
