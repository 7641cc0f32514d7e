"""A spectrum as cells of a polar grid, with its smooth background taken out: the data of every step of the fit."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.ctffit.background import Background, background
from verglas.methods.ctffit.spectrum import Spectrum

SECTORS = 60
"""Sectors of half the plane (3 degrees each); a spectrum is the same at k and -k."""
_PER_PIXEL = 2
"""Cells per pixel of radius: the rings of high defocus are hardly two pixels apart."""
_CROSS = 2
"""Rows and columns next to the axes that are left out: the cross of the edges of the micrograph."""
_CLIP = 5.0
"""Standard deviations: what is beyond (ice spots, dead lines) is pulled back to it."""


@dataclass(frozen=True)
class Cells:
    """Cell [sector, shell] of a grid (A, R): k2 1/Å², cos2, sin2 of twice its direction (means over its pixels), weight (number of pixels),
    data (power over background - 1, less what the background can follow of it); k (R,) 1/Å of the shells; variance: of the data of one pixel.
    """

    k: np.ndarray
    k2: np.ndarray
    cos2: np.ndarray
    sin2: np.ndarray
    weight: np.ndarray
    data: np.ndarray
    background: Background
    variance: float

    def flat(self, model: np.ndarray) -> np.ndarray:
        """model (A, R) less its part in the background: what the data can show of it."""
        out: np.ndarray = (model - self.background.part(model)).astype(np.float32)
        return out


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
    smooth = background(k, angle, weight.reshape(shape))
    level = average(power)
    level = np.log(np.maximum(level, 1e-3 * np.median(level[level > 0])))
    level = smooth.part(level)
    ratio = power / np.exp(level.ravel()[index]) - 1.0
    spread = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    ratio = np.clip(ratio, -_CLIP * spread, _CLIP * spread)
    data = average(ratio)
    data -= smooth.part(data)
    scatter = ratio - data.ravel()[index]
    variance = float(np.square(scatter).sum() / max(1, len(ratio) - np.count_nonzero(weight)))
    c2, s2 = (x * x - y * y) / (x * x + y * y), 2 * x * y / (x * x + y * y)
    as32 = (one.astype(np.float32) for one in (average(radius**2), average(c2), average(s2), weight.reshape(shape), data))
    return Cells(k, *as32, smooth, variance)
