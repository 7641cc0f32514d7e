"""Particle images of a map with a known truth, in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core import ctf
from verglas.core.aberrations import odd_phase
from verglas.core.band import Band, make_band
from verglas.core.fourier import forward, inverse
from verglas.core.mask import distance_from_centre
from verglas.core.projection import Reference, prepare_reference, project
from verglas.core.rotations import euler_to_matrix
from verglas.core.shells import radius
from verglas.core.shifts import phases
from verglas.types import Map, OpticsGroup, Particles

BACKGROUND = 0.45
"""The background of an image lies outside this share of the box, measured from its centre."""
SAMPLE = 50
"""Images from which the signal variance is measured."""


@dataclass(frozen=True)
class NoNoise:
    """Exact images: not normalised, on the scale of the map."""


@dataclass(frozen=True)
class WhiteNoise:
    """Independent in every pixel; snr = variance of the signal (with CTF) over that of the noise, over whole images."""

    snr: float


@dataclass(frozen=True)
class ColouredNoise:
    """Like white noise of this `snr` in all, with a spectrum falling as 1 / (1 + (knee s)^2); knee in Å."""

    snr: float
    knee: float = 15.0


Noise = NoNoise | WhiteNoise | ColouredNoise


@dataclass(frozen=True)
class ImageBlock:
    """pixels (n, B, B) float32 of the particles `rows` (n,), all of one optics group and in the order of its stack."""

    rows: np.ndarray
    pixels: np.ndarray


def images(
    volume: Map, truth: Particles, noise: Noise, seed: int = 1, block: int = 256, device: str = "cpu"
) -> Iterator[ImageBlock]:
    """Images of all particles, group by group and stack by stack, in blocks.

    Image = projection in the pose, times CTF and odd aberrations of its group, moved by -origin, plus noise; scaled
    so that the background has mean 0 and standard deviation 1, as after extraction (not with NoNoise). The particle is
    white. The noise of a particle depends on `seed` and its row alone, not on `block`.
    """
    data = torch.from_numpy(np.ascontiguousarray(volume.data, dtype=np.float32)).to(device)
    reference = prepare_reference(data, 2.0)
    sigma = _noise_sigma(volume, reference, truth, noise)
    for group in range(len(truth.optics)):
        rows = np.flatnonzero(truth.optics_index == group)
        rows = rows[np.lexsort((truth.images.index[rows], truth.images.stack[rows]))]
        for start in range(0, len(rows), block):
            some = rows[start : start + block]
            yield ImageBlock(some, _noisy(volume, reference, truth.take(some), noise, sigma, (seed, some)))


def clean(volume: Map, reference: Reference, particles: Particles) -> Tensor:
    """Noiseless images (n, B, B) of particles that share one optics group, as a camera would see them.

    F(k) = C(k) exp(i phi(k)) P(A^T k) exp(+2 pi i k.origin / (B a)), up to Nyquist. Scaled so that a pixel is the sum
    of the map's voxels along z, whatever the box and pixel size of the image.
    """
    group = particles.optics[particles.optics_index[0]]
    band, ratio = _band(volume, group)
    band = band.to(reference.volume.device)
    rotations = euler_to_matrix(torch.from_numpy(particles.poses.angles)).to(reference.volume.device)
    values = project(reference, rotations, band) * ratio**2
    shifts = torch.from_numpy(-particles.poses.origin / group.pixel_size).to(values.device)
    values = values * phases(shifts, band.k[:, 0], band.k[:, 1], group.box)
    sx, sy = (band.k / (group.box * group.pixel_size)).to(torch.float64).T
    modulation = ctf.evaluate(sx, sy, group, particles.defocus)
    power = 2 if group.ctf_premultiplied else 1
    values = values * modulation**power * torch.polar(torch.ones_like(sx), odd_phase(sx, sy, group)).to(torch.complex64)
    return inverse(band.scatter(values), group.box)


def _band(volume: Map, group: OpticsGroup) -> tuple[Band, float]:
    """The band of the group's images up to the finer of the two Nyquist limits, and (B a) of map over image."""
    ratio = volume.box * volume.pixel_size / (group.box * group.pixel_size)
    return make_band(group.box, volume.box // 2, ratio, group.magnification), ratio


def _noisy(
    volume: Map, reference: Reference, particles: Particles, noise: Noise, sigma: float, seed: tuple[int, np.ndarray]
) -> np.ndarray:
    """Clean images plus noise, normalised; (n, B, B) float32."""
    pixels = clean(volume, reference, particles)
    if isinstance(noise, NoNoise):
        return pixels.numpy(force=True)
    group = particles.optics[particles.optics_index[0]]
    pixels = pixels + sigma * _noise(noise, group, particles, seed).to(pixels.device)
    return normalise(pixels).numpy(force=True)


def _noise(noise: Noise, group: OpticsGroup, particles: Particles, seed: tuple[int, np.ndarray]) -> Tensor:
    """(n, B, B) noise of variance 1, shaped by its spectrum, and by the CTF in a group of premultiplied images."""
    shape = (group.box, group.box)
    draws = [np.random.default_rng([seed[0], 1, int(row)]).standard_normal(shape, dtype=np.float32) for row in seed[1]]
    values = torch.from_numpy(np.stack(draws))
    if isinstance(noise, WhiteNoise) and not group.ctf_premultiplied:
        return values
    s = radius(group.box, 2) / (group.box * group.pixel_size)
    spectrum = forward(values)
    if isinstance(noise, ColouredNoise):
        power = 1.0 / (1.0 + (noise.knee * s) ** 2)
        spectrum = spectrum * (power / power.mean()).sqrt()
    if group.ctf_premultiplied:
        band = make_band(group.box, group.box // 2)
        sx, sy = (band.k / (group.box * group.pixel_size)).to(torch.float64).T
        spectrum = band.scatter(band.gather(spectrum) * ctf.evaluate(sx, sy, group, particles.defocus))
    return inverse(spectrum, group.box)


def normalise(pixels: Tensor) -> Tensor:
    """(n, B, B) with mean 0 and standard deviation 1 outside a circle of radius 0.45 B in each image."""
    outside = distance_from_centre(pixels.shape[-1], 2, pixels.device) > BACKGROUND * pixels.shape[-1]
    background = pixels[:, outside]
    mean, sd = background.mean(1)[:, None, None], background.std(1, correction=0)[:, None, None]
    return (pixels - mean) / sd


def _noise_sigma(volume: Map, reference: Reference, truth: Particles, noise: Noise) -> float:
    """Standard deviation of the noise from the variance of a sample of noiseless images: sqrt(var / snr)."""
    if isinstance(noise, NoNoise):
        return 0.0
    sample = np.unique(np.linspace(0, len(truth) - 1, SAMPLE).astype(int))
    pixels = []
    for group in np.unique(truth.optics_index[sample]):
        some = sample[truth.optics_index[sample] == group]
        pixels.append(clean(volume, reference, truth.take(some)).flatten())
    return float(np.sqrt(float(torch.cat(pixels).var(correction=0)) / noise.snr))
