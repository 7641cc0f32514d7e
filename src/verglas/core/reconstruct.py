"""From sums of inserted slices to a map: Hermitian and point-group sums, joining, FSC of the sums, Wiener division.

Source of the equations: Scheres, J. Struct. Biol. 180 (2012) 519 and RELION's conventions.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas import kernels
from verglas.core.band import Band
from verglas.core.mask import apply_soft_sphere
from verglas.core.projection import gridding, padded_box, slice_axes, volume_size

MIN_PRIOR_SHELL = 5
"""No prior acts below this shell."""
WEIGHT_FLOOR = 1000.0
"""A voxel's weight is at least its shell's mean over this number."""
MASK_EDGE = 3.0
"""Width in voxels of the soft edge of the sphere that a map is cut to."""


@dataclass(frozen=True)
class Sums:
    """data = sum C X / sigma2 and weight = sum C^2 / sigma2 on the padded half volume (D, D, H) of a map of `box` voxels."""

    data: Tensor
    weight: Tensor
    box: int
    padding: float
    shells: int


def empty_sums(box: int, padding: float, shells: int, device: torch.device | str = "cpu") -> Sums:
    padding = padded_box(box, padding) / box
    size, half = volume_size(shells, padding)
    data = torch.zeros(size, size, half, dtype=torch.complex64, device=device)
    return Sums(data, torch.zeros(size, size, half, device=device), box, padding, shells)


def accumulate(sums: Sums, values: Tensor, weights: Tensor, rotations: Tensor, band: Band) -> None:
    """Insert slices values (R, P) and weights (R, P) at rotations (R, 3, 3); changes `sums` in place."""
    axes = slice_axes(rotations, sums.padding, band.to_model)
    kernels.insert(sums.data, sums.weight, values, weights, axes, band.k[: values.shape[1]])


def voxel_radius(sums: Sums) -> Tensor:
    """Distance of every stored voxel to the origin in padded voxels (D, D, H)."""
    size, _, half = sums.data.shape
    g = (torch.arange(size, device=sums.data.device, dtype=torch.float32) - size // 2) ** 2
    x = torch.arange(half, device=sums.data.device, dtype=torch.float32) ** 2
    return (g[:, None, None] + g[None, :, None] + x).sqrt_()


def hermitian(sums: Sums) -> Sums:
    """On the plane x = 0 each voxel becomes the sum of itself and (the conjugate of) its Friedel mate."""
    data, weight = sums.data.clone(), sums.weight.clone()
    data[:, :, 0] += data[:, :, 0].flip(0, 1).conj()
    weight[:, :, 0] += weight[:, :, 0].flip(0, 1)
    return replace(sums, data=data, weight=weight)


def symmetrise(sums: Sums, operators: Tensor) -> Sums:
    """Sums over the point group's operators (S, 3, 3), identity first; data and weight are summed, not averaged."""
    if len(operators) == 1:
        return sums
    radius = round(sums.padding * sums.shells) + 0.5
    data, weight = kernels.symmetrise(sums.data, sums.weight, operators.to(sums.weight), radius)
    return replace(sums, data=data, weight=weight)


def join_low_resolution(a: Sums, b: Sums, shell: int) -> tuple[Sums, Sums]:
    """Within `shell` both halves get the mean of data and of weight, so that they share one absolute frame."""
    inside = voxel_radius(a) <= a.padding * shell
    data, weight = (a.data + b.data) / 2, (a.weight + b.weight) / 2
    return tuple(replace(s, data=torch.where(inside, data, s.data), weight=torch.where(inside, weight, s.weight)) for s in (a, b))  # type: ignore[return-value]


def add(a: Sums, b: Sums) -> Sums:
    """Both halves together."""
    return replace(a, data=a.data + b.data, weight=a.weight + b.weight)


def shell_count(index: Tensor, values: Tensor, shells: int) -> Tensor:
    """Sum of values per shell index, shells 0 .. shells."""
    inside = index <= shells
    return torch.zeros(shells + 1, dtype=torch.float64, device=values.device).index_add_(0, index[inside], values[inside].double())


def half_volume_multiplicity(sums: Sums) -> Tensor:
    """How many voxels of the whole volume a stored voxel stands for: 1 on the plane x = 0, else 2. (D, D, H) broadcastable."""
    x = torch.arange(sums.data.shape[2], device=sums.weight.device)
    return torch.where(x == 0, 1.0, 2.0)[None, None]


