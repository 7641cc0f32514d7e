"""Which (orientation, shift) pairs of an image are looked at: the survivors of the coarse grid and their finer children."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.refine.ragged import starts

MOVES = 4
"""Fine shifts of one coarse shift."""


@dataclass(frozen=True)
class Survivors:
    """Coarse hypotheses that matter, sorted by image, then rotation: columns image, rotation, shift (L,) and their log prior (L,).

    `count` (N,) is how many each of the N images has.
    """

    image: np.ndarray
    rotation: np.ndarray
    shift: np.ndarray
    log_prior: np.ndarray
    count: np.ndarray


def take(survivors: Survivors, low: int, high: int) -> Survivors:
    """Those of images low .. high-1, which become 0 .."""
    first, end = np.searchsorted(survivors.image, (low, high))
    s = survivors
    return Survivors(s.image[first:end] - low, s.rotation[first:end], s.shift[first:end], s.log_prior[first:end], s.count[low:high])


def join(parts: list[Survivors]) -> Survivors:
    """Survivors of consecutive blocks of images as one."""
    first = np.cumsum([0] + [len(p.count) for p in parts])
    image = np.concatenate([p.image + f for p, f in zip(parts, first)])
    columns = (np.concatenate([getattr(p, name) for p in parts]) for name in ("rotation", "shift", "log_prior", "count"))
    return Survivors(image, *columns)


@dataclass(frozen=True)
class Pairs:
    """Survivors grouped by image and rotation: pair i is (image[i], rotations[number[i]]) with shift[start[i]:start[i+1]] (K+1).

    Its children are ordered fine rotation, coarse shift, fine shift (see `kernels.reference.score`), turns x 4 for each shift listed,
    `turns` fine rotations of one coarse one. `samples` (N+1,) says where each image's children begin, `rows` (N+1,) where its pairs do.
    """

    turns: int

    image: np.ndarray
    number: np.ndarray
    start: np.ndarray
    shift: np.ndarray
    log_prior: np.ndarray
    samples: np.ndarray
    rows: np.ndarray
    rotations: np.ndarray


def group(survivors: Survivors, turns: int) -> Pairs:
    """Survivors -> Pairs."""
    s = survivors
    new = np.ones(len(s.image), bool)
    new[1:] = (s.image[1:] != s.image[:-1]) | (s.rotation[1:] != s.rotation[:-1])
    first = np.flatnonzero(new)
    rotations, number = np.unique(s.rotation[first], return_inverse=True)
    start = np.append(first, len(s.image)).astype(np.int64)
    image = s.image[first].astype(np.int32)
    rows = np.searchsorted(image, np.arange(len(s.count) + 1)).astype(np.int64)
    samples = starts(s.count) * (turns * MOVES)
    return Pairs(turns, image, number.astype(np.int32), start, s.shift.astype(np.int32), s.log_prior, samples, rows, rotations)


@dataclass(frozen=True)
class Children:
    """Fine hypotheses by columns (M,): image, slice (= number of the coarse rotation x turns + child), fine shift."""

    image: np.ndarray
    slice: np.ndarray
    shift: np.ndarray


def children(pairs: Pairs, index: np.ndarray) -> Children:
    """The fine hypotheses at positions `index` (M,) of the order described in `Pairs`."""
    each = pairs.turns * MOVES
    pair = np.searchsorted(pairs.start * each, index, side="right") - 1
    begin = pairs.start[pair]
    listed = (pairs.start[pair + 1] - begin) * MOVES
    turn, rest = np.divmod(index - begin * each, listed)
    place, move = np.divmod(rest, MOVES)
    shift = pairs.shift[begin + place] * MOVES + move
    return Children(pairs.image[pair], pairs.number[pair] * pairs.turns + turn, shift)
