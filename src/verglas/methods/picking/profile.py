"""The radial profile of the particles found so far, and discs to begin with."""

import numpy as np
import torch
from torch import Tensor

from verglas.methods.picking.field import Field

STEP = 0.5
"""px between points of a profile."""


def disc(field: Field, diameter: float) -> Tensor:
    """A disc of `diameter` Å with an edge of two pixels, its centre at pixel (0, 0), wrapped: (h, w)."""
    radius = np.arange(0, diameter / field.pixel, STEP)
    return radial_image(field, np.clip(0.5 + (diameter / 2 / field.pixel - radius) / 2, 0.0, 1.0))


def radial_image(field: Field, profile: np.ndarray) -> Tensor:
    """profile (K,) at radii STEP i px -> image (h, w) around pixel (0, 0), wrapped; 0 beyond the last radius."""
    y, x = (np.fft.fftfreq(n) * n for n in field.image.shape)
    radius = np.hypot(y[:, None], x[None]) / STEP
    return torch.from_numpy(np.interp(radius, np.arange(len(profile)), profile, right=0.0).astype(np.float32))


def learnt_profile(field: Field, image: np.ndarray, xy: np.ndarray, diameter: float) -> np.ndarray:
    """Median over the particles at xy (N, 2) px of their radial means in `image` (h, w), to 0.6 diameters, where it softly
    falls to 0."""
    end = 0.6 * diameter / field.pixel
    curves = np.array([_radial_mean(field, image, one, end) for one in xy])
    profile = np.nanmedian(curves, axis=0)
    profile = np.nan_to_num(profile - np.nanmean(profile[-3:]))
    return profile * np.clip((end / STEP - np.arange(len(profile))) / (0.1 * diameter / field.pixel / STEP), 0.0, 1.0)


def _radial_mean(field: Field, image: np.ndarray, centre: np.ndarray, end: float) -> np.ndarray:
    """Mean over rings around `centre` (x, y) px at radii 0, STEP, .. end of the valid pixels, shared linearly; NaN where there are none."""
    count, reach = int(end / STEP) + 1, int(end) + 2
    x0, y0 = (round(float(c)) for c in centre)
    rows = slice(max(y0 - reach, 0), min(y0 + reach + 1, field.size[0]))
    columns = slice(max(x0 - reach, 0), min(x0 + reach + 1, field.size[1]))
    values, valid = image[rows, columns], field.valid[rows, columns].numpy()
    y, x = np.ogrid[rows, columns]
    radius = np.hypot(y - centre[1], x - centre[0]) / STEP
    inside = valid & (radius < count - 1)
    low, part, value = radius[inside].astype(int), radius[inside] % 1.0, values[inside]
    sums = np.bincount(low, value * (1 - part), count) + np.bincount(low + 1, value * part, count)
    mass = np.bincount(low, 1 - part, count) + np.bincount(low + 1, part, count)
    return np.where(mass > 0.2, sums / np.maximum(mass, 1e-6), np.nan)
