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
    """images (M, b, b) of `pixel` Å, particles bright, mean 0 under a soft mask of the particle, centre at b // 2; template (M,) from 0, psi (M,).

    They are sums of few: images = mix (M, K) @ basis (K, b, b), to 1 % of the energy that a picker looks at.
    """

    images: Tensor
    mix: Tensor
    basis: Tensor
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
    images = ((images - mean) * mask).float()
    mix = shared_basis(images)
    basis = (mix.T @ images.flatten(1)).view(-1, box, box)
    return Bank(images, mix, basis, pixel, torch.arange(count).repeat_interleave(len(psi)), psi.repeat(count))


def shared_basis(images: Tensor, least: float = 0.99) -> Tensor:
    """Orthonormal columns V (M, K), K the smallest with |(V V^T Y)_m|^2 >= least |Y_m|^2 for all m: the first left singular vectors of Y.

    Y: the images (M, b, b) times s L(s), as a whitened picker sees them, each with norm 1; L half at the finest detail of a field, 0.9 Nyquist. Then
    images ~ V V^T images, and answers of M templates at all angles cost K transforms: K is the number of details that fit into a particle.
    """
    box = images.shape[-1]
    s = torch.hypot(torch.fft.fftfreq(box)[:, None], torch.fft.rfftfreq(box)[None])
    seen = torch.fft.irfft2(torch.fft.rfft2(images) * (s / (1.0 + (s / 0.45) ** 8)), s=(box, box)).flatten(1)
    seen = seen / seen.norm(dim=1, keepdim=True).clamp(min=1e-30)
    left, sizes, _ = torch.linalg.svd(seen, full_matrices=False)
    held = (left * sizes).square().cumsum(1).amin(0)
    return left[:, : min(int((held < least).sum()) + 1, left.shape[1])].contiguous()


@lru_cache(maxsize=4)
def basis_spectra(bank: Bank, shape: torch.Size) -> Tensor:
    """FT (K, h, w//2+1) complex64 of the basis around pixel (0, 0) of a field of `shape`, wrapped."""
    box = bank.images.shape[-1]
    wide = torch.zeros(len(bank.basis), *shape)
    wide[:, :box, :box] = bank.basis
    return torch.fft.rfft2(wide.roll((-(box // 2), -(box // 2)), (1, 2)))
