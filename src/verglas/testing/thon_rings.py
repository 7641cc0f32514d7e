"""Micrographs of noise with known Thon rings, for tests and benchmarks of the CTF fit."""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from verglas.methods.ctffit.lens import Aim, Lens, gamma


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
    """(side, side) float32: white specimen noise times CTF and envelope, on white noise of the detector (falling to 0.6 at Nyquist) of variance 1."""
    rng = np.random.default_rng(seed)
    ky, kx = scipy.fft.fftfreq(side)[:, None] / pixel_size, scipy.fft.rfftfreq(side)[None] / pixel_size
    k2 = kx * kx + ky * ky
    safe = np.where(k2 > 0, k2, 1.0)
    ctf = np.sin(gamma(lens, aim, k2, (kx * kx - ky * ky) / safe, 2 * kx * ky / safe))
    density = 1.0 + 3.0 * np.exp(-k2 * 40**2) + scene.ice * np.exp(-((np.sqrt(k2) - 1 / 3.7) / 0.012) ** 2)
    envelope = np.sqrt(scene.strength * density) * np.exp(-scene.bfactor * k2 / 4) * np.sinc(kx * scene.drift * pixel_size)
    specimen, shot = (scipy.fft.rfft2(rng.standard_normal((side, side), dtype=np.float32)) for _ in range(2))
    transfer = 1.0 - 0.4 * np.sqrt(k2) * 2 * pixel_size / np.sqrt(2)
    image = scipy.fft.irfft2(specimen * ctf * envelope + shot * transfer, s=(side, side))
    slope = np.linspace(-0.5, 0.5, side)[None] * scene.gradient
    shown: np.ndarray = (image * (1 + 0.3 * slope) + 5 * slope).astype(np.float32)
    return shown
