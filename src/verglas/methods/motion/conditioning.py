"""Frames made fit for alignment: gain, hot and dead pixels, and a small copy of every frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange

HOT_SIGMA = 6.0
FEWEST_GOOD = 6
"""A bad pixel takes the value of a neighbour when more than this many neighbours are good."""


@dataclass(frozen=True)
class Movie:
    """F frames as they are in the file, and what makes them pictures.

    raw (F, ny, nx) in the type of the file; gain (ny, nx) float32. bad (H,): flat index of the pixels to replace, ascending, by
    values (F, H) float32. hot (M, 2): x, y of those among them that were found hot. small (F, ny // b, nx // b) float32: means of b x b pixels,
    gain-corrected, bad pixels replaced. mean: counts per pixel and frame.
    """

    raw: np.ndarray
    gain: np.ndarray
    bad: np.ndarray
    values: np.ndarray
    hot: np.ndarray
    small: np.ndarray
    bin: int
    mean: float

    def frame(self, i: int) -> np.ndarray:
        """(ny, nx) float32: frame i, gain-corrected, bad pixels replaced."""
        picture = np.multiply(self.raw[i], self.gain, dtype=np.float32)
        picture.reshape(-1)[self.bad] = self.values[i]
        return picture


@njit(parallel=True, nogil=True, fastmath=True, cache=True)
def _take(raw, gain, total, small, b):  # type: ignore[no-untyped-def]
    """total += raw gain; small = mean of raw gain over b x b pixels."""
    ny, nx = raw.shape
    my, mx = small.shape
    for block in prange((ny + b - 1) // b):
        line = np.zeros(nx, np.float32)
        for y in range(block * b, min(block * b + b, ny)):
            for x in range(nx):
                value = np.float32(raw[y, x]) * gain[y, x]
                total[y, x] += value
                line[x] += value
        if block < my:
            for x in range(mx):
                sum_ = np.float32(0.0)
                for i in range(b):
                    sum_ += line[x * b + i]
                small[block, x] = sum_ / np.float32(b * b)


def condition(frames: Iterable[np.ndarray], count: int, gain: np.ndarray, defects: np.ndarray | None, reach: int, b: int, seed: int) -> Movie:
    """Take `count` frames (ny, nx) in one pass. Hot: S > m + 6 sigma, S the sum of all frames and m, sigma its mean and deviation.

    `defects` (ny, nx) bool: known bad pixels; gain 0 is bad too. reach: neighbours within so many px stand in for a bad pixel (2; EER 4).
    """
    ny, nx = gain.shape
    total = np.zeros((ny, nx), np.float32)
    small = np.empty((count, ny // b, nx // b), np.float32)
    raw = None
    for i, frame in enumerate(frames):
        if raw is None:
            raw = np.empty((count, ny, nx), frame.dtype)
        raw[i] = frame
        _take(raw[i], gain, total, small[i], b)
    assert raw is not None
    known = gain == 0 if defects is None else defects | (gain == 0)
    hot, m, sigma = hot_pixels(total, known)
    mask = known | hot
    bad = np.flatnonzero(mask)
    values = replacements(raw, gain, mask, bad, reach, (m / count, sigma / np.sqrt(count)), seed)
    _mend(small, raw, gain, bad, values, b)
    return Movie(raw, gain, bad, values, np.argwhere(hot)[:, ::-1], small, b, m / count)


def hot_pixels(total: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(S > m + 6 sigma (ny, nx) bool, m, sigma) over the pixels that are not `known` to be bad.

    A few very hot pixels widen sigma so that weaker ones hide behind them; sigma is therefore taken again without those that were found.
    """
    good = total[~known] if known.any() else total.reshape(-1)
    m, sigma = float(good.mean(dtype=np.float64)), float(good.std(dtype=np.float64))
    rest = good[good <= m + HOT_SIGMA * sigma]
    if len(rest) > 0.999 * len(good):
        m, sigma = float(rest.mean(dtype=np.float64)), float(rest.std(dtype=np.float64))
    return (total > m + HOT_SIGMA * sigma) & ~known, m, sigma


def replacements(
    raw: np.ndarray, gain: np.ndarray, mask: np.ndarray, bad: np.ndarray, reach: int, normal: tuple[float, float], seed: int
) -> np.ndarray:
    """(F, H) float32: for each frame a good neighbour of the bad pixel drawn at random, or a draw from N(mean, sigma) where there are too few."""
    rng = np.random.default_rng(seed)
    ny, nx = mask.shape
    values = rng.normal(*normal, (len(raw), len(bad))).astype(np.float32)
    steps = np.array([(j, i) for j in range(-reach, reach + 1) for i in range(-reach, reach + 1) if i or j])
    for start in range(0, len(bad), 1 << 16):
        part = bad[start:start + (1 << 16)]
        y, x = part // nx + steps[:, :1], part % nx + steps[:, 1:]
        inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
        y, x = y.clip(0, ny - 1), x.clip(0, nx - 1)
        usable = inside & ~mask[y, x]
        count = usable.sum(0)
        order = np.argsort(~usable, axis=0, kind="stable")
        enough = np.flatnonzero(count > FEWEST_GOOD)
        for i in range(len(raw)):
            pick = order[(rng.random(len(enough)) * count[enough]).astype(np.int64), enough]
            yy, xx = y[pick, enough], x[pick, enough]
            values[i, start + enough] = raw[i, yy, xx] * gain[yy, xx]
    return values


def _mend(small: np.ndarray, raw: np.ndarray, gain: np.ndarray, bad: np.ndarray, values: np.ndarray, b: int) -> None:
    """Put the replacements of bad pixels into the means they are part of."""
    nx = gain.shape[1]
    y, x = bad // nx, bad % nx
    inside = (y // b < small.shape[1]) & (x // b < small.shape[2])
    y, x = y[inside], x[inside]
    for i in range(len(raw)):
        change = (values[i, inside] - raw[i, y, x] * gain[y, x]) / (b * b)
        np.add.at(small[i], (y // b, x // b), change.astype(np.float32))
