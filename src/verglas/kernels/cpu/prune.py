"""A first look at dense hypotheses on the CPU; the definition is `kernels.reference.prune`.

Products are made for CHUNK rotations at a time and searched for their best while they are in the cache. The best of every tile is noted; the second
pass opens only tiles that reach the threshold.
"""

import numpy as np
import torch
from llvmlite import ir
from numba import float32, int32, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from verglas.kernels.reference.prune import CHUNK, ROUNDING

TILE = 256


@intrinsic  # type: ignore[untyped-decorator]
def widened(_typing: object, x: types.Type) -> object:
    """float32 of a number stored as float32, or as the 16 bits of a bfloat16, its upper half."""
    narrow = x == types.uint16

    def generate(_context: object, builder: ir.IRBuilder, _signature: object, values: list[ir.Value]) -> ir.Value:
        if not narrow:
            return values[0]
        word = builder.shl(builder.zext(values[0], ir.IntType(32)), cgutils.int32_t(16))
        return builder.bitcast(word, ir.FloatType())

    return float32(x), generate


@intrinsic  # type: ignore[untyped-decorator]
def recast(_typing: object, x: types.Type) -> object:
    """The 32 bits of a float32 as int32, and back."""
    to, word = (int32, ir.IntType(32)) if x == float32 else (float32, ir.FloatType())

    def generate(_context: object, builder: ir.IRBuilder, _signature: object, values: list[ir.Value]) -> ir.Value:
        return builder.bitcast(values[0], word)

    return to(x), generate


@njit(cache=True)
def ordered(word: np.int32) -> np.int32:
    """Bits of a float32 as an integer of the same order, and back: maxima of integers are found many at a time, those of numbers are not."""
    return np.int32(word ^ ((word >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@njit(parallel=True, fastmath={"nnan", "nsz"}, cache=True)
def best(product: np.ndarray, power: np.ndarray, known: np.ndarray, prior: np.ndarray, tops: np.ndarray, top: np.ndarray, size: np.ndarray) -> None:
    """Fills tops (N T, tiles), raises top (N,) and size (N,), the largest |product|.

    product (N T, R) float32, or bfloat16 as uint16, power (N, R), known (R,), prior (N, T).
    """
    images, shifts = prior.shape
    half = np.float32(0.5)
    for n in prange(images):
        bias = np.empty(TILE, np.float32)
        for tile in range(tops.shape[1]):
            some, mine = known[tile * TILE : (tile + 1) * TILE], power[n, tile * TILE : (tile + 1) * TILE]
            for r in range(len(some)):
                bias[r] = some[r] - half * mine[r]
            for t in range(shifts):
                row = product[n * shifts + t, tile * TILE : (tile + 1) * TILE]
                high, large = np.int32(-(1 << 31)), np.int32(0)
                for r in range(len(row)):
                    cross = widened(row[r])  # type: ignore[call-arg, var-annotated]
                    high = max(high, ordered(recast(cross + bias[r])))  # type: ignore[call-arg]
                    large = max(large, np.int32(recast(cross) & np.int32(0x7FFFFFFF)))  # type: ignore[call-arg]
                highest = recast(ordered(high)) + prior[n, t]  # type: ignore[call-arg]
                tops[n * shifts + t, tile] = highest
                top[n], size[n] = max(top[n], highest), max(size[n], recast(large))  # type: ignore[call-arg]


@njit(parallel=True, cache=True)
def keep(
    product: np.ndarray, power: np.ndarray, known: np.ndarray, prior: np.ndarray, tops: np.ndarray, floor: np.ndarray, to: np.ndarray,
    index: np.ndarray,
) -> None:
    """Fills index[to[n]:to[n+1]] with the positions that reach the threshold, or, where `index` is empty, to[n+1] with their number.

    product (C, N T, CHUNK) and tops (C, N T, tiles) of C chunks of rotations, power (N, R), known (R,), prior (N, T), floor (N,).
    """
    images, shifts = prior.shape
    turns, fill, half = len(known), len(index) > 0, np.float32(0.5)
    for n in prange(images):
        o = to[n] if fill else 0
        for t in range(shifts):
            for c in range(len(product)):
                for tile in range(tops.shape[2]):
                    if tops[c, n * shifts + t, tile] < floor[n]:
                        continue
                    begin = c * CHUNK + tile * TILE
                    for r in range(begin, min(turns, begin + TILE)):
                        cross = widened(product[c, n * shifts + t, r - c * CHUNK])  # type: ignore[call-arg, var-annotated]
                        if cross + (known[r] - half * power[n, r]) + prior[n, t] >= floor[n]:
                            if fill:
                                index[o] = (n * shifts + t) * turns + r
                            o += 1
        if not fill:
            to[n + 1] = o


def prune(moved: Tensor, slices: Tensor, power: Tensor, priors: tuple[Tensor, Tensor], margin: float) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions (K,), as in the definition."""
    known, prior = (np.ascontiguousarray(one.numpy()) for one in priors)
    images, rows, turns, weight = len(prior), len(moved), len(slices), power.contiguous().numpy()
    chunks = -(-turns // CHUNK)
    width = min(turns, CHUNK)
    product = torch.empty(chunks, rows, width, dtype=moved.dtype)
    tops = np.full((chunks, rows, -(-width // TILE)), -np.inf, np.float32)
    top, size = np.full(images, -np.inf, np.float32), np.zeros(images, np.float32)
    seen = (product.view(torch.uint16) if moved.dtype == torch.bfloat16 else product).numpy()
    for c in range(chunks):
        low, high = c * CHUNK, min(turns, (c + 1) * CHUNK)
        torch.mm(moved, slices[low:high].T, out=product[c, :, : high - low])
        tiles = -(-(high - low) // TILE)
        best(seen[c, :, : high - low], weight[:, low:high], known[low:high], prior, tops[c, :, :tiles], top, size)
    floor = top - np.float32(margin) - (size * np.float32(ROUNDING) if moved.dtype == torch.bfloat16 else np.float32(0))
    where, kept = (seen, weight, known, prior, tops, floor.astype(np.float32)), np.zeros(images + 1, np.int64)
    keep(*where, kept, np.empty(0, np.int64))
    kept = kept.cumsum()
    index = np.empty(kept[-1], np.int64)
    keep(*where, kept, index)
    return torch.from_numpy(kept), torch.from_numpy(index)
