"""The power spectrum of a micrograph, averaged over overlapping tiles, at a pixel size that keeps the rings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft

FINEST = 1.4
"""Å: the spectrum is cut at the Nyquist frequency of this pixel size, as rings are hardly ever seen beyond 2.8 Å."""
_TAPER = 0.12
"""Part of a tile over which its edges go to zero, on each side; more would blur the rings of high defocus."""


@dataclass(frozen=True)
class Spectrum:
    """power (N, N) float32, zero frequency at [N/2, N/2]; pixel_size Å, so that the step of frequency is 1 / (N pixel_size)."""

    power: np.ndarray
    pixel_size: float

    @property
    def step(self) -> float:
        """1/Å per pixel."""
        return 1.0 / (len(self.power) * self.pixel_size)


def of_amplitudes(image: np.ndarray, pixel_size: float) -> Spectrum:
    """From a stored amplitude spectrum (N, N), zero frequency in the middle, such as the sums that motion correction writes."""
    return Spectrum(np.square(np.maximum(image, 0.0), dtype=np.float32), pixel_size)


@dataclass(frozen=True)
class Tiles:
    """Windows of a micrograph: corners (T, 2) px (y, x), side px, box: pixels of their spectra, pixel_size Å of the spectra; places (T, 2) Å:
    their middles (x, y) from the middle of the micrograph."""

    corners: np.ndarray
    side: int
    box: int
    pixel_size: float
    places: np.ndarray

    def take(self, keep: np.ndarray) -> "Tiles":
        """Those of a mask or list of rows."""
        return replace(self, corners=self.corners[keep], places=self.places[keep])


def tiles(image: np.ndarray, pixel_size: float, box: int = 512) -> Tiles:
    """Tiles of image (ny, nx) that overlap by half and cover it; those of unusual variance are left out.

    A tile is `box` pixels of at least 1.4 Å wide (less where the micrograph is smaller); finer micrographs get larger tiles, and of their
    spectrum only the part within the Nyquist frequency of 1.4 Å is kept.
    """
    side = min(scipy.fft.next_fast_len(round(box * max(FINEST / pixel_size, 1.0)), real=True), *image.shape)
    side -= side % 2
    corners = np.array([(y, x) for y in _starts(image.shape[0], side) for x in _starts(image.shape[1], side)])
    spread = np.array([image[y:y + side, x:x + side].std() for y, x in corners])
    usual = np.abs(spread - np.median(spread)) <= 4 * np.median(np.abs(spread - np.median(spread))) + 0.1 * np.median(spread)
    kept = min(side, 2 * round(side * pixel_size / (2 * FINEST)))
    places = (corners + (side - np.array(image.shape)) / 2)[:, ::-1] * pixel_size
    return Tiles(corners[usual], side, kept, pixel_size * side / kept, places[usual])


def powers(image: np.ndarray, tiles: Tiles, finer: int = 1) -> Iterator[np.ndarray]:
    """Of each tile |FFT|^2 (finer box, finer box) float32, zero frequency in the middle: mean and slope removed, edges tapered, padded with
    zeros to `finer` times its side."""
    window, side = _window(tiles.side), tiles.side
    for y, x in tiles.corners:
        tile = _levelled(image[y:y + side, x:x + side]) * window
        yield _centred(np.abs(scipy.fft.rfft2(tile, s=(finer * side, finer * side))) ** 2, finer * tiles.box)


def of_micrograph(image: np.ndarray, pixel_size: float, box: int = 512) -> Spectrum:
    """The sum of the power of its tiles."""
    return of_tiles(image, tiles(image, pixel_size, box))


def of_tiles(image: np.ndarray, tiles: Tiles) -> Spectrum:
    """The same of tiles that have been cut."""
    total = np.zeros((tiles.box, tiles.box), np.float32)
    for power in powers(image, tiles):
        total += power
    return Spectrum(total, tiles.pixel_size)


def _starts(length: int, side: int) -> np.ndarray:
    """First pixels of tiles that overlap by half and reach both ends."""
    return np.linspace(0, length - side, 1 + max(0, -(-2 * (length - side) // side))).astype(int)


def _window(side: int) -> np.ndarray:
    """(side, side) float32: 1 inside, raised cosine to the edges."""
    edge = np.clip((0.5 + np.minimum(np.arange(side), np.arange(side)[::-1])) / (_TAPER * side), 0.0, 1.0)
    line = 0.5 - 0.5 * np.cos(np.pi * edge)
    return np.outer(line, line).astype(np.float32)


def _levelled(tile: np.ndarray) -> np.ndarray:
    """The tile (n, n) less its mean and slopes, float32."""
    t = np.linspace(-1.0, 1.0, len(tile), dtype=np.float32)
    tile = tile - tile.mean(dtype=np.float64).astype(np.float32)
    across, along = (tile.mean(0) @ t) / (t @ t), (tile.mean(1) @ t) / (t @ t)
    levelled: np.ndarray = tile - across * t[None, :] - along * t[:, None]
    return levelled


def _centred(half: np.ndarray, kept: int) -> np.ndarray:
    """The half-plane (n, n/2 + 1) of an even square spectrum -> its middle (kept, kept) float32, zero frequency at [kept/2, kept/2]."""
    n, m = len(half), kept // 2
    index = np.arange(-m, m)
    right = half[index % n][:, :m + 1]
    left = half[-index % n][:, m:0:-1]
    return np.concatenate((left, right[:, :m]), axis=1).astype(np.float32)
