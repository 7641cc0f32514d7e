"""Posterior over the hypotheses of each image on the GPU; the definitions are in `kernels.reference.select`.

One program owns an image. The threshold is found without sorting: a bracket around it is cut into parts until one hypothesis is left inside.
"""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.tiles import SELECT, Tile

PROBES = 8
"""Values that are tried in one passage over the hypotheses."""
PASSAGES = 10
"""At most; 9^10 parts of the bracket are finer than float32."""


@triton.jit
def _top(logp, first, last, length, BLOCK: tl.constexpr):
    """The largest value and the first place where it is; -inf and `length` of an empty list."""
    value = tl.full((BLOCK,), float("-inf"), tl.float32)
    where = tl.full((BLOCK,), 0, tl.int64) + length
    for low in range(first, last, BLOCK):
        at = low + tl.arange(0, BLOCK)
        x = tl.load(logp + at, mask=at < last, other=float("-inf"))
        better = (x > value) | ((where == length) & (at < last))
        value = tl.where(better, x, value)
        where = tl.where(better, at, where)
    top = tl.max(value, 0)
    return top, tl.min(tl.where(value == top, where, length), 0)


@triton.jit
def _highest(logp, start, length, value, where, BLOCK: tl.constexpr):
    n = tl.program_id(0)
    top, at = _top(logp, tl.load(start + n), tl.load(start + n + 1), length, BLOCK)
    tl.store(value + n, top)
    tl.store(where + n, at)


@triton.jit
def _above(logp, first, last, top, probe, BLOCK: tl.constexpr, K: tl.constexpr):
    """Sum of exp(logp - top) (K,) float64 and number (K,) int64 of the hypotheses above each probe (K,)."""
    mass = tl.zeros((BLOCK, K), tl.float32)
    count = tl.zeros((BLOCK, K), tl.int32)
    for low in range(first, last, BLOCK):
        at = low + tl.arange(0, BLOCK)
        x = tl.load(logp + at, mask=at < last, other=float("-inf"))
        above = x[:, None] > probe[None, :]
        mass += tl.where(above, tl.exp(x - top)[:, None], 0.0)
        count += above.to(tl.int32)
    return tl.sum(mass.to(tl.float64), 0), tl.sum(count.to(tl.int64), 0)


