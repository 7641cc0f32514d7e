"""Rings as curves: the average along lines of equal phase, how well the fit follows it, and up to which resolution; ice."""

from dataclasses import dataclass, replace

import numpy as np

from verglas.methods.ctffit.cells import Cells
from verglas.methods.ctffit.lens import Aim, Lens, gamma, rings, turning_point
from verglas.methods.ctffit.spectrum import Spectrum

FOLLOWED = 0.5
"""Correlation of curve and fit down to which the fit is said to follow the rings."""
NOTHING = 25.0
"""Å: the resolution of a fit that follows nothing (as RELION writes it)."""
_NARROWEST = 0.006
"""1/Å: the least half width of the window in which curve and fit are compared."""
_ICE = (0.25, 0.28)
_BEFORE_ICE = 0.24
_AROUND_ICE = (0.20, 0.34)


@dataclass(frozen=True)
class Profile:
    """Over k (R,) 1/Å: rotational average and equi-phase average of power over background - 1, the fitted rings, their strength, and the
    correlation of the last average with the rings in a window of about one ring. Equi-phase: k of the mean defocus where gamma is the same.
    """

    k: np.ndarray
    rotational: np.ndarray
    average: np.ndarray
    rings: np.ndarray
    strength: np.ndarray
    correlation: np.ndarray


def profile(cells: Cells, lens: Lens, aim: Aim, strength: np.ndarray) -> Profile:
    """The curves of a fit. Beyond the turning point of gamma (strong Cs at low defocus) shells of equal radius are averaged."""
    k2 = cells.k2.astype(np.float64)
    turns = gamma(lens, aim, k2, cells.cos2, cells.sin2)
    level = replace(aim, a1=0.0, a2=0.0)
    top = 0.95 * turning_point(lens, aim.mean)
    fine = np.linspace(0.0, min(1.2 * cells.k[-1], np.sqrt(top)), 4000)
    same = np.where(k2 < top, np.interp(turns, gamma(lens, level, fine * fine), fine), np.sqrt(k2))
    step = cells.k[1] - cells.k[0]
    place = np.rint((same - cells.k[0]) / step).astype(int)
    inside = (place >= 0) & (place < len(cells.k)) & (cells.weight > 0)
    weight = np.bincount(place[inside], cells.weight[inside], len(cells.k))

    def along(values: np.ndarray) -> np.ndarray:
        total = np.bincount(place[inside], (cells.weight * values)[inside], len(cells.k))
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    average, fitted = along(cells.data), along(cells.flat(rings(lens, aim, k2, cells.cos2, cells.sin2)))
    shells = np.maximum(cells.weight.sum(0), 1e-6)
    rotational = (cells.weight * cells.data).sum(0) / shells
    return Profile(cells.k, rotational, average, fitted, strength, _windowed(cells.k, average, fitted, weight, _window(cells.k, lens, aim.mean)))


def _window(k: np.ndarray, lens: Lens, mean: float) -> np.ndarray:
    """(R,) 1/Å, the standard deviation of the window: 0.4 of the distance of two rings, 1 / (2 k lambda (mean - lambda^2 k^2 Cs))."""
    slope = np.abs(2 * lens.wavelength * k * (mean - lens.wavelength**2 * k * k * lens.cs))
    return np.clip(0.4 / np.maximum(slope, 1e-6), _NARROWEST, 0.03)


def _windowed(k: np.ndarray, one: np.ndarray, other: np.ndarray, weight: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(R,): correlation of two curves around every k under a Gaussian window of the given width."""
    near = np.exp(-0.5 * ((k[None, :] - k[:, None]) / width[:, None]) ** 2) * weight[None, :]
    cross, first, second = (np.einsum("kr,r->k", near, product) for product in (one * other, one * one, other * other))
    norm = np.sqrt(first * second)
    return np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0)


def resolution(curves: Profile, lens: Lens, mean: float) -> float:
    """Å, to where the fit follows the rings without a break longer than one ring; 25 if it does not follow a single one."""
    good = curves.correlation > FOLLOWED
    ring = 2.5 * _window(curves.k, lens, mean)
    first, last = None, None
    for i in np.flatnonzero(good):
        if last is None or curves.k[i] - curves.k[last] > ring[i]:
            if last is not None and first is not None and curves.k[last] - curves.k[first] >= ring[first]:
                break
            first = i
        last = i
    if first is None or last is None or curves.k[last] - curves.k[first] < ring[first]:
        return NOTHING
    return min(NOTHING, 1.0 / float(curves.k[last]))


def correlation(cells: Cells, lens: Lens, aim: Aim, finest: float) -> float:
    """The figure of merit: Pearson's correlation of all pixels coarser than `finest` (Å), background removed, with the rings."""
    model = cells.flat(rings(lens, aim, cells.k2, cells.cos2, cells.sin2))
    weight = cells.weight * (cells.k <= 1.0 / finest)
    pixels = (weight * cells.data**2).sum() + cells.variance * np.maximum(weight - 1, 0).sum()
    return float((weight * cells.data * model).sum() / np.sqrt(max(pixels * (weight * model**2).sum(), 1e-30)))


def explained(cells: Cells, curves: Profile) -> float:
    """The part of sum of weight average^2 / variance - 1, what the equi-phase average has beyond noise, that strength rings explains; at most 1.

    Only shells coarser than the rings of ice count. The sum may be less by chance: two of its standard deviations are granted.
    """
    use = curves.k < _BEFORE_ICE
    weight, fitted = use * cells.weight.sum(0) / cells.variance, curves.strength * curves.rings
    there = float((weight * curves.average**2).sum()) - use.sum() - 2.0 * np.sqrt(2.0 * use.sum())
    seen = float((weight * (2.0 * curves.average - fitted) * fitted).sum())
    return min(1.0, seen / there) if there > 0 else 1.0


def ice_ring(spectrum: Spectrum) -> float | None:
    """Mean power between 1/4 and 1/3.57 Å over that of its surroundings (a parabola through the logs from 5 to 2.9 Å), minus 1.

    Near 0 without crystalline ice; None where the spectrum ends before 3.3 Å.
    """
    n = len(spectrum.power)
    y, x = np.mgrid[:n, :n] - n // 2
    radius = np.hypot(x, y)
    shell = np.rint(radius).astype(int)
    inside = (shell < n // 2) & (np.abs(x) > 2) & (np.abs(y) > 2)
    count = np.bincount(shell[inside], minlength=n // 2)
    mean = np.bincount(shell[inside], spectrum.power[inside], minlength=n // 2) / np.maximum(count, 1)
    k = np.arange(n // 2) * spectrum.step
    if k[-1] < 0.30:
        return None
    band = (k >= _ICE[0]) & (k <= _ICE[1])
    around = (k >= _AROUND_ICE[0]) & (k <= _AROUND_ICE[1]) & ((k < _ICE[0] - 0.01) | (k > _ICE[1] + 0.01))
    floor = np.polyval(np.polyfit(k[around], np.log(mean[around]), 2 if k[-1] > 0.31 else 1), k[band])
    return float((mean[band] / np.exp(floor)).mean() - 1.0)
