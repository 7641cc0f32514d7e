"""What is compared when maps are aligned: a few central slices through the transform of the particle.

A map turned and moved, V'(x) = V(R x + t), has the transform F'(p) = F(R p) exp(2 pi i (R p).t). On the plane p = A^T (k, 0)
that is the slice of F with the matrix B = A R^T, times the ramp exp(2 pi i k.(B t)_xy): nothing needs resampling in real space.
Slices of a few fixed planes A stand for all of F', since the group or the search turns them through all directions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core.band import Band, make_band
from verglas.core.mask import soft_sphere
from verglas.core.projection import Reference, prepare_reference, project
from verglas.core.resample import resample
from verglas.core.rotations import random_rotations
from verglas.core.shells import shell_mean
from verglas.types import Map

PIXELS_PER_RESOLUTION = 2.5
"""Pixels to one finest resolution: a little finer than Nyquist."""
BOX_OVER_RADIUS = 2.6
EDGE = 0.1
"""Width of the sphere's soft edge over its radius."""
BLOCK = 1 << 20
"""Slice values that are in memory at once."""


@dataclass(frozen=True)
class Window:
    """The sphere of a map that is looked at, in Å: its centre (3,) x y z from voxel B // 2 and radius; the finest resolution."""

    centre: np.ndarray
    radius: float
    resolution: float


@dataclass(frozen=True, eq=False)
class Views:
    """Transform of what is in a window, and the planes (M, 3, 3) on which it is looked at.

    centre (3,) Å: of the window, at a voxel of the map; shifts are counted from it. pixel (Å) and the band's box: the grid.
    power (S,): mean |F|^2 on the band's shells.
    """

    reference: Reference
    band: Band
    planes: Tensor
    pixel: float
    centre: np.ndarray
    power: Tensor

    @property
    def radius(self) -> Tensor:
        """(M P,) |k| in shells."""
        return torch.linalg.vector_norm(self.band.k, dim=1).repeat(len(self.planes))

    @property
    def shell(self) -> Tensor:
        """(M P,) shell of each value."""
        return self.band.shell.repeat(len(self.planes))

    @property
    def weights(self) -> Tensor:
        """(M P,) |k| / sqrt(power): |k| because slices are denser near the origin than space is."""
        return self.radius / self.power[self.shell].sqrt()

    @property
    def resolution(self) -> float:
        """The finest resolution in Å."""
        return self.band.box * self.pixel / self.reference.shells


def make_views(source: Map, window: Window, planes: int) -> Views:
    """The map in a window on a grid just fine enough, without its background, as slices."""
    a = source.pixel_size
    pixel = max(a, window.resolution / PIXELS_PER_RESOLUTION)
    box = 2 * int(np.ceil(BOX_OVER_RADIUS * window.radius / pixel / 2))
    middle = np.round(window.centre / a).astype(int)
    around = _around(source.data, middle, 2 * int(np.ceil(box * pixel / a / 2)))
    data = resample(torch.from_numpy(around), a, pixel, box)
    inner, outer = (soft_sphere(box, window.radius / pixel * grow, EDGE * window.radius / pixel) for grow in (1.0, 1.0 + EDGE))
    background = float((data * (outer - inner)).sum() / (outer - inner).sum().clamp(min=1e-6))
    shells = max(2, min(box // 2, int(box * pixel / window.resolution)))
    reference = prepare_reference((data - background) * inner, 2.0, shells)
    band = make_band(box, shells)
    turns = random_rotations(planes, torch.Generator().manual_seed(1)).float()
    seen = project(reference, random_rotations(12, torch.Generator().manual_seed(2)).float(), band).abs().square().mean(0)
    power = shell_mean(seen, band.shell, shells + 1).clamp(min=1e-30).float()
    return Views(reference, band, turns, pixel, middle * a, power)


def slices(views: Views, rotations: Tensor, shifts: Tensor, mates: Tensor | None = None) -> Tensor:
    """F' on the planes for rotations R (K, 3, 3), shifts t (K, 3) Å from the window's centre -> (K, M P).

    With `mates` S (G, 3, 3): F'(S p) -> (K, G, M P).
    """
    turns = rotations[:, None] if mates is None else torch.einsum("kij,gjl->kgil", rotations, mates)
    b = torch.einsum("mij,kglj->kgmil", views.planes, turns)
    values = project(views.reference, b.reshape(-1, 3, 3), views.band)
    if bool(shifts.any()):
        seen = torch.einsum("kgmij,kj->kgmi", b[..., :2, :], shifts).reshape(-1, 2)
        angle = (seen * (2.0 * torch.pi / (views.band.box * views.pixel))) @ views.band.k.T
        values = values * torch.polar(torch.ones_like(angle), angle)
    return values.view(len(turns), -1) if mates is None else values.view(*turns.shape[:2], -1)


def _around(data: np.ndarray, middle: np.ndarray, box: int) -> np.ndarray:
    """`box`^3 voxels around voxel B // 2 + middle (x, y, z); the mean of the map outside it."""
    out = np.full((box,) * 3, data.mean(dtype=np.float64), dtype=np.float32)
    to, at = [], []
    for offset, side in zip(middle[::-1], data.shape):
        start = side // 2 + int(offset) - box // 2
        low, high = max(0, start), min(side, start + box)
        at.append(slice(low, high))
        to.append(slice(low - start, high - start))
    out[tuple(to)] = data[tuple(at)]
    return out