def average_weight(sums: Sums) -> Tensor:
    """mean over a shell of p^3 weight, shells round(r/p) with r < round(p r_max): 1 / sigma2 of the reference. (B//2+1,)."""
    radius = voxel_radius(sums)
    index = (radius / sums.padding + 0.5).floor().long()
    inside = radius < round(sums.padding * sums.shells)
    index = torch.where(inside, index, sums.shells + 1)
    many = half_volume_multiplicity(sums).expand_as(radius)
    total = shell_count(index, sums.weight * many, sums.shells)
    mean = total / shell_count(index, many, sums.shells).clamp(min=1) * sums.padding**3
    out = torch.zeros(sums.box // 2 + 1, dtype=torch.float64, device=mean.device)
    out[: len(mean)] = mean
    return out


def downsample(sums: Sums) -> tuple[Tensor, Tensor]:
    """Unregularised average data / weight of all padded voxels that round to the same unpadded one, with its shell.

    Returns values (M,) complex and shell (M,), for voxels of the unpadded half volume within r_max; weights of Friedel pairs included.
    """
    size, _, half = sums.data.shape
    device = sums.data.device
    g = torch.arange(size, device=device) - size // 2
    to = (g / sums.padding + 0.5 * g.sign()).trunc().long()  # round half away from zero
    x = to[size // 2 : size // 2 + half]
    m = int(to.max()) + 1
    index = ((to[:, None, None] + m) * (2 * m + 1) + to[None, :, None] + m) * (m + 2) + x.clamp(max=m + 1)[None, None]
    inside = voxel_radius(sums) <= round(sums.padding * sums.shells)
    cells = (2 * m + 1) ** 2 * (m + 2)
    data = torch.zeros(cells, dtype=sums.data.dtype, device=device).index_add_(0, index[inside], sums.data[inside])
    weight = torch.zeros(cells, device=device).index_add_(0, index[inside], sums.weight[inside])
    cell = torch.arange(cells, device=device)
    kx, ky, kz = cell % (m + 2), cell // (m + 2) % (2 * m + 1) - m, cell // ((m + 2) * (2 * m + 1)) - m
    shell = ((kx**2 + ky**2 + kz**2).float().sqrt() + 0.5).floor().long()
    used = (weight > 0) & (shell <= sums.shells)
    return torch.where(used, data / weight.clamp(min=1e-30), 0), torch.where(used, shell, sums.box + 1)


def fsc(a: Sums, b: Sums) -> Tensor:
    """Fourier shell correlation of the unregularised halves on the unpadded grid, shells 0 .. B//2 (0 beyond r_max). (B//2+1,) float64."""
    (u, shell), (v, _) = downsample(a), downsample(b)
    uv, uu, vv = (shell_count(shell, t, a.shells) for t in ((u * v.conj()).real, u.abs() ** 2, v.abs() ** 2))
    out = torch.zeros(a.box // 2 + 1, dtype=torch.float64, device=uv.device)
    out[: len(uv)] = uv / (uu * vv).sqrt().clamp(min=1e-300)
    out[0] = 1.0
    return out


def solve(sums: Sums, tau2: Tensor | None = None) -> Tensor:
    """V = data / (weight + 1/(p^3 tau2)), weights floored by their shell's mean / 1000 -> map (B, B, B) float32.

    tau2 (B//2+1,) signal variance per component; None: no prior (unfiltered map). Includes the gridding correction
    and a soft spherical mask of radius B/2 that fills the corners with their mean.
    """
    p, rmax = sums.padding, sums.shells
    radius = voxel_radius(sums)
    inside = radius < round(p * rmax)
    weight = sums.weight
    if tau2 is not None:
        weight = weight + _prior(tau2.to(weight), weight, (radius / p + 0.5).floor().long(), p)
    floor_index = (radius / p).floor().long().clamp(max=rmax)
    many = half_volume_multiplicity(sums).expand_as(weight) * inside
    mean = shell_count(floor_index, weight * many, rmax) / shell_count(floor_index, many, rmax).clamp(min=1)
    floor = (mean / WEIGHT_FLOOR).to(weight)[floor_index.clamp(max=max(rmax - 1, 0))]
    weight = torch.maximum(weight, floor)
    spectrum = torch.where(inside & (weight > 0), sums.data / weight.clamp(min=1e-30), 0)
    return to_map(spectrum, sums.box, p)


def _prior(tau2: Tensor, weight: Tensor, shell: Tensor, padding: float) -> Tensor:
    """1/(p^3 tau2(shell)) from shell 5 on; where tau2 vanishes 1/(0.001 weight)-like strong damping."""
    t = tau2[shell.clamp(max=len(tau2) - 1)]
    strong = torch.where(weight > 1e-20, 1.0 / (0.001 * weight).clamp(min=1e-30), 0.0)
    prior = torch.where(t > 1e-20, 1.0 / (padding**3 * t.clamp(min=1e-20)), strong)
    return prior * (shell >= MIN_PRIOR_SHELL)


def to_map(spectrum: Tensor, box: int, padding: float) -> Tensor:
    """Centred half volume (D, D, H), scaled as slices are -> map (B, B, B), gridding corrected, softly masked to the sphere."""
    n = padded_box(box, padding)
    size, _, half = spectrum.shape
    g = torch.arange(size, device=spectrum.device) - size // 2
    use, keep = g.abs() <= n // 2, min(half, n // 2 + 1)
    full = torch.zeros(n, n, n // 2 + 1, dtype=spectrum.dtype, device=spectrum.device)
    at = g[use] % n
    full[at[:, None], at[None, :], :keep] = spectrum[use][:, use][:, :, :keep]
    padded = torch.fft.irfftn(full, s=(n, n, n)) * box**2
    crop = (torch.arange(box, device=spectrum.device) - box // 2) % n
    out = padded[crop[:, None, None], crop[None, :, None], crop[None, None, :]]
    return apply_soft_sphere(out, box / 2, MASK_EDGE, "background mean") / gridding(box, padding, out.device)
