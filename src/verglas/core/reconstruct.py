"""From sums of inserted slices to a map: Hermitian and point-group sums, joining, FSC of the sums, Wiener division.

Source of the equations: Scheres, J. Struct. Biol. 180 (2012) 519 and RELION's conventions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verglas import kernels
from verglas.core.band import Band
from verglas.core.mask import apply_soft_sphere
from verglas.core.projection import gridding, padded_box, slice_axes, volume_size
from verglas.core.shells import shell_sum

MIN_PRIOR_SHELL = 5
"""No prior acts below this shell."""
WEIGHT_FLOOR = 1000.0
"""A voxel's weight is at least its shell's mean over this number."""
MASK_EDGE = 3.0
"""Width in voxels of the soft edge of the sphere that a map is cut to."""


@dataclass(frozen=True)
class Sums:
    """data = sum C X / sigma2 and weight = sum C^2 / sigma2 on the padded half volume (D, D, H) of a map of `box` voxels.

    (1, D, H) for a 2D class average, which is a map (1, B, B) of one plane.
    """

    data: Tensor
    weight: Tensor
    box: int
    padding: float
    shells: int

    @property
    def finer(self) -> float:
        """p^3 (p^2 in 2D): voxels of the padded transform that share one measurement."""
        return self.padding**3 if self.data.shape[0] > 1 else self.padding**2

    def to(self, device: torch.device | str) -> "Sums":
        return replace(self, data=self.data.to(device), weight=self.weight.to(device))


def empty_sums(box: int, padding: float, shells: int, device: torch.device | str = "cpu", flat: bool = False) -> Sums:
    """Zeros for a map of `box` voxels; `flat`: of one plane."""
    padding = padded_box(box, padding) / box
    size, half = volume_size(shells, padding)
    data = torch.zeros(1 if flat else size, size, half, dtype=torch.complex64, device=device)
    return Sums(data, torch.zeros(data.shape, device=device), box, padding, shells)


def accumulate(sums: Sums, values: Tensor, weights: Tensor, rotations: Tensor, band: Band) -> None:
    """Insert slices values (R, P) and weights (R, P) at rotations (R, 3, 3); changes `sums` in place."""
    axes = slice_axes(rotations, sums.padding, band.to_model)
    kernels.insert(sums.data, sums.weight, values, weights, axes.to(values.device), band.k[: values.shape[1]])


@dataclass(frozen=True)
class Columns:
    """Some values of x of a half volume: `x` slices its last axis; radius (D, D, dx) in padded voxels is the distance to the origin;
    many (dx,) says how many voxels of the whole volume one stands for: 1 on the plane x = 0, else 2."""

    x: slice
    radius: Tensor
    many: Tensor


BLOCK = 4 << 20
"""Voxels of the half volume that are worked on at once: temporary arrays stay small beside the sums."""


def columns(sums: Sums) -> Iterator[Columns]:
    """The whole half volume, a few values of x at a time."""
    depth, size, half = sums.data.shape
    g, h = ((torch.arange(n, device=sums.data.device, dtype=torch.float32) - n // 2) ** 2 for n in (depth, size))
    x = torch.arange(half, device=sums.data.device, dtype=torch.float32)
    step = max(1, BLOCK // (depth * size))
    for low in range(0, half, step):
        some = x[low : low + step]
        radius = (g[:, None, None] + h[None, :, None] + some**2).sqrt_()
        yield Columns(slice(low, low + len(some)), radius, torch.where(some == 0, 1.0, 2.0))


def complete(sums: Sums, operators: Tensor) -> None:
    """Hermitian and point-group sums, in place. `operators` (S, 3, 3), identity first.

    On the plane x = 0 each voxel becomes the sum of itself and (the conjugate of) its Friedel mate, as a slice was inserted
    into one of the two only; then data and weight are summed over the operators.
    """
    data, weight = sums.data, sums.weight
    data[:, :, 0] += data[:, :, 0].flip(0, 1).conj()
    weight[:, :, 0] += weight[:, :, 0].flip(0, 1)
    if len(operators) > 1:
        radius = round(sums.padding * sums.shells) + 0.5
        new_data, new_weight = kernels.symmetrise(data, weight, operators.to(weight), radius)
        data.copy_(new_data)
        weight.copy_(new_weight)


def join_low_resolution(a: Sums, b: Sums, shell: int) -> None:
    """Within `shell` both halves get the mean of data and of weight, in place, so that they share one absolute frame."""
    for part in columns(a):
        inside = part.radius <= a.padding * shell
        for u, v in ((a.data[..., part.x], b.data[..., part.x]), (a.weight[..., part.x], b.weight[..., part.x])):
            mean = (u[inside] + v[inside]) / 2
            u[inside], v[inside] = mean, mean


def add(a: Sums, b: Sums) -> None:
    """a += b."""
    a.data.add_(b.data)
    a.weight.add_(b.weight)


def average_weight(sums: Sums) -> Tensor:
    """mean over a shell of p^3 weight (p^2 in 2D), shells round(r/p) with r < round(p r_max): 1 / sigma2 of the reference. (B//2+1,)."""
    count = sums.shells + 1
    total, voxels = torch.zeros(2, count, dtype=torch.float64, device=sums.weight.device)
    for part in columns(sums):
        shell = (part.radius / sums.padding + 0.5).long()
        shell[part.radius >= round(sums.padding * sums.shells)] = count
        total += shell_sum(sums.weight[..., part.x] * part.many, shell, count)
        voxels += shell_sum(part.many.expand(shell.shape), shell, count)
    out = torch.zeros(sums.box // 2 + 1, dtype=torch.float64, device=total.device)
    out[:count] = total / voxels.clamp(min=1) * sums.finer
    return out


def downsample(sums: Sums) -> Tensor:
    """Unregularised average data / weight of all padded voxels within r_max that round to the same unpadded one.

    (2 m + 1, 2 m + 1, m + 2) complex64, m the largest unpadded frequency stored, origin at (m, m, 0); 0 where there is no weight.
    """
    size, _, half = sums.data.shape
    device = sums.data.device
    g = torch.arange(size, device=device) - size // 2
    to = (g / sums.padding + 0.5 * g.sign()).trunc().long()  # round half away from zero
    x = to[size // 2 : size // 2 + half]
    m = int(to.max())
    shape = (2 * m + 1, 2 * m + 1, m + 2)
    data, weight = torch.zeros(shape, dtype=sums.data.dtype, device=device), torch.zeros(shape, device=device)
    for part in columns(sums):
        inside = part.radius <= round(sums.padding * sums.shells)
        index = (((to[:, None, None] + m) * shape[1] + to[None, :, None] + m) * shape[2] + x[part.x])[inside]
        data.view(-1).index_add_(0, index, sums.data[..., part.x][inside])
        weight.view(-1).index_add_(0, index, sums.weight[..., part.x][inside])
    return torch.where(weight > 0, data / weight.clamp(min=1e-30), 0)


def fsc(a: Sums, b: Sums) -> Tensor:
    """Fourier shell correlation of the unregularised halves on the unpadded grid, shells 0 .. B//2 (0 beyond r_max). (B//2+1,) float64."""
    return correlation(downsample(a), downsample(b), a.shells, a.box)


def correlation(u: Tensor, v: Tensor, shells: int, box: int) -> Tensor:
    """FSC of two half volumes as `downsample` makes them, shells 0 .. `shells` of a map of `box` voxels. (B//2+1,) float64."""
    m = u.shape[0] // 2
    g = torch.arange(-m, m + 1, device=u.device, dtype=torch.float32) ** 2
    x = torch.arange(m + 2, device=u.device) ** 2
    uv, uu, vv = torch.zeros(3, shells + 1, dtype=torch.float64, device=u.device)
    for i in range(2 * m + 1):
        shell = ((g[i] + g[:, None] + x).sqrt() + 0.5).long()
        uv += shell_sum((u[i] * v[i].conj()).real, shell, len(uv))
        uu += shell_sum(u[i].abs() ** 2, shell, len(uv))
        vv += shell_sum(v[i].abs() ** 2, shell, len(uv))
    out = torch.zeros(box // 2 + 1, dtype=torch.float64, device=uv.device)
    out[: len(uv)] = uv / (uu * vv).sqrt().clamp(min=1e-300)
    out[0] = 1.0
    return out


def solve(sums: Sums, tau2: Tensor | None = None) -> Tensor:
    """V = data / (weight + 1/(p^3 tau2)), weights floored by their shell's mean / 1000 -> map (B, B, B) float32.

    tau2 (B//2+1,) signal variance per component; None: no prior (unfiltered map). Includes the gridding correction
    and a soft spherical mask of radius B/2 that fills the corners with their mean.
    """
    p, rmax = sums.padding, sums.shells
    total, voxels = torch.zeros(2, rmax, dtype=torch.float64, device=sums.weight.device)
    for part in columns(sums):
        shell = (part.radius / p).long()
        shell[part.radius >= round(p * rmax)] = rmax
        total += shell_sum(_regularised(sums, part, tau2) * part.many, shell, rmax)
        voxels += shell_sum(part.many.expand(shell.shape), shell, rmax)
    floor = (total / voxels.clamp(min=1) / WEIGHT_FLOOR).to(sums.weight)

    def spectrum() -> Iterator[Tensor]:
        for part in columns(sums):
            least = floor[(part.radius / p).long().clamp(max=rmax - 1)]
            weight = torch.maximum(_regularised(sums, part, tau2), least)
            inside = (part.radius < round(p * rmax)) & (weight > 0)
            yield torch.where(inside, sums.data[..., part.x] / weight.clamp(min=1e-30), 0)

    return to_map(spectrum(), sums.box, p)


def _regularised(sums: Sums, part: Columns, tau2: Tensor | None) -> Tensor:
    """weight + 1/(p^3 tau2(shell)) from shell 5 on; where tau2 vanishes 1/(0.001 weight)-like strong damping."""
    weight = sums.weight[..., part.x]
    if tau2 is None:
        return weight
    shell = (part.radius / sums.padding + 0.5).long()
    t = tau2.to(weight)[shell.clamp(max=len(tau2) - 1)]
    strong = torch.where(weight > 1e-20, 1.0 / (0.001 * weight).clamp(min=1e-30), 0.0)
    prior = torch.where(t > 1e-20, 1.0 / (sums.finer * t.clamp(min=1e-20)), strong)
    return weight + prior * (shell >= MIN_PRIOR_SHELL)


def to_map(spectrum: Iterable[Tensor], box: int, padding: float, correct: bool = True) -> Tensor:
    """Columns (D, D, dx) of a centred half volume, x rising, scaled as slices are -> map (B, B, B) or (1, B, B), gridding corrected and masked.

    The inverse transform goes axis by axis (z, y, x), and what lies outside the box is dropped after each. `correct`: divide by the
    gridding function, which sums of inserted slices need.
    """
    n = padded_box(box, padding)
    crop = (torch.arange(box) - box // 2) % n
    rods = []
    for values in spectrum:
        depth, width, _ = values.shape
        g = torch.arange(width) - width // 2
        use = g.abs() <= n // 2
        if depth > 1:
            wide = torch.zeros(n, int(use.sum()), values.shape[2], dtype=values.dtype, device=values.device)
            wide[g[use] % n] = values[use][:, use]
            deep = torch.fft.ifft(wide, dim=0, norm="forward")[crop]
        else:
            deep = values[:, use]
        wide = torch.zeros(len(deep), n, values.shape[2], dtype=values.dtype, device=values.device)
        wide[:, g[use] % n] = deep
        rods.append(torch.fft.ifft(wide, dim=1, norm="forward")[:, crop])
    spectra = torch.cat(rods, 2)[:, :, : n // 2 + 1]
    del rods
    depth = len(spectra)
    out = torch.empty(depth, box, box, device=spectra.device)
    step = max(1, BLOCK // (n * box))
    for low in range(0, depth, step):
        out[low : low + step] = torch.fft.irfft(spectra[low : low + step], n=n, dim=2, norm="forward")[:, :, crop]
    del spectra
    out *= box**2 / n ** (3 if depth > 1 else 2)
    masked = apply_soft_sphere(out, box / 2, MASK_EDGE, "background mean", 3 if depth > 1 else 2)
    return masked.div_(gridding(box, padding, out.device, depth)) if correct else masked
