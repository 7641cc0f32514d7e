"""Micrographs and particles as grey pictures: windows of a large image at the wanted scale, filtered, and sheets of many small images."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io.mrc import MrcStack
from verglas.web.data.answers import stamp

CACHED_PIXELS = 4_500_000
"""Pixels of a picture that is kept in memory for the next question."""


def window(path: Path, section: int, corner: tuple[int, int], size: tuple[int, int], side: int) -> tuple[np.ndarray, int]:
    """(rows, columns) float32 of `size` (width, height) pixels from `corner` (x, y), means of n x n pixels so that a side has at most `side`; n."""
    with MrcStack(path) as stack:
        _, ny, nx = stack.shape
    x, y = min(corner[0], nx - 1), min(corner[1], ny - 1)
    width, height = min(size[0], nx - x), min(size[1], ny - y)
    n = max(1, -(-max(width, height) // side))
    return _binned(*stamp(path), section, (x, y, width, height), n), n


@lru_cache(maxsize=12)
def _binned(path: str, size: int, time: int, section: int, box: tuple[int, int, int, int], n: int) -> np.ndarray:
    x, y, width, height = box
    with MrcStack(path) as stack:
        if not 0 <= section < stack.shape[0]:
            raise InputError(f"image {section + 1} of {stack.shape[0]}", where=Path(path).name)
        whole = stack.read(np.array([section]))[0] if stack.header.mode == 101 else stack.mapped()[section]
        rows, columns = max(1, height // n), max(1, width // n)
        n_y, n_x = min(n, height), min(n, width)
        small = np.empty((rows, columns), dtype=np.float32)
        strip = max(1, (1 << 20) // max(1, width * n_y))
        for first in range(0, rows, strip):
            last = min(rows, first + strip)
            part = np.asarray(whole[y + first * n_y : y + last * n_y, x : x + columns * n_x], dtype=np.float32)
            small[first:last] = part.reshape(last - first, n_y, columns, n_x).mean(axis=(1, 3))
    return np.nan_to_num(small, posinf=0.0, neginf=0.0)


def filtered(image: np.ndarray, pixel: float, low_pass: float | None, high_pass: float | None) -> np.ndarray:
    """Only waves longer than `low_pass` Å and shorter than `high_pass` Å, with Gaussian flanks: half the amplitude at these lengths."""
    if not (low_pass or high_pass):
        return image
    if pixel <= 0:
        raise InputError("the header holds no pixel size, so lengths in Å are unknown", remedy="set the pixel size in the header")
    fy, fx = np.fft.fftfreq(image.shape[0], pixel), np.fft.rfftfreq(image.shape[1], pixel)
    s2 = fy[:, None] ** 2 + fx**2
    weight = np.ones_like(s2)
    if low_pass:
        weight *= np.exp(-np.log(2.0) * s2 * low_pass**2)
    if high_pass:
        weight *= 1.0 - np.exp(-np.log(2.0) * s2 * high_pass**2)
    return np.fft.irfft2(np.fft.rfft2(image - image.mean()) * weight, s=image.shape).astype(np.float32)


def shaded(image: np.ndarray, contrast: float) -> np.ndarray:
    """uint8, black and white `contrast` standard deviations from the mean."""
    mean, spread = float(image.mean()), float(image.std())
    return np.clip(127.5 + (image - mean) * (127.5 / max(contrast * spread, 1e-30)), 0, 255).astype(np.uint8)


def read_images(places: list[tuple[Path, int]]) -> list[np.ndarray]:
    """Each (stack, number from 0) as float32, neighbours of one stack in one read."""
    found: list[np.ndarray | None] = [None] * len(places)
    for path in dict.fromkeys(path for path, _ in places):
        which = [k for k, (one, _) in enumerate(places) if one == path]
        with MrcStack(path) as stack:
            for k, image in zip(which, stack.read(np.array([places[k][1] for k in which]))):
                found[k] = image
    return [one for one in found if one is not None]


def sheet(images: list[np.ndarray], across: int, side: int, contrast: float = 3.0) -> np.ndarray:
    """uint8 mosaic, `across` images of side x side pixels in a row, each with its own contrast, first row on top."""
    picture = np.zeros((-(-len(images) // across) * side, across * side), dtype=np.uint8)
    for k, image in enumerate(images):
        top, left = k // across * side, k % across * side
        picture[top : top + side, left : left + side] = shaded(_resized(np.nan_to_num(image), side), contrast)
    return picture


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    """side x side pixels: means where the image is larger, else the nearest pixel."""
    n = -(-max(image.shape) // side)
    if n > 1:
        rows, columns = image.shape[0] // n, image.shape[1] // n
        image = image[: rows * n, : columns * n].reshape(rows, n, columns, n).mean(axis=(1, 3))
    y, x = ((np.arange(side) * length) // side for length in image.shape)
    return image[np.ix_(y, x)]
