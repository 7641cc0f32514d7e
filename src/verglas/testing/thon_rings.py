"""Micrographs of noise with known Thon rings, for tests and benchmarks of the CTF fit."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from verglas.methods.ctffit.lens import Aim, Lens, gamma, rings

_LAYER = 80.0
"""Å between layers of thick ice, and of a tilted field."""


@dataclass(frozen=True)
class Scene:
    """strength: power of the specimen over that of the shot noise at low frequency; bfactor Å² of its decay; ice: height of a ring at 3.7 Å and
    gradient: change of brightness over the field, both relative to the specimen; drift: px of blur along x."""

    strength: float = 1.0
    bfactor: float = 60.0
    ice: float = 0.0
    gradient: float = 0.0
    drift: float = 0.0


def micrograph(lens: Lens, aim: Aim, pixel_size: float, side: int, scene: Scene, seed: int) -> np.ndarray:
    """(side, side) float32: white specimen noise times CTF and envelope, on white noise of the detector (falling to 0.6 at Nyquist) of variance 1.
    Thick ice is a sum of layers."""
    rng = np.random.default_rng(seed)
    ky, kx = scipy.fft.fftfreq(side)[:, None] / pixel_size, scipy.fft.rfftfreq(side)[None] / pixel_size
    k2 = kx * kx + ky * ky
    safe = np.where(k2 > 0, k2, 1.0)
    count = 1 + int(aim.thickness / _LAYER)
    heights = ((np.arange(count) + 0.5) / count - 0.5) * aim.thickness
    envelope = np.sqrt(scene.strength * _density(k2, scene) / count) * np.exp(-scene.bfactor * k2 / 4) * np.sinc(kx * scene.drift * pixel_size)

    def noise() -> np.ndarray:
        return scipy.fft.rfft2(rng.standard_normal((side, side), dtype=np.float32))

    specimen = sum(noise() * np.sin(gamma(lens, aim.moved(z), k2, (kx * kx - ky * ky) / safe, 2 * kx * ky / safe)) for z in heights) * envelope
    shot = noise()
    transfer = 1.0 - 0.4 * np.sqrt(k2) * 2 * pixel_size / np.sqrt(2)
    image = scipy.fft.irfft2(specimen + shot * transfer, s=(side, side))
    slope = np.linspace(-0.5, 0.5, side)[None] * scene.gradient
    shown: np.ndarray = (image * (1 + 0.3 * slope) + 5 * slope).astype(np.float32)
    return shown


def _density(k2: np.ndarray, scene: Scene) -> np.ndarray:
    """Power of the specimen over its white part."""
    density: np.ndarray = 1.0 + 3.0 * np.exp(-k2 * 40**2) + scene.ice * np.exp(-((np.sqrt(k2) - 1 / 3.7) / 0.012) ** 2)
    return density


def power(lens: Lens, aim: Aim, pixel_size: float, scene: Scene, looks: float, seed: int) -> np.ndarray:
    """(512, 512) float32, zero frequency in the middle: the power spectrum such a micrograph has at pixels of `pixel_size`, as a mean of `looks`
    tiles (gamma-distributed about its expectation). Without gradient and drift."""
    y, x = np.mgrid[-256:256, -256:256] / (512 * pixel_size)
    k2 = x * x + y * y
    safe = np.where(k2 > 0, k2, 1.0)
    square = 0.5 + rings(lens, aim, k2, (x * x - y * y) / safe, 2 * x * y / safe)
    expected = scene.strength * _density(k2, scene) * np.exp(-scene.bfactor * k2 / 2) * square + (1.0 - 0.4 * np.sqrt(2 * k2) * pixel_size) ** 2
    noisy = np.random.default_rng(seed).standard_gamma(looks, expected.shape) / looks
    mirrored = noisy.copy()
    mirrored[1:, 1:256] = noisy[1:, 257:][::-1, ::-1]
    return (expected * mirrored).astype(np.float32)


def tilted(lens: Lens, aim: Aim, pixel_size: float, side: int, slope: tuple[float, float], scene: Scene, seed: int) -> np.ndarray:
    """(side, side): every pixel from the micrograph of its own defocus, aim + slope . (x, y) (x, y in Å from the middle), in steps of 80 Å."""
    along = (np.arange(side) - (side - 1) / 2) * pixel_size
    layer = np.rint((slope[0] * along[None] + slope[1] * along[:, None]) / _LAYER).astype(int)
    image = np.empty((side, side), np.float32)
    for one in np.unique(layer):
        image[layer == one] = micrograph(lens, aim.moved(_LAYER * float(one)), pixel_size, side, scene, seed)[layer == one]
    return image


def discs(pixel_size: float, side: int, radius: float, strength: float, seed: int) -> np.ndarray:
    """(side, side): flat discs of one radius (Å) on white noise of variance 1. Their spectrum has rings, but they are not Thon rings."""
    rng = np.random.default_rng(seed)
    image, r = np.zeros((side, side), np.float32), radius / pixel_size
    y, x = np.mgrid[:2 * int(r) + 5, :2 * int(r) + 5] - int(r) - 2
    for cx, cy in rng.uniform(r + 3, side - r - 4, (int(0.05 * (side / r) ** 2), 2)):
        place = slice(int(cy) - int(r) - 2, int(cy) + int(r) + 3), slice(int(cx) - int(r) - 2, int(cx) + int(r) + 3)
        image[place] -= strength * ((x - cx % 1) ** 2 + (y - cy % 1) ** 2 < r * r)
    return image + rng.standard_normal(image.shape, dtype=np.float32)
