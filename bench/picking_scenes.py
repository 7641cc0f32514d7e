"""Micrographs of made-up and real molecules with known particles, on even ice or beside everything that spoils a micrograph."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree

from verglas.core.band import make_band
from verglas.core.fourier import inverse
from verglas.core.projection import prepare_reference, project
from verglas.core.rotations import random_rotations
from verglas.methods.simulate.atoms import Atoms, density

SIGMA_E, VOLT = 0.000729, 47.878
"""Interaction constant at 200 kV (rad / (V Å)); V Å^3 of a unit of scattering density."""
CONTRAST, SOLVENT = 0.6, 0.2
"""Contrast of protein in ice; amplitude density of the structure of the ice (Å)."""


@dataclass(frozen=True)
class Scene:
    """size (rows, columns) px; pixel Å; defocus Å; dose e/Å^2; apart: least distance of particles in diameters; count of particles at most.
    gradient: transmission changes by so much across the field; carbon, bar: share of the width; blobs: number of pieces of ice and gold."""

    size: tuple[int, int]
    pixel: float
    defocus: float
    seed: int
    dose: float = 30.0
    apart: float = 1.1
    count: int = 400
    gradient: float = 0.0
    carbon: float = 0.0
    bar: float = 0.0
    blobs: int = 0


@dataclass(frozen=True)
class Shot:
    """image (rows, columns) counts; xy (N, 2) px of the particles; spoilt (rows, columns) bool: carbon, bar, contamination."""

    image: np.ndarray
    xy: np.ndarray
    spoilt: np.ndarray


def widths(atoms: Atoms) -> tuple[float, float]:
    """Å: the molecule across its shortest and longest principal axis, as a user would measure them."""
    _, axes = np.linalg.eigh(np.cov(atoms.positions.T))
    along = atoms.positions @ axes
    extent = np.percentile(along, 99.5, axis=0) - np.percentile(along, 0.5, axis=0)
    return float(extent.min()), float(extent.max())


def shoot(atoms: Atoms, scene: Scene) -> Shot:
    """counts = Poisson(dose p^2 t (1 + 2 C * (structure of ice and carbon - particles))), t the transmission of the uneven ice and all dirt."""
    rng = np.random.default_rng(scene.seed)
    rows, columns = scene.size
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    wave = 25.0 * np.sin(y * scene.pixel / 400) / scene.pixel
    on_carbon = x + wave < scene.carbon * columns if scene.carbon else np.zeros(scene.size, bool)
    on_bar = x + 0.3 * y > (1 - scene.bar) * columns + 0.15 * rows if scene.bar else np.zeros(scene.size, bool)
    transmission = np.exp(-scene.gradient * (0.6 * x / columns + 0.4 * y / rows - 0.5)).astype(np.float32)
    if scene.gradient:
        uneven = ndimage.gaussian_filter(rng.normal(size=scene.size), 250 / scene.pixel, mode="wrap")
        transmission *= 1 + 0.15 * scene.gradient * (uneven / uneven.std()).astype(np.float32)
    transmission *= np.where(on_carbon, 0.8, 1.0) * np.where(on_bar, 0.03, 1.0)
    dirt = _dirt(scene, rng)
    spoilt = on_carbon | on_bar | (dirt > 0.05)
    transmission *= np.exp(-dirt)
    longest = widths(atoms)[1]
    xy = _places(scene, longest, spoilt, rng)
    phase = -SIGMA_E * VOLT * CONTRAST * _projections(atoms, scene, xy, longest, rng)
    sy, sx = np.fft.fftfreq(rows, scene.pixel)[:, None], np.fft.rfftfreq(columns, scene.pixel)[None]
    s = np.hypot(sy, sx)
    wavelength = 0.02508
    chi = np.pi * wavelength * scene.defocus * s**2 - np.pi / 2 * 1.4e7 * wavelength**3 * s**4
    ctf = np.sqrt(0.99) * np.sin(chi) + 0.1 * np.cos(chi)
    matter = rng.normal(size=scene.size) * np.where(on_carbon, 3.0, 1.0)
    structure = np.fft.irfft2(np.fft.rfft2(matter) * np.exp(-20 * s**2), s=scene.size) * SOLVENT / scene.pixel
    edge = 0.15 * ndimage.gaussian_filter(on_carbon.astype(np.float32), 3.0 / scene.pixel)
    contrast = np.fft.irfft2(np.fft.rfft2(structure - edge + 2 * phase) * ctf, s=scene.size)
    mean = scene.dose * scene.pixel**2 * np.clip(transmission * (1 + contrast), 1e-3, None)
    return Shot(rng.poisson(mean).astype(np.float32), xy, spoilt)


def _dirt(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Absorption (rows, columns): lumps of ice 150 to 700 Å wide; every fourth is a bead of gold."""
    total = np.zeros(scene.size, np.float32)
    grid = np.mgrid[: scene.size[0], : scene.size[1]].astype(np.float32)
    for number in range(scene.blobs):
        gold = number % 4 == 3
        radius = 50.0 if gold else rng.uniform(75, 350)
        centre = rng.uniform(0, 1, 2) * scene.size
        dy, dx = (grid - centre[:, None, None]) * scene.pixel
        rim = 1 + (0 if gold else 0.2 * np.sin(3 * np.arctan2(dy, dx) + rng.uniform(0, 6)))
        total += (1.5 if gold else rng.uniform(0.15, 0.8)) / (1 + (np.hypot(dy, dx) / (radius * rim)) ** 16)
    return total