@triton.jit
def _least(logp, first, last, low, BLOCK: tl.constexpr):
    """The smallest value above `low`."""
    value = tl.full((BLOCK,), float("inf"), tl.float32)
    for begin in range(first, last, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        x = tl.load(logp + at, mask=at < last, other=float("inf"))
        value = tl.where(x > low, tl.minimum(x, value), value)
    return tl.min(value, 0)


@triton.jit
def _threshold(
    logp, start, length, fraction, most, slack, least, evidence, best,
    BLOCK: tl.constexpr, WIDE: tl.constexpr, K: tl.constexpr, PASSAGES: tl.constexpr,
):
    """A value is taken if what lies above it holds at most `fraction` of the mass and fewer than `most` hypotheses.

    Invariant: `high` is taken, `low` is not. The bracket begins at top - log(n slack), below which there is less than (1 - fraction) / 100.
    """
    n = tl.program_id(0)
    first, last = tl.load(start + n), tl.load(start + n + 1)
    top, at = _top(logp, first, last, length, WIDE)
    everything, number = _above(logp, first, last, top, tl.full((1,), float("-inf"), tl.float32), WIDE, 1)
    total = tl.sum(everything, 0)
    high = top
    low = top - tl.log((last - first).to(tl.float32) * slack) - 1.0
    under_low = tl.sum(number, 0)
    under_high = under_low * 0
    passage = 0
    while (under_low - under_high > 1) & (passage < PASSAGES):
        probe = low + (high - low) * ((tl.arange(0, K) + 1).to(tl.float32) / (K + 1))
        mass, count = _above(logp, first, last, top, probe, BLOCK, K)
        taken = (mass <= fraction * total) & (count < most)
        high = tl.min(tl.where(taken, probe, high), 0)
        low = tl.max(tl.where(taken, low, probe), 0)
        under_high = tl.max(tl.where(taken, count, under_high), 0)
        under_low = tl.min(tl.where(taken, under_low, count), 0)
        passage += 1
    tl.store(least + n, _least(logp, first, last, low, WIDE).to(tl.float64))
    tl.store(evidence + n, top.to(tl.float64) + tl.log(total))
    tl.store(best + n, at)


@triton.jit
def _count(logp, start, least, kept, BLOCK: tl.constexpr):
    """kept (N,): how many reach the threshold."""
    n = tl.program_id(0)
    first, last, limit = tl.load(start + n), tl.load(start + n + 1), tl.load(least + n)
    total = tl.zeros((BLOCK,), tl.int64)
    for low in range(first, last, BLOCK):
        at = low + tl.arange(0, BLOCK)
        total += (tl.load(logp + at, mask=at < last, other=float("-inf")).to(tl.float64) >= limit).to(tl.int64)
    tl.store(kept + n, tl.sum(total, 0))


@triton.jit
def _compact(logp, start, least, to, index, BLOCK: tl.constexpr):
    """index[to[n]:to[n+1]]: the positions of those that reach the threshold."""
    n = tl.program_id(0)
    first, last, limit, out = tl.load(start + n), tl.load(start + n + 1), tl.load(least + n), tl.load(to + n)
    for low in range(first, last, BLOCK):
        at = low + tl.arange(0, BLOCK)
        keep = (tl.load(logp + at, mask=at < last, other=float("-inf")).to(tl.float64) >= limit) & (at < last)
        number = tl.cumsum(keep.to(tl.int32), 0)
        tl.store(index + out + number - 1, at, mask=keep)
        out += tl.max(number, 0)


@triton.jit
def _weigh(logp, start, least, evidence, out, BLOCK: tl.constexpr):
    n = tl.program_id(0)
    first, last, limit, whole = tl.load(start + n), tl.load(start + n + 1), tl.load(least + n), tl.load(evidence + n)
    for low in range(first, last, BLOCK):
        at = low + tl.arange(0, BLOCK)
        x = tl.load(logp + at, mask=at < last, other=float("-inf")).to(tl.float64)
        tl.store(out + at, tl.where(x >= limit, tl.exp((x - whole).to(tl.float32)), 0.0), mask=at < last)


def threshold(logp: Tensor, start: Tensor, fraction: float, most: int, tile: Tile = SELECT) -> tuple[Tensor, Tensor, Tensor]:
    """(least, evidence, best), each (N,), as in the definition."""
    images = len(start) - 1
    least, evidence = torch.empty(2, images, dtype=torch.float64, device=logp.device)
    best = torch.empty(images, dtype=torch.int64, device=logp.device)
    if images:
        _threshold[(images,)](
            logp, start, len(logp), fraction, most, 100.0 / max(1.0 - fraction, 1e-6), least, evidence, best,
            BLOCK=tile.rows // 4, WIDE=tile.rows, K=PROBES, PASSAGES=PASSAGES, num_warps=tile.warps,
        )
    return least, evidence, best


def highest(logp: Tensor, start: Tensor, tile: Tile = SELECT) -> tuple[Tensor, Tensor]:
    """The largest logp of each image (N,) and its position (N,)."""
    images = len(start) - 1
    value = torch.empty(images, device=logp.device)
    where = torch.empty(images, dtype=torch.int64, device=logp.device)
    if images:
        _highest[(images,)](logp, start, len(logp), value, where, BLOCK=tile.rows, num_warps=tile.warps)
    return value, where


def compact(logp: Tensor, start: Tensor, least: Tensor, tile: Tile = SELECT) -> tuple[Tensor, Tensor]:
    """Start (N+1,) and positions (K,), rising, of those that reach the threshold. Waits for the GPU to learn their number."""
    kept = torch.zeros_like(start)
    if len(start) == 1:
        return kept, kept[:0]
    _count[(len(start) - 1,)](logp, start, least, kept[1:], BLOCK=tile.rows, num_warps=tile.warps)
    kept = kept.cumsum(0)
    index = torch.empty(int(kept[-1]), dtype=torch.int64, device=logp.device)
    _compact[(len(start) - 1,)](logp, start, least, kept, index, BLOCK=tile.rows, num_warps=tile.warps)
    return kept, index


def weigh(logp: Tensor, start: Tensor, least: Tensor, evidence: Tensor, tile: Tile = SELECT) -> Tensor:
    """exp(logp - evidence) where the threshold is reached, else 0."""
    out = torch.empty_like(logp)
    if len(start) > 1:
        _weigh[(len(start) - 1,)](logp, start, least, evidence, out, BLOCK=tile.rows, num_warps=tile.warps)
    return out
