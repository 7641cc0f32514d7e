"""Where to start: every mean defocus and astigmatism on a grid, scored from the profiles of a few sectors."""

from dataclasses import dataclass
from math import pi

import numpy as np

from verglas.methods.ctffit.cells import Cells
from verglas.methods.ctffit.lens import Aim, Lens, gamma

_GROUP = 3
"""Cells' sectors in one sector of the search (9 degrees)."""
_BAND = 0.025
"""1/Å: the strength of the rings is free in each band of this width, only not negative."""


@dataclass(frozen=True)
class Range:
    """What is searched: mean defocus between low and high (Å), full astigmatism U - V up to `astigmatism` (Å; above `expected` it costs),
    phase shifts (rad), (0,) without a phase plate, one that is known, or a grid; rings between the resolutions coarsest and finest (Å)."""

    low: float
    high: float
    astigmatism: float
    expected: float
    phases: tuple[float, ...]
    coarsest: float
    finest: float


@dataclass(frozen=True)
class Candidate:
    """A place on the grid and its score: the log of the likelihood ratio to no rings."""

    aim: Aim
    score: float


def search(cells: Cells, lens: Lens, wanted: Range, count: int) -> list[Candidate]:
    """The `count` best local maxima over mean defocus, best first.

    score = sum over bands of max(0, n)^2 / (2 d variance), n = sum of weight data model and d = sum of weight model^2 in the band, which is what
    is left of the Gaussian likelihood when the strength of each band takes its best value. As a sector sees only one defocus,
    n of (mean, a1, a2) is a sum over sectors of entries of one table [sector, band, defocus].
    """
    use = cells.k <= 1.0 / wanted.finest
    k = cells.k[use].astype(np.float64)
    step = 0.35 / (pi * lens.wavelength * k[-1] ** 2)
    half = 0.5 * wanted.astigmatism
    side = int(np.ceil(half / step))
    grid = np.arange(wanted.low - side * step, wanted.high + (side + 1) * step, step)
    table, norms = _table(cells, lens, k, grid)
    angle = ((np.arange(len(table)) + 0.5) / len(table) - 0.5) * pi
    inner = np.arange(side, len(grid) - side)
    best = np.full(len(inner), -np.inf)
    where = np.zeros((len(inner), 3))
    coarse = np.arange(-half, half + 1e-6, max(2 * step, half / 8) if half else 1.0)
    rows = np.arange(len(table))[:, None]
    for a1, a2 in ((a1, a2) for a1 in coarse for a2 in coarse if a1 * a1 + a2 * a2 <= half * half + 1e-6):
        offset = np.rint((a1 * np.cos(2 * angle) + a2 * np.sin(2 * angle)) / step).astype(int)
        found = table[rows, inner[None, :] + offset[:, None]].sum(0)
        cost = 2.0 * max(0.0, a1 * a1 + a2 * a2) / wanted.expected**2
        for phase in wanted.phases:
            score = _score(found, norms, inner, phase) / cells.variance - cost
            better = score > best
            best[better] = score[better]
            where[better] = a1, a2, phase
    return _peaks(grid[inner], best, where, count)


def _table(cells: Cells, lens: Lens, k: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Sums [sector, defocus, band] complex64 of weight data G, and of weight |G|^2 and weight G^2 [defocus, band], G = exp(2 i gamma) flattened."""
    shells = len(k)
    weighted = (cells.weight * cells.data)[:, :shells].reshape(-1, _GROUP, shells).sum(1)
    weight = cells.weight[:, :shells].sum(0)
    phase = np.stack([gamma(lens, Aim(one), k * k) for one in grid])
    rings = np.exp(2j * (phase % pi)).astype(np.complex64)
    smooth = cells.background.fine[:shells].astype(np.float32)
    inverse = np.linalg.pinv(np.einsum("rm,r,rn->mn", smooth, weight, smooth), rcond=1e-6, hermitian=True)
    rings -= np.einsum("dm,mr->dr", np.einsum("dr,rm->dm", rings * weight, smooth), np.einsum("mn,rn->mr", inverse, smooth))
    bands = ((k - k[0]) / _BAND).astype(int)
    table = np.empty((len(weighted), len(grid), bands[-1] + 1), np.complex64)
    plain, square = np.empty((len(grid), bands[-1] + 1), np.float32), np.empty((len(grid), bands[-1] + 1), np.complex64)
    for band in range(bands[-1] + 1):
        inside = bands == band
        part = rings[:, inside]
        table[:, :, band] = np.einsum("ar,dr->ad", weighted[:, inside], part)
        plain[:, band] = np.einsum("dr,r->d", np.abs(part) ** 2, weight[inside])
        square[:, band] = np.einsum("dr,dr,r->d", part, part, weight[inside])
    return table, (plain, square)


def _score(found: np.ndarray, norms: tuple[np.ndarray, np.ndarray], inner: np.ndarray, phase: float) -> np.ndarray:
    """(D,): sum over bands of max(0, n)^2 / (2 d) for the model -1/2 Re(G exp(2 i phase))."""
    turn = np.complex64(np.exp(2j * phase))
    n = -0.5 * (found * turn).real
    d = 0.125 * (norms[0][inner] + (norms[1][inner] * turn * turn).real)
    total: np.ndarray = (np.maximum(n, 0.0) ** 2 / np.maximum(2 * d, 1e-6)).sum(1)
    return total


def _peaks(grid: np.ndarray, best: np.ndarray, where: np.ndarray, count: int) -> list[Candidate]:
    """The highest local maxima of best (D,), best first."""
    padded = np.r_[-np.inf, best, -np.inf]
    tops = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    order = tops[np.argsort(-best[tops], kind="stable")][:count]
    return [Candidate(Aim(float(grid[i]), *map(float, where[i])), float(best[i])) for i in order]
