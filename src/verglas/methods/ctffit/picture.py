"""A fit to look at: the spectrum on the left, the fitted rings on the right."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from verglas.methods.ctffit.estimate import CtfFit
from verglas.methods.ctffit.lens import Lens, rings
from verglas.methods.ctffit.spectrum import Spectrum

_SMOOTH = 0.7
"""px of blur of the spectrum, so that weak rings are seen."""
_RANGE = 3.0


def picture(spectrum: Spectrum, lens: Lens, fit: CtfFit) -> np.ndarray:
    """(N, N) float32, zero frequency in the middle. Left: power over its smooth rotational average, less 1, in standard deviations, kept within 3.
    Right: |CTF|^2 - 1/2 up to the fit resolution on the same scale (-2 to 2), 0 beyond.
    """
    n = len(spectrum.power)
    y, x = np.mgrid[:n, :n] - n // 2
    radius = np.hypot(x, y)
    k2 = (radius * spectrum.step) ** 2
    safe = np.maximum(radius**2, 1.0)
    fitted = 4.0 * rings(lens, fit.aim, k2, (x * x - y * y) / safe, 2 * x * y / safe)
    fitted[k2 > 1.0 / fit.resolution**2] = 0.0
    both: np.ndarray = np.where(x < 0, flattened(spectrum), fitted).astype(np.float32)
    return both


def flattened(spectrum: Spectrum) -> np.ndarray:
    """(N, N): power over its smooth rotational average, less 1, in standard deviations, kept within 3."""
    n = len(spectrum.power)
    y, x = np.mgrid[:n, :n] - n // 2
    radius = np.hypot(x, y)
    ratio = gaussian_filter(spectrum.power / _level(spectrum.power, radius) - 1.0, _SMOOTH)
    seen = (radius > 4) & (radius < n / 2)
    shown: np.ndarray = np.clip(ratio / ratio[seen].std(), -_RANGE, _RANGE)
    return shown


def _level(power: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The rotational mean of the logs (N, N), smooth over the rings (8 px)."""
    shell = np.rint(radius).astype(int).ravel()
    logs = np.log(np.maximum(power, 1e-3 * np.median(power))).ravel()
    mean = np.bincount(shell, logs) / np.maximum(np.bincount(shell), 1)
    smooth = gaussian_filter(mean, 8.0, mode="nearest")
    level: np.ndarray = np.exp(map_coordinates(smooth, radius[None], order=1, mode="nearest"))
    return level
