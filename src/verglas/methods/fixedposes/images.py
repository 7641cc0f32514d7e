"""The particle images as a classification with fixed poses sees them: transforms and contrast on one band, computed once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core.ctf import CtfOptions
from verglas.core.rotations import euler_to_matrix
from verglas.core.shifts import phases
from verglas.methods.refine.images import Mtf, contrast, geometry, whole_pixels
from verglas.methods.refine.spectra import Reader, SpectraSource
from verglas.runtime.blocks import Budget, most, split
from verglas.runtime.share import Share, alone
from verglas.runtime.stopwatch import Stopwatch
from verglas.types import Particles

MARGIN = 2
"""Shells of the model's grid beyond the finest that is compared."""


@dataclass(frozen=True)
class Grid:
    """The model's grid: `box` voxels of `pixel` Å cover the field of view of the first optics group; shells `first` .. `shells` are compared."""

    box: int
    pixel: float
    shells: int
    first: int = 1


def make_grid(box: int, pixel: float, resolution: float, coarsest: float = np.inf) -> Grid:
    """The smallest box that is quick to transform and holds all shells up to `resolution` Å; what is coarser than `coarsest` Å is not compared
    (but at most a third of the shells is left out)."""
    shells = int(min(max(round(box * pixel / resolution), 1), box // 2))
    first = max(1, min(int(np.ceil(box * pixel / coarsest)), shells // 3))
    least = 2 * (shells + MARGIN)
    if least >= box:
        return Grid(box, pixel, shells, first)
    small = min(n for n in range(least + least % 2, box + 1, 2) if n == box or _quick(n))
    return Grid(small, box * pixel / small, shells, first)


def _quick(n: int) -> bool:
    """No prime factor above 5."""
    for prime in (2, 3, 5):
        while n % prime == 0:
            n //= prime
    return n == 1


@dataclass(frozen=True)
class Block:
    """n images of one optics group: x (n, P) transforms, masked and moved to the origin; c (n, P) contrast, so that x = scale c S + noise.

    The contrast is the CTF (its square for CTF-premultiplied images) times the gain of the group; scales of single particles are apart.
    """

    rows: np.ndarray
    x: Tensor
    c: Tensor
    rotations: Tensor
    group: int


class Images:
    """Blocks of images by row. `shells` of a block's pixels may be cut short for work at low resolution."""

    def __init__(
        self, particles: Particles, reader: Reader, grid: Grid, diameter: float, budget: Budget, options: CtfOptions | None = None,
        mtf: tuple[Mtf | None, ...] = (), progress: Callable[[int], None] = lambda count: None, share: Share | None = None,
    ) -> None:
        """`progress` is told how many images a block that has been worked on held; it may raise to stop. `share`: the images of
        this process, all if None."""
        self.share = share or alone(len(particles))
        ones = np.ones(len(particles))
        self.particles = replace(particles, defocus=replace(particles.defocus, scale=ones))
        self.grid, self.budget, self.options, self.progress = grid, budget, options or CtfOptions(), progress
        self.geometry = tuple(geometry(group, grid.box, grid.pixel, grid.shells) for group in particles.optics)
        self._sources = tuple(
            SpectraSource(reader, np.empty(0, np.int64), geo, diameter, 0, mtf[g] if mtf else None) for g, geo in enumerate(self.geometry)
        )
        self.rotations = euler_to_matrix(torch.from_numpy(particles.poses.angles))
        own, self._place = int(self.share.mine.sum()), np.cumsum(self.share.mine) - 1
        pixels = max(len(geo.band) for geo in self.geometry)
        self.cached = 12 * pixels * own <= budget.cache
        self._x = torch.empty(own, pixels, dtype=torch.complex64) if self.cached else None
        self._c = torch.empty(own, pixels) if self.cached else None
        self._have = np.zeros(len(particles), dtype=bool)

    def __len__(self) -> int:
        return len(self.particles)

    def begin(self, group: int) -> int:
        """The first pixel of the band that is compared."""
        return self.geometry[group].band.upto(self.grid.first - 1)

    def blocks(self, rows: np.ndarray, shells: int, copies: int) -> Iterator[Block]:
        """Those of `rows` (n,) that are this process's, group by group.

        `copies`: arrays of (n, P) complex numbers that the work on a block needs at once.
        """
        for g, geo in enumerate(self.geometry):
            mine = self.share.of(rows)
            mine = mine[self.particles.optics_index[mine] == g]
            count = geo.band.upto(shells)
            for some in split(mine, most(self.budget.work, 8 * count * (copies + 3))):
                yield self._block(some, g, count)
                self.progress(len(some))

    def _block(self, rows: np.ndarray, group: int, count: int) -> Block:
        turned = self.rotations[torch.from_numpy(rows)]
        if self._x is None or self._c is None:
            x, c = self._make(rows, group, count)
            return Block(rows, x, c, turned, group)
        new = rows[~self._have[rows]]
        if len(new):
            band = len(self.geometry[group].band)
            at = torch.from_numpy(self._place[new])
            self._x[at, :band], self._c[at, :band] = self._make(new, group, band)
            self._have[new] = True
        at = torch.from_numpy(self._place[rows])
        return Block(rows, self._x[:, :count][at], self._c[:, :count][at], turned, group)

    def _make(self, rows: np.ndarray, group: int, count: int) -> tuple[Tensor, Tensor]:
        """Masked transforms moved by the origins, and the contrast, on the first `count` pixels."""
        geo, watch = self.geometry[group], Stopwatch()
        some = self.particles.take(rows)
        shift = whole_pixels(some.poses.origin, geo.pixel)
        x = self._sources[group].get(rows, shift, watch, count).masked
        rest = torch.from_numpy(some.poses.origin / geo.pixel - shift)
        x = x * phases(rest, geo.band.k[:count, 0], geo.band.k[:count, 1], geo.band.box)
        return x, contrast(geo, some, np.ones(len(some.group_names)), self.options)[:, :count]
