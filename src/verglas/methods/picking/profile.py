"""The radial profile of the particles found so far, and balls to begin with."""

import numba
import numpy as np
import torch
from torch import Tensor

from verglas.methods.picking.field import Field

STEP = 0.5
"""px between points of a profile."""


def dome(field: Field, diameter: float) -> Tensor:
    """sqrt(1 - (2 r / d)^2), the projection of a ball of `diameter` d Å, its centre at pixel (0, 0), wrapped: (h, w)."""
    radius = np.arange(0, diameter / 2 / field.pixel + 2, STEP) * field.pixel
    return radial_image(field, np.sqrt(np.clip(1 - (2 * radius / diameter) ** 2, 0.0, 1.0)))


def radial_image(field: Field, profile: np.ndarray) -> Tensor:
    """profile (K,) at radii STEP i px -> image (h, w) around pixel (0, 0), wrapped; 0 beyond the last radius."""
    y, x = (np.fft.fftfreq(n) * n for n in field.image.shape)
    radius = np.hypot(y[:, None], x[None]) / STEP
    return torch.from_numpy(np.interp(radius, np.arange(len(profile)), profile, right=0.0).astype(np.float32))


def learnt_profile(field: Field, image: np.ndarray, xy: np.ndarray, diameter: float) -> np.ndarray:
    """Median over the particles at xy (N, 2) px of their radial means in `image` (h, w), to 0.6 diameters, where it softly
    falls to 0."""
    end = 0.6 * diameter / field.pixel
    curves = _radial_means(image, field.valid.numpy(), field.size, xy, end)
    known = np.flatnonzero(np.isfinite(curves).any(0))
    if len(known) == 0:
        return np.zeros(curves.shape[1])
    profile = np.interp(np.arange(curves.shape[1]), known, np.nanmedian(curves[:, known], axis=0))
    profile -= profile[-3:].mean()
    return profile * np.clip((end / STEP - np.arange(len(profile))) / (0.1 * diameter / field.pixel / STEP), 0.0, 1.0)


@numba.njit(cache=True)
def _radial_means(image: np.ndarray, valid: np.ndarray, size: tuple[int, int], xy: np.ndarray, end: float) -> np.ndarray:  # pragma: no cover
    """Means (N, K) over rings around xy (N, 2) px at radii 0, STEP, .. end of the valid pixels, shared linearly; NaN where there are none."""
    count, reach = int(end / STEP) + 1, int(end) + 2
    means = np.full((len(xy), count), np.nan)
    for i in range(len(xy)):
        sums, mass = np.zeros(count), np.zeros(count)
        x0, y0 = round(xy[i, 0]), round(xy[i, 1])
        for y in range(max(y0 - reach, 0), min(y0 + reach + 1, size[0])):
            for x in range(max(x0 - reach, 0), min(x0 + reach + 1, size[1])):
                radius = np.hypot(y - xy[i, 1], x - xy[i, 0]) / STEP
                low = int(radius)
                if valid[y, x] and low + 1 < count:
                    part = radius - low
                    sums[low] += image[y, x] * (1 - part)
                    sums[low + 1] += image[y, x] * part
                    mass[low] += 1 - part
                    mass[low + 1] += part
        for k in range(count):
            if mass[k] > 0.2:
                means[i, k] = sums[k] / mass[k]
    return means
