"""Frames made fit for alignment: gain, hot and dead pixels, and a small copy of every frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit

from verglas.runtime.strips import strips

HOT_SIGMA = 6.0
ROWS = 16
"""Of a small frame, made at a time."""
FEWEST_GOOD = 6
"""A bad pixel takes the value of a neighbour when more than this many neighbours are good."""


@dataclass(frozen=True)
class Movie:
    """F frames as they are in the file, and what makes them pictures.

    raw (F, ny, nx) in the type of the file; gain (ny, nx) float32. bad (H,): flat index of the pixels to replace, ascending, by
    values (F, H) float32. hot (M, 2): x, y of those among them that were found hot. small (F, ny // b, nx // b) float32: binned by `spline`,
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


def spline(b: int) -> np.ndarray:
    """(3 b - 2,) float32, sum 1: a box of b px folded three times.

    At 0.1 cycles per px means of 2 x 2 px lose a tenth of the ratio of signal to noise to what folds back from above; this loses a thousandth.
    """
    box = np.ones(b) / b
    return np.convolve(np.convolve(box, box), box).astype(np.float32)


@njit(nogil=True, fastmath=True, cache=True)
def _take(raw, gain, total, small, taps, b, begin_block, end_block):  # type: ignore[no-untyped-def]
    """total += raw gain; small[j, i] = sum over u, v of taps[u] taps[v] (raw gain)[j b + u - (b - 1), i b + v - (b - 1)], edges repeated.

    Of the blocks of ROWS small rows from begin_block to end_block.
    """
    ny, nx = raw.shape
    my, mx = small.shape
    blocks = (my + ROWS - 1) // ROWS
    for block in range(begin_block, end_block):
        first, last = block * ROWS, min(block * ROWS + ROWS, my)
        begin, end = first * b, (ny if block == blocks - 1 else last * b)
        band = np.empty((ROWS * b + 3 * b, nx), np.float32)
        low, high = max(begin - (b - 1), 0), min(end + b - 1, ny)
        for y in range(low, high):
            into, source, factor = band[y - low], raw[y], gain[y]
            for x in range(nx):
                into[x] = np.float32(source[x]) * factor[x]
            if begin <= y < end:
                sums = total[y]
                for x in range(nx):
                    sums[x] += into[x]
        line = np.empty(nx + 2 * (b - 1), np.float32)
        for j in range(first, last):
            inner = line[b - 1:b - 1 + nx]
            inner[:] = 0.0
            for u in range(len(taps)):
                row, w = band[min(max(j * b + u - (b - 1), 0), ny - 1) - low], taps[u]
                for x in range(nx):
                    inner[x] += w * row[x]
            for i in range(b - 1):
                line[i], line[b - 1 + nx + i] = inner[0], inner[nx - 1]
            to = small[j]
            for x in range(mx):
                sum_ = np.float32(0.0)
                for v in range(len(taps)):
                    sum_ += taps[v] * line[x * b + v]
                to[x] = sum_


def condition(frames: Iterable[np.ndarray], count: int, gain: np.ndarray, defects: np.ndarray | None, reach: int, b: int, seed: int) -> Movie:
    """Take `count` frames (ny, nx) in one pass. Hot: S > m + 6 sigma, S the sum of all frames and m, sigma its mean and deviation.

    `defects` (ny, nx) bool: known bad pixels; gain 0 is bad too. reach: neighbours within so many px stand in for a bad pixel (2; EER 4).
    """
    ny, nx = gain.shape
    total = np.zeros((ny, nx), np.float32)
    small = np.empty((count, ny // b, nx // b), np.float32)
    raw, taps = None, spline(b)
    for i, frame in enumerate(frames):
        if raw is None:
            raw = np.empty((count, ny, nx), frame.dtype)
        raw[i] = frame
        strips(_take, -(-small.shape[1] // ROWS), raw[i], gain, total, small[i], taps, b)
    assert raw is not None
    known = gain == 0 if defects is None else defects | (gain == 0)
    hot, m, sigma = hot_pixels(total, known)
    mask = known | hot
    bad = np.flatnonzero(mask)
    values = replacements(raw, gain, mask, bad, reach, (m / count, sigma / np.sqrt(count)), seed)
    _mend(small, raw, gain, bad, values, b)
    return Movie(raw, gain, bad, values, np.argwhere(hot)[:, ::-1], small, b, m / count)


@njit(nogil=True, cache=True)
def _moments(total, known, limit):  # type: ignore[no-untyped-def]
    """Mean, standard deviation and number of the pixels up to `limit` that are not known to be bad, in double precision about the first of
    them."""
    count, first, second = 0, 0.0, 0.0
    middle = 0.0
    for y in range(total.shape[0]):
        number, one, two = 0, 0.0, 0.0
        for x in range(total.shape[1]):
            value = np.float64(total[y, x])
            if not known[y, x] and total[y, x] <= limit:
                if count == 0 and number == 0:
                    middle = value
                number += 1
                one += value - middle
                two += (value - middle) ** 2
        count, first, second = count + number, first + one, second + two
    if count == 0:
        return np.nan, np.nan, 0
    mean = first / count
    return middle + mean, np.sqrt(max(second / count - mean * mean, 0.0)), count


def hot_pixels(total: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(S > m + 6 sigma (ny, nx) bool, m, sigma) over the pixels that are not `known` to be bad.

    A few very hot pixels widen sigma so that weaker ones hide behind them; sigma is therefore taken again without those that were found.
    """
    m, sigma, count = _moments(total, known, np.float32(np.inf))
    limit = m + HOT_SIGMA * sigma
    if np.isfinite(limit):
        rest = _moments(total, known, np.float32(limit))
        if rest[2] > 0.999 * count:
            m, sigma = rest[:2]
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
    """Put the replacements of bad pixels into the small pixels that they are part of."""
    ny, nx = gain.shape
    y, x = bad // nx, bad % nx
    (rows, down), (columns, across) = _parts(y, ny, small.shape[1], b), _parts(x, nx, small.shape[2], b)
    for i in range(len(raw)):
        change = values[i] - raw[i, y, x] * gain[y, x]
        for j in range(3):
            for k in range(3):
                np.add.at(small[i], (rows[j], columns[k]), (change * down[j] * across[k]).astype(np.float32))


def _parts(at: np.ndarray, length: int, size: int, b: int) -> tuple[np.ndarray, np.ndarray]:
    """(3, H): the small pixels along an axis that pixel `at` is part of, and its weights in them (0 for what lies outside)."""
    taps = spline(b)
    target = at // b + np.arange(-1, 2)[:, None]
    source = (target[..., None] * b + np.arange(len(taps)) - (b - 1)).clip(0, length - 1)
    weight = ((source == at[:, None]) * taps).sum(-1) * ((target >= 0) & (target < size))
    return target.clip(0, size - 1), weight
