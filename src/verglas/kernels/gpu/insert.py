"""Insertion of slices on the GPU; the definition is `kernels.reference.insert`, that into one plane `kernels.reference.plane`.

Voxels are added to by atomic operations, so the order of a sum, and its last bits, change from run to run.
"""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.corners import corner, locate
from verglas.kernels.gpu.tiles import INSERT, Tile, blocks, flat


@triton.jit
def _add(data, weight, values, weights, axes, k, pixels, size, half, FLAT: tl.constexpr, BLOCK: tl.constexpr):
    """One program: BLOCK pixels of a slice."""
    r = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    used = p < pixels
    w = tl.load(weights + r * pixels + p, mask=used, other=0.0)
    x, y, z, sign, inside = locate(axes, k, r, p, used & (w != 0), size, FLAT)
    part = tl.arange(0, 2)[None, :]
    value = tl.load(values + 2 * (r * pixels + p)[:, None] + part, mask=inside[:, None], other=0.0)
    value = tl.where(part == 1, value * sign[:, None], value)
    for number in tl.static_range(4 if FLAT else 8):
        index, near = corner(x, y, z, size, half, FLAT, number)
        tl.atomic_add(data + 2 * index[:, None] + part, near[:, None] * value, mask=inside[:, None], sem="relaxed")
        tl.atomic_add(weight + index, near * w, mask=inside, sem="relaxed")


def add(data: Tensor, weight: Tensor, values: Tensor, weights: Tensor, axes: Tensor, k: Tensor, tile: Tile = INSERT) -> None:
    """data and weight (D, D, H) or (1, D, H), contiguous, += splats of values (R, P) and weights (R, P), in place."""
    if weights.numel():
        _add[(len(axes), blocks(len(k), tile.pixels))](
            torch.view_as_real(data), weight, flat(values), weights.contiguous(), axes.contiguous(), k.contiguous(),
            len(k), data.shape[1], data.shape[2], FLAT=data.shape[0] == 1, BLOCK=tile.pixels, num_warps=tile.warps,
        )
