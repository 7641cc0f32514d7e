"""A spectrum as cells of a polar grid, with its smooth background taken out: the data of every step of the fit."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

from verglas.methods.ctffit.spectrum import Spectrum

SECTORS = 60
"""Sectors of half the plane (3 degrees each); a spectrum is the same at k and -k."""
_PER_PIXEL = 2
"""Cells per pixel of radius: the rings of high defocus are hardly two pixels apart."""
_KNOT = 0.035
"""1/Å between knots of the radial background."""
_CROSS = 2
"""Rows and columns next to the axes that are left out: the cross of the edges of the micrograph."""
_CLIP = 5.0
"""Standard deviations: what is beyond (ice spots, dead lines) is pulled back to it."""


@dataclass(frozen=True)
class Cells:
    """Cell [sector, shell] of a grid (A, R): k2 1/Å², cos2, sin2 of twice its direction (means over its pixels), weight (number of pixels),
    data (power over background - 1, orthogonal to the background); k (R,) 1/Å of the shells; basis (A R, M) orthonormal under the weights; radial (R, m) its splines of the radius alone; mean (R,)
    the rotational mean of power over background - 1; variance: of the data of one pixel.
    """

    k: np.ndarray
    k2: np.ndarray
    cos2: np.ndarray
    sin2: np.ndarray
    weight: np.ndarray
    data: np.ndarray
    basis: np.ndarray
    radial: np.ndarray
    mean: np.ndarray
    variance: float

    def flat(self, model: np.ndarray) -> np.ndarray:
        """model (A, R) less its part in the background: what the data can show of it."""
        root = np.sqrt(self.weight).ravel()
        inside = (model.ravel() * root) @ self.basis
        out = model - np.divide(self.basis @ inside, root, out=np.zeros_like(root), where=root > 0).reshape(model.shape)
        return out.astype(np.float32)


def cells(spectrum: Spectrum, coarsest: float, finest: float) -> Cells:
    """The cells between two resolutions (Å). Background: exp of splines of the radius (and, wider, of the direction) fitted to log power,
    then the same splines fitted to power over background - 1 and subtracted."""
    n, step = len(spectrum.power), spectrum.step
    low, high = 1.0 / coarsest, min(1.0 / finest, (n / 2 - 1) * step)
    y, x = np.mgrid[:n, n // 2:n] - n // 2 + np.zeros((2, 1, 1))
    y[:n // 2 + 1, 0] = 0.0  # x = 0 holds both k and -k: the rows above are enough
    radius = np.hypot(x, y) * step
    keep = (radius >= low) & (radius < high) & (np.abs(x) > _CROSS) & (np.abs(y) > _CROSS)
    x, y, radius, power = x[keep], y[keep], radius[keep], spectrum.power[:, n // 2:][keep].astype(np.float64)
    shells = max(1, int((high - low) / step * _PER_PIXEL))
    place = np.minimum(((radius - low) / step * _PER_PIXEL).astype(int), shells - 1)
    sector = np.minimum(((np.arctan2(y, x) / np.pi + 0.5) * SECTORS).astype(int), SECTORS - 1)
    index, shape = sector * shells + place, (SECTORS, shells)
    weight = np.bincount(index, minlength=SECTORS * shells).astype(np.float64)

    def average(values: np.ndarray) -> np.ndarray:
        total = np.bincount(index, values, minlength=len(weight))
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0).reshape(shape)

    k = low + (np.arange(shells) + 0.5) * step / _PER_PIXEL
    angle = (np.arange(SECTORS) + 0.5) / SECTORS * np.pi - np.pi / 2
    basis = _background(k, angle) * np.sqrt(weight)[:, None]
    basis = np.linalg.qr(basis[:, np.abs(basis).sum(0) > 0])[0]
    level = average(power)
    level = np.log(np.maximum(level, 1e-3 * np.median(level[level > 0])))
    level = _smooth(level, weight, basis)
    ratio = power / np.exp(level.ravel()[index]) - 1.0
    spread = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    ratio = np.clip(ratio, -_CLIP * spread, _CLIP * spread)
    data = average(ratio)
    mean = (data * weight.reshape(shape)).sum(0) / np.maximum(weight.reshape(shape).sum(0), 1)
    data -= _smooth(data, weight, basis)
    scatter = ratio - data.ravel()[index]
    variance = float(np.square(scatter).sum() / max(1, len(ratio) - np.count_nonzero(weight)))
    c2, s2 = (x * x - y * y) / (x * x + y * y), 2 * x * y / (x * x + y * y)
    as32 = (one.astype(np.float32) for one in (average(radius**2), average(c2), average(s2), weight.reshape(shape), data, basis))
    return Cells(k, *as32, _splines(k, _KNOT), mean, variance)


def _background(k: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(A R, M): cubic splines of k, times 1 and, with knots three times as far apart, times cos and sin of 2 and 4 angles."""
    fine, wide = _splines(k, _KNOT), _splines(k, 3 * _KNOT)
    turns = np.stack([wave(m * angle) for m in (2, 4) for wave in (np.cos, np.sin)])
    round_part = np.broadcast_to(fine, (len(angle), *fine.shape))
    turned = np.einsum("ta,rm->artm", turns, wide).reshape(len(angle), len(k), -1)
    return np.concatenate((round_part, turned), axis=2).reshape(len(angle) * len(k), -1)


def _splines(k: np.ndarray, knot: float) -> np.ndarray:
    """(R, m) cubic B-splines on [k[0], k[-1]]."""
    pieces = max(2, round((k[-1] - k[0]) / knot))
    inner = np.linspace(k[0], k[-1] * (1 + 1e-9), pieces + 1)
    return BSpline.design_matrix(k, np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3], 3).toarray()


def _smooth(values: np.ndarray, weight: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The part of values (A, R) that the background can follow, least squares under the weights."""
    root = np.sqrt(weight)
    fitted = basis @ ((values.ravel() * root) @ basis)
    return np.divide(fitted, root, out=np.zeros_like(root), where=root > 0).reshape(values.shape)
