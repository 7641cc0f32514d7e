"""The product over all hypotheses of a block of images with the choice of the best inside; the definition is `kernels.reference.prune`.

The scores are never stored. Programs share the best score of each image so far (an atomic maximum) and list what comes within the margin of it; the
list is cut again with the final maxima and sorted, so the result does not depend on the order in which programs run.
"""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.tiles import PRUNE, Tile, blocks, flat

FIRST = 16
"""One tile of rotations in so many is scored beforehand: the maxima are then nearly right when the list is begun."""


@triton.jit
def _product(moved, slices, m, r, rows, rotations, length, M: tl.constexpr, R: tl.constexpr, Q: tl.constexpr):
    """(M, R) float32 of moved[m] . slices[r]; rows beyond the last repeat it, `length` is a multiple of Q."""
    total = tl.zeros((M, R), tl.float32)
    q = tl.arange(0, Q)
    u = moved + tl.minimum(m, rows - 1).to(tl.int64)[:, None] * length + q[None, :]
    v = slices + tl.minimum(r, rotations - 1).to(tl.int64)[None, :] * length + q[:, None]
    for _ in range(0, length, Q):
        total = tl.dot(tl.load(u), tl.load(v), total, input_precision="tf32")
        u += Q
        v += Q
    return total


@triton.jit
def _prune(
    moved, slices, power, by_rotation, by_shift, best, number, index, value, margin, capacity, rows, shifts, rotations, length,
    EVERY: tl.constexpr, KEEP: tl.constexpr, M: tl.constexpr, R: tl.constexpr, Q: tl.constexpr,
):
    """One program: M (image, shift) by R rotations. Without KEEP only the maxima are updated."""
    m = tl.program_id(0) * M + tl.arange(0, M)
    r = tl.program_id(1) * EVERY * R + tl.arange(0, R)
    score = _product(moved, slices, m, r, rows, rotations, length, M, R, Q)
    n = m // shifts
    real = (m < rows)[:, None] & (r < rotations)[None, :]
    score += tl.load(by_rotation + r, mask=r < rotations, other=0.0)[None, :] + tl.load(by_shift + m, mask=m < rows, other=0.0)[:, None]
    score -= 0.5 * tl.load(power + n[:, None] * rotations + r[None, :], mask=real, other=0.0)
    score = tl.where(real, score, float("-inf"))
    top = tl.max(score, 1)
    before = tl.atomic_max(best + n, top, mask=m < rows)
    if KEEP:
        keep = real & (score >= tl.maximum(top, before)[:, None] - margin)
        each = tl.sum(keep.to(tl.int32), 1)
        if tl.max(each, 0) > 0:
            to = tl.atomic_add(number + 0 * m, each, mask=each > 0)[:, None] + tl.cumsum(keep.to(tl.int32), 1) - 1
            keep &= to < capacity
            tl.store(index + to, m[:, None] * rotations + r[None, :], mask=keep)
            tl.store(value + to, score, mask=keep)


def prune(
    moved: Tensor, slices: Tensor, power: Tensor, priors: tuple[Tensor, Tensor], margin: float, capacity: int, tile: Tile = PRUNE
) -> tuple[Tensor, Tensor] | None:
    """Start (N+1,) and positions (K,), as in the definition; also None if more than `capacity` were near the best for a while."""
    by_rotation, by_shift = priors
    device, (images, shifts), rotations = moved.device, by_shift.shape, len(slices)
    each = shifts * rotations
    if images * each >= 1 << 31:
        raise ValueError(f"{images} images x {shifts} shifts x {rotations} rotations do not fit 32-bit positions: use smaller blocks")
    moved, slices = _padded(moved, tile.pixels), _padded(slices, tile.pixels)
    best = torch.full((images,), -torch.inf, device=device)
    number = torch.zeros(1, dtype=torch.int32, device=device)
    index, value = torch.empty(capacity, dtype=torch.int32, device=device), torch.empty(capacity, device=device)
    tiles = (blocks(len(moved), tile.rows), blocks(rotations, tile.rows))
    for every, keep in ((FIRST, False), (1, True)):
        _prune[(tiles[0], blocks(tiles[1], every))](
            moved, slices, flat(power), flat(by_rotation), flat(by_shift), best, number, index, value, margin, capacity,
            len(moved), shifts, rotations, moved.shape[1], EVERY=every, KEEP=keep, M=tile.rows, R=tile.rows, Q=tile.pixels, num_warps=tile.warps,
        )
    if int(number) > capacity:
        return None
    index, value = index[: int(number)].long(), value[: int(number)]
    index = index[value >= best[index // each] - margin].sort().values
    return torch.searchsorted(index, torch.arange(images + 1, device=device) * each), index


def _padded(x: Tensor, multiple: int) -> Tensor:
    """Zeros at the end of each row, so that rows have whole tiles and begin at multiples of 16 bytes."""
    return torch.nn.functional.pad(x, (0, -x.shape[1] % multiple)).contiguous()
