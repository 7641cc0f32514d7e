"""A first look at dense hypotheses on the CPU; the definition is `kernels.reference.prune`.

The best of every tile of hypotheses is noted in one pass over the product; later passes open only tiles that reach the threshold.
"""

import numpy as np
from llvmlite import ir
from numba import float32, njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from verglas.kernels.reference.prune import ROUNDING

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


@njit(parallel=True, fastmath={"nnan", "nsz"}, cache=True)
def best(product: np.ndarray, bias: np.ndarray, prior: np.ndarray, margin: float, tops: np.ndarray, floor: np.ndarray) -> None:
    """Fills tops (N T, tiles) and floor (N,), the threshold of each image. product (N T, R) float32, or bfloat16 as uint16."""
    images, shifts = prior.shape
    turns, rounded = product.shape[1], product.itemsize == 2
    for n in prange(images):
        top, size = np.float32(-np.inf), np.float32(0.0)
        for t in range(shifts):
            row = product[n * shifts + t]
            for tile in range(tops.shape[1]):
                highest, largest = np.float32(-np.inf), np.float32(0.0)
                for r in range(tile * TILE, min(turns, (tile + 1) * TILE)):
                    cross = widened(row[r])  # type: ignore[call-arg, var-annotated]
                    highest = max(highest, cross + bias[n, r])
                    largest = max(largest, abs(cross))
                tops[n * shifts + t, tile] = highest + prior[n, t]
                top, size = max(top, highest + prior[n, t]), max(size, largest)
        floor[n] = top - np.float32(margin) - (size * np.float32(ROUNDING) if rounded else np.float32(0.0))


@njit(parallel=True, cache=True)
def keep(
    product: np.ndarray, bias: np.ndarray, prior: np.ndarray, tops: np.ndarray, floor: np.ndarray, to: np.ndarray, index: np.ndarray
) -> None:
    """Fills index[to[n]:to[n+1]] with the positions that reach the threshold, or, where `index` is empty, to[n+1] with their number."""
    images, shifts = prior.shape
    turns, fill = product.shape[1], len(index) > 0
    for n in prange(images):
        o = to[n] if fill else 0
        for t in range(shifts):
            row = product[n * shifts + t]
            for tile in range(tops.shape[1]):
                if tops[n * shifts + t, tile] < floor[n]:
                    continue
                for r in range(tile * TILE, min(turns, (tile + 1) * TILE)):
                    if widened(row[r]) + bias[n, r] + prior[n, t] >= floor[n]:  # type: ignore[call-arg]
                        if fill:
                            index[o] = (n * shifts + t) * turns + r
                        o += 1
        if not fill:
            to[n + 1] = o
