"""A micrograph made ready for picking: small, flat, of even variance, bright particles, with what must not be looked at left out."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import fft, ndimage
from torch import Tensor

CLIP = 10.0
"""Pixels further from the median than so many standard deviations are set there (contamination, hot pixels)."""
CELLS = 8
"""Cells of the running median per particle."""
STEEP = 8.0
"""A step is so many times the usual change of the background over a quarter of a particle."""


@dataclass(frozen=True)
class Field:
    """image (h, w) float32: particles bright, noise of variance ~1, 0 where not `valid` (h, w) bool; both padded with "not valid".

    `size` (rows, columns) of the part that lies in the micrograph. `pixel` Å. Micrograph pixel = position * scale + offset, for (x, y).
    depth (rows, columns): the smoothed micrograph, in standard deviations of itself, by which contamination is known.
    """

    image: Tensor
    valid: Tensor
    size: tuple[int, int]
    pixel: float
    scale: float
    offset: float
    depth: np.ndarray

    def to_micrograph(self, xy: np.ndarray) -> np.ndarray:
        """Positions (N, 2) of the field -> pixels of the micrograph."""
        return xy * self.scale + self.offset


def make_field(micrograph: np.ndarray, pixel: float, diameter: float, target: float, white: bool = False, bad: np.ndarray | None = None) -> Field:
    """The micrograph (ny, nx) averaged over whole pixels up to `target` Å, background and variance of the width of a particle divided out.

    x -> (x - m - b) / s, m the plateaus, b the mean of x - m in a Gaussian of sigma = diameter, s the standard deviation likewise, in one of 2
    diameters, both over valid pixels; steps of m are not valid.
    `bad` (rows, columns of the field) bool: what to leave out.
    """
    factor = max(1, int(target / pixel + 1e-6))
    small = average(micrograph, factor)
    middle = float(np.median(small))
    spread = 1.4826 * float(np.median(np.abs(small - middle))) or float(small.std()) or 1.0
    small = np.clip((small - middle) / spread, -CLIP, CLIP) * (1.0 if white else -1.0)
    step = pixel * factor
    level = plateaus(small, diameter / step)
    good = (~steps(level, diameter / step)).astype(np.float32)
    if bad is not None:
        good = good * ~bad
    flat = small - level
    flat = flat - local_mean(flat, good, diameter / step)
    depth = ndimage.gaussian_filter(flat, diameter / 10 / step, mode="nearest")
    square = np.minimum(flat**2, 9.0 * float(np.median(flat[good > 0] ** 2)) / 0.455) if good.any() else flat**2
    level = np.maximum(plateaus(square, diameter / step), 1e-3)
    flat = flat / np.sqrt(np.maximum(level * local_mean(square / level, good, 2.0 * diameter / step), 1e-6)) * good
    shape = tuple(9 * fft.next_fast_len(-(-(n + round(diameter / step)) // 9), True) for n in small.shape)
    image, valid = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
    image[: small.shape[0], : small.shape[1]], valid[: small.shape[0], : small.shape[1]] = flat, good > 0
    return Field(torch.from_numpy(image), torch.from_numpy(valid), (small.shape[0], small.shape[1]), step, float(factor), (factor - 1) / 2, depth)


def plateaus(image: np.ndarray, size: float) -> np.ndarray:
    """Running median (rows, columns) of means over cells of `size` / CELLS px, in a disc 2.5 sizes wide: it follows the steps of carbon and bars
    sharply, where a mean would swing on both sides, and does not see what is smaller than half the disc, as particles are."""
    cell = max(1, round(size / CELLS))
    pad = [(0, -n % cell) for n in image.shape]
    cells = average(np.pad(image, pad, mode="edge"), cell)
    reach = int(1.25 * size / cell)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    middle = ndimage.median_filter(cells, footprint=x**2 + y**2 <= (1.25 * size / cell) ** 2, mode="nearest")
    at = (((np.arange(n) - (cell - 1) / 2) / cell) for n in image.shape)
    return _bilinear(middle, *at)


def steps(level: np.ndarray, size: float) -> np.ndarray:
    """(rows, columns) bool: where plateaus differ within size / 4 px by more than STEEP times their usual change (median)."""
    cell = max(1, round(size / CELLS))
    near = 2 * (cell + cell // 2) + 1
    change = ndimage.maximum_filter(level, near, mode="nearest") - ndimage.minimum_filter(level, near, mode="nearest")
    return np.asarray(change > STEEP * max(float(np.median(change)), 1e-6))


def coarsen(field: Field) -> Field:
    """The same field on 5 of 9 pixels (Fourier crop), exact for what is coarser than 3.6 old pixels; every second transform is then a third."""
    h, w = (n * 5 // 9 for n in field.image.shape)
    spectrum = torch.fft.rfft2(field.image)
    keep = torch.cat((torch.arange((h + 1) // 2), torch.arange(field.image.shape[0] - h // 2, field.image.shape[0])))
    image = torch.fft.irfft2(spectrum[keep, : w // 2 + 1], s=(h, w)) * (h * w / field.image.numel())
    at = [((torch.arange(n) * 1.8).round().long()).clamp(max=m - 1) for n, m in zip((h, w), field.image.shape)]
    valid = field.valid[at[0]][:, at[1]]
    size = (-(-field.size[0] * 5 // 9), -(-field.size[1] * 5 // 9))
    return replace(field, image=image * valid, valid=valid, size=size, pixel=field.pixel * 1.8, scale=field.scale * 1.8)


def average(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels, float32; rows and columns left over at the end are dropped."""
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    cut = image[: rows * factor, : columns * factor].astype(np.float32, copy=False)
    if factor == 1:
        return cut
    lines = cut.reshape(rows, factor, columns * factor).sum(1)
    return lines.reshape(rows, columns, factor).sum(2) / np.float32(factor**2)


def local_mean(image: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """sum G w x / sum G w with a Gaussian G of `sigma` px, computed on a coarser grid since it is smooth; the border does not count."""
    coarse = max(1, int(sigma / 4))
    rows, columns = (-(-n // coarse) * coarse for n in image.shape)
    pad = ((0, rows - image.shape[0]), (0, columns - image.shape[1]))
    total, mass = (
        ndimage.gaussian_filter(average(np.pad(one, pad), coarse), sigma / coarse, mode="constant", truncate=3.0) for one in (image * weight, weight)
    )
    mean = total / np.maximum(mass, 1e-3)
    if coarse == 1:
        return mean
    at = np.ogrid[: image.shape[0], : image.shape[1]]
    y, x = ((axis - (coarse - 1) / 2) / coarse for axis in at)
    return _bilinear(mean, y.ravel(), x.ravel())


def _bilinear(values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """values at the grid of rows y and columns x; beyond the border its value."""
    for axis, at in ((0, y), (1, x)):
        at = np.clip(at, 0, values.shape[axis] - 1)
        low = np.minimum(at.astype(int), max(values.shape[axis] - 2, 0))
        part = (at - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        values = values.take(low, axis) * (1 - part) + values.take(np.minimum(low + 1, values.shape[axis] - 1), axis) * part
    return values


def frequencies(field: Field) -> tuple[Tensor, Tensor]:
    """(sx, sy) 1/Å of the half plane (h, w//2+1)."""
    h, w = field.image.shape
    sy = torch.fft.fftfreq(h, field.pixel)[:, None].expand(h, w // 2 + 1)
    return torch.fft.rfftfreq(w, field.pixel)[None].expand(h, w // 2 + 1), sy