def _places(scene: Scene, longest: float, spoilt: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 2) whole px (x, y), `apart` diameters from each other, half a diameter from what is spoilt and a third from the border."""
    free = ndimage.distance_transform_edt(~spoilt) * scene.pixel > 0.5 * longest if spoilt.any() else np.ones_like(spoilt)
    margin, found = longest / 3 / scene.pixel, np.empty((0, 2))
    for _ in range(60 * scene.count):
        one = np.rint(rng.uniform(margin, np.array(scene.size[::-1]) - 1 - margin))
        if len(found) >= scene.count:
            break
        if free[int(one[1]), int(one[0])] and (np.hypot(*(found - one).T) * scene.pixel > scene.apart * longest).all():
            found = np.vstack([found, one])
    return found


def _projections(atoms: Atoms, scene: Scene, xy: np.ndarray, longest: float, rng: np.random.Generator) -> np.ndarray:
    """Scattering density along the beam (rows, columns), in units of density times Å, particles at random orientations."""
    box = 2 * int(0.75 * longest / scene.pixel)
    reference = prepare_reference(torch.from_numpy(density(atoms, box, scene.pixel).data), 2.0)
    band = make_band(box, box // 2)
    picture = np.zeros((scene.size[0] + 2 * box, scene.size[1] + 2 * box), np.float32)
    turns = random_rotations(len(xy), torch.Generator().manual_seed(int(rng.integers(2**31)))) if len(xy) else torch.empty(0, 3, 3)
    for (x0, y0), turn in zip(xy.astype(int), turns):
        view = inverse(band.scatter(project(reference, turn[None], band)), box)[0].numpy()
        picture[y0 + box // 2 : y0 + 3 * box // 2, x0 + box // 2 : x0 + 3 * box // 2] += view
    return picture[box:-box, box:-box] * scene.pixel


def score(found: np.ndarray, true: np.ndarray, tolerance: float) -> tuple[float, float, float]:
    """(recall, false discovery rate, median error), in the units of the positions, one to one, nearest first."""
    if not len(found) or not len(true):
        return 0.0, float(len(found) > 0), float("nan")
    distance, which = cKDTree(true).query(found)
    order = np.argsort(distance)
    _, first = np.unique(which[order], return_index=True)
    errors = distance[order][first]
    errors = errors[errors < tolerance]
    return len(errors) / len(true), 1 - len(errors) / len(found), float(np.median(errors)) if len(errors) else float("nan")
