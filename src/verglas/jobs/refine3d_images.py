"""Door checks that look at pixels: the stacks, and a sample of the particles (normalised? white? any numbers at all?)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.image_check import background_statistics
from verglas.types import Particles

SAMPLE = 200
"""Particles that are looked at, spread over the file."""
MEAN_LIMIT, SD_LIMITS = 0.5, (0.5, 2.0)
"""RELION's criterion for normalised particles: |mean| < 0.5 sd and 0.5 < sd < 2 outside the particle."""
BAD_SHARE = 0.1
"""More unnormalised particles than this end the job, fewer are warned of."""
RINGS = 6
"""Of equal width within the particle's radius: a hollow particle is darkest in its middle, and lightest in its wall."""
CERTAIN = 5.0
"""Standard errors by which the particles must be darker (or lighter) than their background to be called so."""


@dataclass(frozen=True)
class Sample:
    """Of particles `rows`: background mean (in its standard deviations) and standard deviation, each (n,), and contrast (n, RINGS or fewer):
    mean of each ring above the background, in standard deviations."""

    rows: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    contrast: np.ndarray

    @property
    def unnormalised(self) -> np.ndarray:
        """(n,) bool."""
        return (np.abs(self.mean) > MEAN_LIMIT) | (self.sd < SD_LIMITS[0]) | (self.sd > SD_LIMITS[1])

    @property
    def shown(self) -> tuple[float, float]:
        """Mean contrast of the ring that stands out most, positive for white particles, and the same in standard errors."""
        if len(self.contrast) < 3:
            return 0.0, 0.0
        mean = self.contrast.mean(0)
        z = mean / np.maximum(self.contrast.std(0, ddof=1), 1e-9) * np.sqrt(len(self.contrast))
        most = int(np.abs(z).argmax())
        return float(mean[most]), float(z[most])


def sample_rows(count: int) -> np.ndarray:
    """Up to SAMPLE rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, SAMPLE).astype(np.int64))


def look(pixels: np.ndarray, rows: np.ndarray, radius: float) -> Sample:
    """Statistics of images (n, B, B) of particles with this `radius` in px."""
    box = pixels.shape[-1]
    axis = np.arange(box) - box // 2
    distance = np.hypot(axis[:, None], axis)
    mean, sd = background_statistics(pixels, min(radius, box / 2))
    sd = np.maximum(sd, 1e-12)
    count = max(1, min(RINGS, int(radius)))
    ring = np.floor(distance / radius * count)
    inside = np.stack([pixels[:, ring == k].mean(1) for k in range(count)], axis=1)
    return Sample(rows, mean / sd, sd, (inside - mean[:, None]) / sd[:, None])


def join(parts: list[Sample]) -> Sample:
    """Samples of several optics groups as one."""
    return Sample(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "mean", "sd", "contrast")))


def image_label(particles: Particles, row: int) -> str:
    """'row 12 (000012@stack.mrcs)'."""
    images = particles.images
    return f"row {row + 1} ({images.index[row] + 1:06d}@{images.stacks[images.stack[row]]})"


def require_numbers(pixels: np.ndarray, rows: np.ndarray, particles: Particles, star: Path) -> None:
    """Raise on images with NaN or infinite pixels, and on constant ones."""
    finite = np.isfinite(pixels).all((1, 2))
    if not finite.all():
        raise DataError("the image has pixels that are not numbers (NaN or infinite)",
                        where=f"{star}, {image_label(particles, int(rows[np.argmin(finite)]))}", remedy="extract it again or remove the row")
    flat = pixels.max((1, 2)) == pixels.min((1, 2))
    if flat.any():
        raise DataError("the image is empty (all pixels are the same)",
                        where=f"{star}, {image_label(particles, int(rows[np.argmax(flat)]))}", remedy="extract it again or remove the row")


def require_normalised(sample: Sample, particles: Particles, star: Path) -> tuple[str, ...]:
    """Raise when many particles are not normalised; a sentence when few are."""
    bad = np.flatnonzero(sample.unnormalised)
    if not len(bad):
        return ()
    first = int(bad[0])
    found = (f"background of mean {sample.mean[first] * sample.sd[first]:.3g} and standard deviation {sample.sd[first]:.3g} outside the "
             f"particle, expected about 0 and 1; so are {100 * len(bad) / len(sample.rows):.0f} % of {len(sample.rows)} particles looked at")
    where = f"{star}, {image_label(particles, int(sample.rows[first]))}"
    if len(bad) <= BAD_SHARE * len(sample.rows):
        return (f"{where}: {found}",)
    raise InputError(found, where=where, remedy="normalise them (extract with normalisation, or relion_preprocess --norm --bg_radius R), check "
                     "--mask-diameter, or go on with --skip-image-checks")


def require_white(sample: Sample, star: Path) -> tuple[str, ...]:
    """Raise when the particles are darker than their background; a sentence when nothing can be seen."""
    contrast, z = sample.shown
    if z < -CERTAIN:
        raise InputError(
            f"inverted contrast: the particles are darker than their background (by {-contrast:.2g} of its standard deviation, "
            f"{-z:.0f} standard errors), expected white ones", where=str(star),
            remedy="multiply the images by -1 (extract with inverted contrast), or go on with --skip-image-checks")
    if len(sample.rows) >= 3 and z < 2.0:
        return ("the particles are hardly lighter than their background: is the contrast right, and are they centred?",)
    return ()
