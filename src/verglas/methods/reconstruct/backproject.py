"""CTF-weighted back-projection of particle images at given poses: what a Wiener filter with white noise needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core import fourier, reconstruct
from verglas.core.ctf import CtfOptions
from verglas.core.reconstruct import Sums
from verglas.core.rotations import euler_to_matrix
from verglas.core.shifts import phases
from verglas.methods.refine.images import Geometry, contrast, corrections, geometry
from verglas.types import Particles

Mtf = tuple[np.ndarray, np.ndarray]
Block = tuple[np.ndarray, np.ndarray]
"""(rows (n,), images (n, B, B) float32), all of one optics group."""


@dataclass(frozen=True)
class Grid:
    """The map to make: `box` voxels of `pixel_size` Å, Fourier shells 0 .. `shells`, transform `padding` times finer."""

    box: int
    pixel_size: float
    shells: int
    padding: float = 2.0


@dataclass(frozen=True)
class Halves:
    """Sums of half 1, half 2 and of the particles in neither (None: every particle is in a half), not yet symmetrised."""

    one: Sums
    two: Sums
    rest: Sums | None


def sums_of_halves(
    particles: Particles, blocks: Iterable[Block], grid: Grid, mtf: tuple[Mtf | None, ...] = (), options: CtfOptions | None = None,
    device: str = "cpu", progress: Callable[[int], None] = lambda done: None,
) -> Halves:
    """Insert block after block; `progress` is told after each one how many particles are done."""
    one, two = (reconstruct.empty_sums(grid.box, grid.padding, grid.shells, device) for _ in range(2))
    rest = reconstruct.empty_sums(grid.box, grid.padding, grid.shells, device) if bool((particles.half == 0).any()) else None
    done = 0
    for rows, images in blocks:
        group = int(particles.optics_index[rows[0]])
        geo = geometry(particles.optics[group], grid.box, grid.pixel_size, grid.shells)
        pixels, half = torch.from_numpy(images).to(device), particles.half[rows]
        for number, sums in ((0, rest), (1, one), (2, two)):
            some = np.flatnonzero(half == number)
            if sums is not None and len(some):
                insert(sums, pixels[torch.from_numpy(some)], particles.take(rows[some]), geo, mtf[group] if mtf else None, options)
        done += len(rows)
        progress(done)
    return Halves(one, two, rest)


def insert(
    sums: Sums, images: Tensor, particles: Particles, geo: Geometry, mtf: Mtf | None = None, options: CtfOptions | None = None
) -> None:
    """Add images (n, B, B) of one optics group to `sums`, in place: data += C X, weight += C^2.

    X is the transform of the image moved by its origin, with odd aberrations and the MTF taken out; CTF-premultiplied images hold
    C X already, so they add X and C^2. Noise is taken as white with variance 1 (RELION's relion_reconstruct --ctf).
    """
    band = geo.band.to(images.device)
    spectra = band.gather(fourier.forward(images))
    origin = torch.from_numpy(particles.poses.origin / geo.pixel).to(images.device)
    spectra = spectra * phases(origin, band.k[:, 0], band.k[:, 1], band.box)
    demodulate = corrections(geo, mtf).demodulate
    if demodulate is not None:
        spectra = spectra * demodulate.to(images.device)
    c = contrast(geo, particles, np.ones(len(particles.group_names)), options or CtfOptions()).to(images.device)
    values, weights = (spectra, c.abs()) if geo.group.ctf_premultiplied else (spectra * c, c * c)
    rotations = euler_to_matrix(torch.from_numpy(particles.poses.angles)).to(images.device)
    reconstruct.accumulate(sums, values.contiguous(), weights.contiguous(), rotations, band)
