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
    step = spectrum.step
    low, high = 1.0 / coarsest, min(1.0 / finest, (len(spectrum.power) / 2 - 1) * step)
    x, y, power = _pixels(spectrum, low / step, high / step)
    shells = max(1, int((high - low) / step * _PER_PIXEL))
    place = np.minimum(((np.hypot(x, y) - low / step) * _PER_PIXEL).astype(int), shells - 1)
    sector = np.minimum(((np.arctan2(y, x) / np.pi + 0.5) * SECTORS).astype(int), SECTORS - 1)
    index = sector * shells + place
    weight = np.bincount(index, minlength=SECTORS * shells).reshape(SECTORS, shells).astype(np.float64)

    def average(values: np.ndarray) -> np.ndarray:
        total = np.bincount(index, values, minlength=weight.size).reshape(weight.shape)
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0).astype(np.float32)

    k = low + (np.arange(shells) + 0.5) * step / _PER_PIXEL
    smooth = background(k, (np.arange(SECTORS) + 0.5) / SECTORS * np.pi - np.pi / 2, weight)
    ratio = _clipped(power / _level(average(power), smooth).ravel()[index] - 1.0)
    data = average(ratio)
    data -= smooth.part(data)
    variance = float(np.square(ratio - data.ravel()[index]).sum() / max(1, len(ratio) - np.count_nonzero(weight)))
    r2 = x * x + y * y
    cos2, sin2 = average((x * x - y * y) / r2), average(2 * x * y / r2)
    return Cells(k, average(r2 * step**2), cos2, sin2, weight.astype(np.float32), data, smooth, variance)


def _pixels(spectrum: Spectrum, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y (P,) px from the middle and power (P,) of the pixels of the right half with a radius from low to high (px), the cross left out."""
    half = len(spectrum.power) // 2
    y, x = np.mgrid[-half:half, 0:half].astype(np.float64)
    radius = np.hypot(x, y)
    keep = (radius >= low) & (radius < high) & (x > _CROSS) & (np.abs(y) > _CROSS)
    return x[keep], y[keep], spectrum.power[:, half:][keep].astype(np.float64)


def _level(power: np.ndarray, smooth: Background) -> np.ndarray:
    """The smooth level (A, R) that the logs of the cells' power lie about."""
    floor = 1e-3 * np.median(power[power > 0])
    level: np.ndarray = np.exp(smooth.part(np.log(np.maximum(power, floor))))
    return level


def _clipped(ratio: np.ndarray) -> np.ndarray:
    """ratio (P,) with what is more than _CLIP standard deviations (from the median deviation) from 0 pulled back to it."""
    spread = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    clipped: np.ndarray = np.clip(ratio, -_CLIP * spread, _CLIP * spread)
    return clipped
