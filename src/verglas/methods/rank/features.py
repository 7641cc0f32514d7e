"""What tells a good class average: one compact bright body in the middle, dark quiet solvent, detail inside and none outside."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from verglas.methods.rank.prepare import RADIUS, SIZE

OWN = (
    "separation", "contrast", "area", "scattered", "edge", "ring", "offset", "compactness", "sharpness", "fine_inside", "fine_outside",
    "fine_ratio", "coarse_outside", "coarse_ratio", "rim_detail", "radial_share", "extent", "slope", "skewness", "centre",
)
AGAINST_JOB = ("separation", "contrast", "sharpness", "fine_ratio", "extent")
"""These also count as the difference to the 90th percentile of all classes of the job."""
FEATURES = OWN + tuple(f"{name}_of_job" for name in AGAINST_JOB)

_AXIS = np.arange(SIZE) - SIZE // 2
_R = np.hypot(_AXIS[:, None], _AXIS) / RADIUS
_DISC = _R < 0.95
_RING = (_R >= 0.85) & _DISC
_WINDOW = np.clip((0.95 - _R) / 0.15, 0.0, 1.0)
_SHELL = np.rint(np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)) * SIZE).astype(int)
_TINY = 1e-3


def features(images: np.ndarray) -> np.ndarray:
    """(K, 64, 64) prepared images of one classification -> (K, F) in the order of FEATURES."""
    own = np.array([_own(image) for image in images])
    columns = [OWN.index(name) for name in AGAINST_JOB]
    best = np.quantile(own[:, columns], 0.9, axis=0)
    return np.concatenate([own, own[:, columns] - best], axis=1)


@dataclass(frozen=True)
class _Body:
    """threshold: between body and solvent; separation: share of the variance between the two; body: the part in the middle; all_above."""

    threshold: float
    separation: float
    body: np.ndarray
    above: np.ndarray
    solvent: np.ndarray


def _own(image: np.ndarray) -> list[float]:
    """The features of one image, without the comparison to its job."""
    if float(image[_DISC].std()) <= 0:
        return [0.0] * len(OWN)
    fine, smooth = ndimage.gaussian_filter(image, 0.8), ndimage.gaussian_filter(image, 2.0)
    found = _segment(smooth)
    dark = float(smooth[found.solvent].mean())
    contrast = max(float(smooth[found.body].mean()) - dark, 1e-12)
    fine, smooth, raw = (fine - dark) / contrast, (smooth - dark) / contrast, (image - dark) / contrast
    area = found.body.sum() / _DISC.sum()
    detail = fine - ndimage.gaussian_filter(raw, 2.0)
    coarse = smooth - ndimage.gaussian_filter(raw, 5.0)
    core = ndimage.binary_erosion(found.body, iterations=2)
    core = core if core.sum() > 20 else found.body
    fine_in, fine_out = _rms(detail[core]), _rms(detail[found.solvent])
    coarse_in, coarse_out = _rms(coarse[core]), float(smooth[found.solvent].std())
    rim = found.body ^ ndimage.binary_erosion(found.body)
    gradient = np.hypot(*np.gradient(fine))
    extent, slope = _spectrum(raw)
    return [
        found.separation, -np.log(coarse_out + _TINY), area, 1.0 - found.body.sum() / max(found.above.sum(), 1),
        float((found.above & _RING).sum() / _RING.sum()), float(smooth[_RING].mean()), _offset(found.body, smooth),
        4 * np.pi * found.body.sum() / max(rim.sum(), 1) ** 2, float(np.log(gradient[rim].mean() * RADIUS + _TINY)),
        np.log(fine_in + _TINY), np.log(fine_out + _TINY), np.log((fine_in + _TINY) / (fine_out + _TINY)),
        np.log(coarse_out + _TINY), np.log((coarse_in + _TINY) / (coarse_out + _TINY)), np.log(_rms(detail[_RING]) + _TINY),
        _radial_share(smooth), extent, slope, _skewness(smooth[_DISC]), float(smooth[_R < 0.25].mean()),
    ]


def _segment(smooth: np.ndarray) -> _Body:
    """Body and solvent of a smoothed image by the threshold that separates their values best (Otsu 1979), inside the mask."""
    values = smooth[_DISC]
    threshold, separation = _otsu(values)
    above = (smooth > threshold) & _DISC
    label, number = ndimage.label(above)
    weight = ndimage.sum_labels(np.exp(-((_R / 0.5) ** 2)), label, np.arange(1, number + 1))
    body = label == 1 + int(np.argmax(weight))
    solvent = _DISC & ~ndimage.binary_dilation(above, iterations=2)
    if solvent.sum() < 50:
        solvent = _DISC & (smooth <= np.quantile(values, 0.1))
    return _Body(threshold, separation, body, above, solvent)


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """(t, w0 w1 (m0 - m1)^2 / variance) at the cut t between sorted values where it is largest."""
    ordered = np.sort(values)
    n, total = len(ordered), ordered.sum()
    below = np.arange(1, n)
    mean_low, first = np.cumsum(ordered)[:-1] / below, np.cumsum(ordered)[:-1]
    mean_high = (total - first) / (n - below)
    between = below / n * (1 - below / n) * (mean_high - mean_low) ** 2
    cut = int(np.argmax(between))
    return float(ordered[cut]), float(between[cut] / max(ordered.var(), 1e-30))


def _spectrum(raw: np.ndarray) -> tuple[float, float]:
    """(log of the shell up to which the power stays above 1e-4 of shells 1 and 2; fall of log power from shells 2-4 to 8-12)."""
    power = np.abs(np.fft.fft2(raw * _WINDOW)) ** 2
    radial = ndimage.mean(power, _SHELL, np.arange(1, SIZE // 2))
    radial = radial / max(float(radial[:2].max()), 1e-30)
    over = np.flatnonzero(radial < 1e-4)
    extent = over[0] + 1 if len(over) else len(radial)
    return float(np.log(extent)), float(np.log(radial[7:12].mean() + 1e-8) - np.log(radial[1:4].mean() + 1e-8))


def _radial_share(smooth: np.ndarray) -> float:
    """Share of the variance inside the mask that the mean over each ring explains: 1 for round blobs."""
    ring = np.rint(_R * RADIUS).astype(int)[_DISC]
    values = smooth[_DISC]
    means = np.bincount(ring, values) / np.maximum(np.bincount(ring), 1)
    return float(1.0 - (values - means[ring]).var() / max(values.var(), 1e-30))


def _offset(body: np.ndarray, smooth: np.ndarray) -> float:
    """Distance of the body's centre of mass from the middle, in mask radii."""
    y, x = ndimage.center_of_mass(np.where(body, np.maximum(smooth, 0.05), 0.0))
    return float(np.hypot(y - SIZE // 2, x - SIZE // 2) / RADIUS)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0


def _skewness(values: np.ndarray) -> float:
    return float(((values - values.mean()) ** 3).mean() / max(float(values.std()) ** 3, 1e-30))
