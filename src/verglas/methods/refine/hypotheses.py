"""Which (orientation, shift) pairs of an image are looked at: the survivors of the coarse grid and their finer children."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.refine.ragged import owner, positions, starts

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


def take(survivors: Survivors, images: np.ndarray) -> Survivors:
    """Those of `images` (rising), which become 0 .."""
    if len(images) == len(survivors.count):
        return survivors
    s, (at, start) = survivors, positions(starts(survivors.count), images)
    return Survivors(owner(start), s.rotation[at], s.shift[at], s.log_prior[at], s.count[images])


def join(parts: list[Survivors]) -> Survivors:
    """Survivors of consecutive blocks of images as one."""
    first = np.cumsum([0] + [len(p.count) for p in parts])
    image = np.concatenate([p.image + f for p, f in zip(parts, first)])
    columns = (np.concatenate([getattr(p, name) for p in parts]) for name in ("rotation", "shift", "log_prior", "count"))
    return Survivors(image, *columns)


@dataclass(frozen=True)
class Pairs:
    """Survivors grouped by image and rotation: pair i is (image[i], rotations[number[i]]) with shift[start[i]:start[i+1]] (K+1).

    Its children are ordered fine rotation, coarse shift, fine shift (see `kernels.reference.score`); `fan` = fine rotations of one coarse
    one, fine shifts of one coarse one. `samples` (N+1,) says where each image's children begin, `rows` (N+1,) where its pairs do.
    """

    fan: tuple[int, int]
    image: np.ndarray
    number: np.ndarray
    start: np.ndarray
    shift: np.ndarray
    log_prior: np.ndarray
    samples: np.ndarray
    rows: np.ndarray
    rotations: np.ndarray


def group(survivors: Survivors, fan: tuple[int, int]) -> Pairs:
    """Survivors -> Pairs."""
    s = survivors
    new = np.ones(len(s.image), bool)
    new[1:] = (s.image[1:] != s.image[:-1]) | (s.rotation[1:] != s.rotation[:-1])
    first = np.flatnonzero(new)
    rotations, number = np.unique(s.rotation[first], return_inverse=True)
    start = np.append(first, len(s.image)).astype(np.int64)
    image = s.image[first].astype(np.int32)
    rows = np.searchsorted(image, np.arange(len(s.count) + 1)).astype(np.int64)
    samples = starts(s.count) * (fan[0] * fan[1])
    return Pairs(fan, image, number.astype(np.int32), start, s.shift.astype(np.int32), s.log_prior, samples, rows, rotations)


@dataclass(frozen=True)
class Children:
    """Fine hypotheses by columns (M,): image, slice (= number of the coarse rotation x fan[0] + child), fine shift."""

    image: np.ndarray
    slice: np.ndarray
    shift: np.ndarray


def children(pairs: Pairs, index: np.ndarray) -> Children:
    """The fine hypotheses at positions `index` (M,) of the order described in `Pairs`."""
    turns, moves = pairs.fan
    each = turns * moves
    pair = np.searchsorted(pairs.start * each, index, side="right") - 1
    begin = pairs.start[pair]
    listed = (pairs.start[pair + 1] - begin) * moves
    turn, rest = np.divmod(index - begin * each, listed)
    place, move = np.divmod(rest, moves)
    shift = pairs.shift[begin + place] * moves + move
    return Children(pairs.image[pair], pairs.number[pair] * turns + turn, shift)
