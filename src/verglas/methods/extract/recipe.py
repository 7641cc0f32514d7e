"""All particle images of one micrograph."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from verglas.methods.extract.ctf import CtfFilter
from verglas.methods.extract.normalise import Dust, background, normalise, without_dust
from verglas.methods.extract.place import corners
from verglas.methods.extract.rescale import rewindow, shrink

_BLOCK_BYTES = 16 * 1024**2
"""Windows worked on at once: they should stay in the cache of a core and its neighbours."""


@dataclass(frozen=True)
class Recipe:
    """Window of `box` px, shrunk to `rescale` px, cropped to `window` px, all even; `radius`: px of the result, None: not normalised."""

    box: int
    rescale: int
    window: int
    radius: float | None
    invert: bool = True
    ramp: bool = True
    dust: Dust | None = None


def images(
    micrograph: np.ndarray, xy: np.ndarray, recipe: Recipe, ctf: CtfFilter | None = None, seed: int = 0, threads: int = 1,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Blocks of images (n, W, W) float32 with the sigma (n,) of their background before normalisation, in the order of xy (N, 2) px.

    window -> CTF (in a larger window) -> shrink -> crop -> dust -> normalise -> times -1. Pixels beyond the micrograph (ny, nx) are
    those of its nearest edge. `threads` blocks are made at a time; torch's own threads should then be 1.
    """
    level = float(np.mean(micrograph, dtype=np.float64))  # taken away first: float32 is then as good for counts of any size
    box = ctf.box if ctf is not None else recipe.box
    first = corners(xy, box)
    outside = background(recipe.window, recipe.radius or 0.0)
    step = max(1, _BLOCK_BYTES // (4 * box**2))

    def block(start: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The images from `start` on."""
        found = torch.from_numpy(windows(micrograph, first[start : start + step], box, level))
        if ctf is not None:
            found = rewindow(ctf.apply(found, slice(start, start + step)), recipe.box)
        found = rewindow(shrink(found, recipe.rescale), recipe.window)
        if recipe.dust is not None:
            found = without_dust(found, outside, recipe.dust, (seed << 20) + start)
        if recipe.radius is not None:
            found, sigma = normalise(found, outside, recipe.ramp)
        else:
            found, sigma = found + level, torch.ones(len(found), dtype=torch.float64)
        return (-found if recipe.invert else found), sigma

    starts = iter(range(0, len(xy), step))
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(block, start) for start in islice(starts, threads + 1))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(block, start) for start in islice(starts, 1))


def windows(micrograph: np.ndarray, first: np.ndarray, box: int, level: float) -> np.ndarray:
    """micrograph[y0:y0+B, x0:x0+B] - level for every (x0, y0) of first (n, 2) -> (n, B, B) float32; outside: the nearest edge pixel."""
    rows, columns = micrograph.shape
    found = np.empty((len(first), box, box), dtype=np.float32)
    for out, (x, y) in zip(found, first.tolist()):
        if 0 <= x <= columns - box and 0 <= y <= rows - box:
            np.subtract(micrograph[y : y + box, x : x + box], level, out=out, casting="unsafe")
        else:
            at_y, at_x = (np.clip(np.arange(at, at + box), 0, size - 1) for at, size in ((y, rows), (x, columns)))
            np.subtract(micrograph[at_y[:, None], at_x], level, out=out, casting="unsafe")
    return found
