"""Small movies with particles in ice that drift, for tests of the whole way from movies to a map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
import tifffile

from verglas.io.mrc import write_map
from verglas.methods.simulate.design import DefocusSpread, Design, UniformPoses, design, optics_group
from verglas.methods.simulate.images import NoNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.types import Particles


@dataclass(frozen=True)
class Field:
    """`pixel` Å, 200 kV, Cs 1.4 mm, amplitude contrast 0.1; `dose` e/Å² per frame; `grid` particles along each side; contrast: their standard
    deviation, and that of the ice, as a share of the mean brightness."""

    side: int = 1024
    pixel: float = 2.4
    frames: int = 8
    dose: float = 3.0
    box: int = 88
    grid: int = 8
    contrast: tuple[float, float] = (0.16, 0.04)


def write_movies(folder: Path, number: int, field: Field = Field(), seed: int = 1) -> Particles:
    """movie_000.tiff ... in `folder`, and the map of what is in them as truth.mrc; particles in the order of the grids, row by row."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = phantom(field.box, field.pixel, "D2", 300.0, seed)
    write_map(folder / "truth.mrc", volume)
    each = field.grid**2
    poses, spread = UniformPoses(3.0), DefocusSpread(9000.0, 16000.0, 0.0)
    truths = [design(Design(each, (optics_group(field.pixel, field.box),), poses, spread, each, seed=seed + one)) for one in range(number)]
    for one, truth in enumerate(truths):
        rng = np.random.default_rng([seed, one])
        pixels = np.concatenate([block.pixels for block in images(volume, truth, NoNoise())])
        still = _placed(pixels, field) + _ice(truth, field, rng)
        tifffile.imwrite(folder / f"movie_{one:03d}.tiff", _frames(still, field, rng)[:, ::-1], compression="lzw", photometric="minisblack")
    return truths[0]


def _placed(pixels: np.ndarray, field: Field) -> np.ndarray:
    """(side, side) mean 0: dark particles at the knots of the grid."""
    found = np.zeros((field.side, field.side), np.float32)
    step = field.side // field.grid
    for one, image in enumerate(pixels):
        y, x = ((place * step + (step - field.box) // 2) for place in divmod(one, field.grid))
        found[y : y + field.box, x : x + field.box] += image
    return -field.contrast[0] / pixels.std() * found * 0.5


def _ice(truth: Particles, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Noise under the CTF of the micrograph."""
    import torch

    from verglas.core import ctf

    k = np.stack(np.meshgrid(scipy.fft.rfftfreq(field.side, field.pixel), scipy.fft.fftfreq(field.side, field.pixel)), -1)
    sx, sy = torch.from_numpy(k.reshape(-1, 2)).T
    seen = ctf.evaluate(sx, sy, truth.optics[0], truth.take(np.array([0])).defocus).numpy().reshape(k.shape[:2])
    noise = scipy.fft.rfft2(rng.standard_normal((field.side, field.side)))
    found = scipy.fft.irfft2(noise * seen * np.exp(-20 * (k**2).sum(-1)), s=(field.side, field.side))
    return (field.contrast[1] / found.std() * found).astype(np.float32)


def _frames(still: np.ndarray, field: Field, rng: np.random.Generator) -> np.ndarray:
    """(frames, side, side) counts of a picture that drifts, fast at first."""
    t = np.arange(field.frames)
    drift = np.outer(1 - np.exp(-t / 2.0), rng.uniform(2, 4, 2) * rng.choice([-1, 1], 2)) + rng.normal(0, 0.1, (field.frames, 2))
    ky, kx = scipy.fft.fftfreq(field.side)[:, None], scipy.fft.rfftfreq(field.side)[None]
    spectrum = scipy.fft.rfft2(still)
    moved = [scipy.fft.irfft2(spectrum * np.exp(-2j * np.pi * (ky * y + kx * x)), s=still.shape) for y, x in drift]
    return np.stack([rng.poisson(np.clip(field.dose * field.pixel**2 * (1 + one), 0.01, None)) for one in moved]).astype(np.uint8)
