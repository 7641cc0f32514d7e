"""Projections of a map as central slices of its padded Fourier transform, and the way back (see `core.reconstruct`)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from verglas import kernels
from verglas.core.band import Band


@dataclass(frozen=True)
class Reference:
    """volume (D, D, H) complex64: the FT of a map on a grid `padding` times finer than 1/(B a), origin at (D//2, D//2, 0), x >= 0;
    (1, D, H) for a map of one plane.

    Scaled so that a slice is the FT (divided by B^2) of the map's projection. `shells` is the largest shell kept.
    """

    volume: Tensor
    box: int
    padding: float
    shells: int


def padded_box(box: int, padding: float) -> int:
    """Even number of voxels of the padded transform."""
    return round(padding * box / 2) * 2


def gridding(box: int, padding: float, device: torch.device | str = "cpu", depth: int | None = None) -> Tensor:
    """sinc^2(r / (B p)), r the distance to the centre in voxels: the real-space image of linear interpolation. (depth or B, B, B)."""
    g = (torch.arange(box, device=device, dtype=torch.float32) - box // 2) ** 2
    z = g if depth is None or depth == box else (torch.arange(depth, device=device, dtype=torch.float32) - depth // 2) ** 2
    r = (z[:, None, None] + g[None, :, None] + g[None, None, :]).sqrt_().div_(box * padding)
    return r.sinc_().square_()


def volume_size(shells: int, padding: float) -> tuple[int, int]:
    """(D, H) of the stored half volume: radius round(p shells) and a margin for the eight neighbours."""
    radius = round(padding * shells) + 3
    return 2 * radius + 1, radius + 1


BLOCK = 4 << 20
"""Voxels of a padded transform that are made at once."""


def prepare_reference(volume: Tensor, padding: float = 2.0, shells: int | None = None, correct: bool = True) -> Reference:
    """A map (B, B, B) or (1, B, B), centre at B//2 -> Reference. Divides by the gridding function first, so that slices are unbiased.

    `correct` False leaves that out: the transform of the map itself.
    The padded transform goes axis by axis (x, z, y), and frequencies beyond `shells` are dropped after each.
    """
    depth, box, device = len(volume), volume.shape[-1], volume.device
    shells = box // 2 if shells is None else min(shells, box // 2)
    n = padded_box(box, padding)
    padding = n / box
    size, half = volume_size(shells, padding)
    g = torch.arange(size, device=device) - size // 2
    x = torch.arange(half, device=device)
    at = (torch.arange(box, device=device) - box // 2) % n  # centre voxel to index 0, wrapped: phases then refer to the centre
    keep = x.clamp(max=n // 2)
    flat = depth == 1
    rows = torch.empty(1 if flat else size, box, half, dtype=torch.complex64, device=device)
    corrected = (volume / gridding(box, padding, device, depth) if correct else volume).float()
    step = max(1, BLOCK // (n * half))
    for low in range(0, box, step):
        part = corrected[:, low : low + step]
        wide = torch.zeros(*part.shape[:2], n, device=device)
        wide[:, :, at] = part
        lines = torch.fft.rfft(wide, dim=2)[:, :, keep]
        if not flat:
            deep = torch.zeros(n, part.shape[1], half, dtype=torch.complex64, device=device)
            deep[at] = lines
            lines = torch.fft.fft(deep, dim=0)[g % n]
        rows[:, low : low + step] = lines
    out = torch.empty(len(rows), size, half, dtype=torch.complex64, device=device)
    z = g if not flat else g.new_zeros(1)
    for low in range(0, len(rows), step):
        part = rows[low : low + step]
        wide = torch.zeros(len(part), n, half, dtype=torch.complex64, device=device)
        wide[:, at] = part
        inside = z[low : low + step, None, None] ** 2 + g[None, :, None] ** 2 + x**2 <= round(padding * shells) ** 2
        out[low : low + step] = torch.fft.fft(wide, dim=1)[:, g % n] * (inside / box**2)
    return Reference(out, box, padding, shells)


def slice_axes(rotations: Tensor, padding: float, to_model: Tensor) -> Tensor:
    """Voxel vectors of one unit of kx and ky: (R, 3, 3) rotations A, map to (R, 2, 3), from position = p A^T (M k, 0)."""
    m = to_model.to(rotations)
    return (torch.einsum("ji,rjc->ric", m, rotations[:, :2]) * padding).float().contiguous()


def project(reference: Reference, rotations: Tensor, band: Band, pixels: int | None = None) -> Tensor:
    """P(k) = V(A^T (k, 0)) for rotations A (R, 3, 3) on the first `pixels` of the band -> (R, P) complex64; no CTF, no shift."""
    axes = slice_axes(rotations, reference.padding, band.to_model)
    return kernels.cut(reference.volume, axes.to(reference.volume.device), band.k[:pixels])
