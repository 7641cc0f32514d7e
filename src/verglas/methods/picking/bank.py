"""Templates at all in-plane angles, from 2D averages or as projections of a map, on the pixels of a field."""

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import torch
from torch import Tensor

from verglas.core.band import make_band
from verglas.core.filters import raised_cosine
from verglas.core.fourier import inverse
from verglas.core.projection import prepare_reference, project
from verglas.core.resample import resample
from verglas.core.rotations import euler_to_matrix
from verglas.core.sampling import directions, in_plane, orientation_grid


@dataclass(frozen=True, eq=False)
class Bank:
    """images (M, b, b) of `pixel` Å, particles bright, mean 0 under a soft mask of the particle, centre at b // 2; template (M,) from 0, psi (M,)."""

    images: Tensor
    pixel: float
    template: Tensor
    psi: Tensor


def averages_bank(averages: Tensor, pixel: float, diameter: float, target: float, step: float) -> Bank:
    """2D averages (K, B, B) of `pixel` Å turned in steps of about `step` rad (a whole number of them), masked at `diameter` Å, at `target` Å."""
    small = resample(averages.float(), pixel, target, dims=2)
    psi = angles(step)
    turns = in_plane(psi)
    images = torch.cat([_slices(one[None], turns) for one in small])
    return _bank(images, target, diameter, psi, len(small))


def map_bank(volume: Tensor, pixel: float, diameter: float, target: float, sampling: tuple[int, str, float]) -> Bank:
    """Projections of a map (B, B, B); sampling: HEALPix order of the directions, point group, in-plane step in rad."""
    order, symmetry, step = sampling
    small = resample(volume.float(), pixel, target, dims=3)
    views = directions(orientation_grid(order, symmetry)).double()
    tilt, rot = torch.arccos(views[:, 2].clamp(-1, 1)), torch.atan2(views[:, 1], views[:, 0])
    psi = angles(step)
    euler = torch.stack([rot.repeat_interleave(len(psi)), tilt.repeat_interleave(len(psi)), psi.repeat(len(views))], 1)
    return _bank(_slices(small, euler_to_matrix(euler)), target, diameter, psi, len(views))


def angles(step: float) -> Tensor:
    """(R,) float64 rad, evenly over the circle, no further apart than `step`."""
    count = max(1, -int(-2 * pi / step // 1))
    return torch.arange(count, dtype=torch.float64) * (2 * pi / count)


def _slices(volume: Tensor, rotations: Tensor) -> Tensor:
    """Projections (R, B, B) of a map (B, B, B), or turned copies of an image (1, B, B)."""
    box = volume.shape[-1]
    band = make_band(box, box // 2)
    return inverse(band.scatter(project(prepare_reference(volume), rotations, band)), box)


def _bank(images: Tensor, pixel: float, diameter: float, psi: Tensor, count: int) -> Bank:
    box = images.shape[-1]
    at = torch.arange(box) - box // 2
    mask = raised_cosine(torch.hypot(at[:, None].float(), at[None].float()), diameter / 2 / pixel, 2.0)
    mean = (images * mask).sum((1, 2), keepdim=True) / mask.sum()
    return Bank(((images - mean) * mask).float(), pixel, torch.arange(count).repeat_interleave(len(psi)), psi.repeat(count))


@lru_cache(maxsize=16)
def bank_spectra(bank: Bank, shape: torch.Size, start: int, stop: int) -> Tensor:
    """FT (stop - start, h, w//2+1) complex64 of templates start .. stop - 1 around pixel (0, 0) of a field of `shape`, wrapped."""
    box = bank.images.shape[-1]
    wide = torch.zeros(stop - start, *shape)
    wide[:, :box, :box] = bank.images[start:stop]
    return torch.fft.rfft2(wide.roll((-(box // 2), -(box // 2)), (1, 2)))
