"""Which (orientation, shift) pairs of an image are looked at: the coarse grid, its survivors, and their finer children."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.refine.ragged import positions, starts

ROTATION_CHILDREN = 8
SHIFT_CHILDREN = 4


@dataclass(frozen=True)
class Survivors:
    """Coarse hypotheses that matter, sorted by image, then rotation: columns image, rotation, shift (K,) and their log prior (K,).

    `count` (N,) is how many each of the N images has.
    """

    image: np.ndarray
    rotation: np.ndarray
    shift: np.ndarray
    log_prior: np.ndarray
    count: np.ndarray

    @property
    def start(self) -> np.ndarray:
        return starts(self.count)


@dataclass(frozen=True)
class Pairs:
    """Pairs (image, slice), sorted by image, each with a list of shifts: shift[start[i]:start[i+1]] for pair i.

    `slice` counts the rows of `rotations`, a list of distinct coarse rotations, times 8 plus the child. `log_prior`
    belongs to `shift`; `rows` (N+1,) says where each image's pairs begin, `samples` (N+1,) where its shifts do.
    """

    image: np.ndarray
    slice: np.ndarray
    start: np.ndarray
    shift: np.ndarray
    log_prior: np.ndarray
    rows: np.ndarray
    samples: np.ndarray
    rotations: np.ndarray


def sort_survivors(image: np.ndarray, rotation: np.ndarray, shift: np.ndarray, log_prior: np.ndarray, images: int) -> Survivors:
    """Columns in any order -> Survivors."""
    order = np.lexsort((shift, rotation, image))
    return Survivors(image[order], rotation[order], shift[order], log_prior[order], np.bincount(image, minlength=images))


def children(survivors: Survivors) -> Pairs:
    """The 8 x 4 finer hypotheses of every survivor, grouped by image and fine rotation."""
    s = survivors
    new = np.ones(len(s.image), bool)
    new[1:] = (s.image[1:] != s.image[:-1]) | (s.rotation[1:] != s.rotation[:-1])
    first = np.flatnonzero(new)
    pair_start = np.append(first, len(s.image)).astype(np.int64)
    distinct, which = np.unique(s.rotation[first], return_inverse=True)
    parent = np.repeat(np.arange(len(first)), ROTATION_CHILDREN)
    at, coarse_start = positions(pair_start, parent)
    shift = (s.shift[at, None] * SHIFT_CHILDREN + np.arange(SHIFT_CHILDREN)).ravel().astype(np.int32)
    image = s.image[first][parent]
    rows = np.searchsorted(image, np.arange(len(s.count) + 1))
    start = coarse_start * SHIFT_CHILDREN
    return Pairs(
        image.astype(np.int32), (which[parent] * ROTATION_CHILDREN + np.tile(np.arange(ROTATION_CHILDREN), len(first))).astype(np.int32),
        start, shift, np.repeat(s.log_prior[at], SHIFT_CHILDREN), rows.astype(np.int64), start[rows], distinct,
    )


@dataclass(frozen=True)
class Weighted:
    """Pairs that are kept, as `Pairs`, with a posterior `weight` for every shift in place of the prior."""

    image: np.ndarray
    slice: np.ndarray
    start: np.ndarray
    shift: np.ndarray
    weight: np.ndarray


def keep(pairs: Pairs, index: np.ndarray, weight: np.ndarray) -> Weighted:
    """The samples `index` (rising positions in pairs.shift) with their weights, regrouped."""
    pair = np.searchsorted(pairs.start, index, side="right") - 1
    used, count = np.unique(pair, return_counts=True)
    return Weighted(pairs.image[used], pairs.slice[used], starts(count), pairs.shift[index], weight.astype(np.float32))


def choose(w: Weighted, chosen: np.ndarray) -> Weighted:
    """A subset of the pairs (positions, rising)."""
    at, start = positions(w.start, chosen)
    return Weighted(w.image[chosen], w.slice[chosen], start, w.shift[at], w.weight[at])
