"""The thickness of the ice, from where the Thon rings fade and turn over."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from verglas.methods.ctffit.cells import Cells
from verglas.methods.ctffit.lens import Aim, Lens, rings, slab

THICKEST = 5000.0
_STEP = 20.0
"""Å: the largest thickness that is tried, and the step between two."""
_SEEN = 7.0
"""Log likelihood ratio to the thinnest ice below which the turning over of the rings cannot be told from their mere fading."""
_PLAUSIBLE = 4.0
"""Log likelihood ratio to the best down to which a thickness is still possible."""
_ENVELOPE = 4
"""Coefficients of the log of the strength of the rings: a cubic of k."""
_COUNT = 60
"""Shells are gathered into this many bands of k."""


@dataclass(frozen=True)
class Thickness:
    """value and its standard error, Å; or, when the rings do not reach the first node, None and `below`: what it is hardly more than."""

    value: float | None
    error: float
    below: float


def thickness(data: Cells, lens: Lens, aim: Aim, finest: float) -> Thickness:
    """The amplitude a(k) = sum of weight data C / sum of weight C^2 of the rings C of zero thickness, of bands of k, is fitted by
    exp(cubic of k) slab(t, k); the log likelihood ratio of every t is that of its best cubic.
    """
    k, amplitude, error = _amplitudes(data, lens, aim, finest)
    grid = np.arange(0.0, THICKEST, _STEP)
    score = _scores(k, amplitude, error, lens, grid)
    best = int(np.argmax(score))
    likely = np.exp(score - score[best])
    likely /= likely.sum()
    below = float(grid[np.flatnonzero(score > score[best] - _PLAUSIBLE)[-1]])
    node = 1.0 / (lens.wavelength * k[-1] ** 2)
    if score[best] - score[grid <= node].max(initial=score[0]) < _SEEN:
        return Thickness(None, 0.0, below)
    mean = float((likely * grid).sum())
    return Thickness(mean, float(np.sqrt(max((likely * (grid - mean) ** 2).sum(), _STEP**2 / 12))), below)


def _amplitudes(data: Cells, lens: Lens, aim: Aim, finest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """k 1/Å, amplitude of the rings and its standard error of bands up to 1 / finest."""
    model = data.flat(rings(lens, Aim(aim.mean, aim.a1, aim.a2, aim.phase), data.k2, data.cos2, data.sin2))
    use = data.k <= 1.0 / finest
    band = (np.arange(use.sum()) * _COUNT // use.sum())
    n, d = (np.bincount(band, (data.weight * one * model).sum(0)[use]) for one in (data.data, model))
    k = np.bincount(band, data.k[use]) / np.bincount(band)
    return k, n / d, np.sqrt(data.variance / d)


def _scores(k: np.ndarray, amplitude: np.ndarray, error: np.ndarray, lens: Lens, grid: np.ndarray) -> np.ndarray:
    """Minus half of the sum of squares of each thickness, with its best envelope; each starts where its neighbour ended, and afresh."""
    basis = np.polynomial.chebyshev.chebvander((2 * k - k[0] - k[-1]) / (k[-1] - k[0]), _ENVELOPE - 1)
    first = np.zeros(_ENVELOPE)
    first[0] = np.log(max(np.abs(amplitude).mean(), 1e-3))
    scores, last = np.empty(len(grid)), first
    for i, one in enumerate(grid):
        shape = slab(lens, float(one), k * k) / error

        def misfit(log: np.ndarray, shape: np.ndarray = shape) -> np.ndarray:
            left: np.ndarray = np.exp(np.minimum(basis @ log, 3.0)) * shape - amplitude / error
            return left

        def slopes(log: np.ndarray, shape: np.ndarray = shape) -> np.ndarray:
            left: np.ndarray = (np.exp(np.minimum(basis @ log, 3.0)) * shape)[:, None] * basis
            return left

        ends = [least_squares(misfit, start, slopes, method="lm", max_nfev=40) for start in (first, last)]
        end = min(ends, key=lambda found: found.cost)
        last, scores[i] = end.x, -end.cost
    return scores
