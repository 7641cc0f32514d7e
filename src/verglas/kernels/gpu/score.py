"""Log-posteriors of chosen (image, slice, shift) triples on the GPU; the definition is `kernels.reference.score`.

The children of a pair are one small product: shifts (T, 2P) times conj(a) S (2P, C), on the tensor cores where there are 8 child rotations or more.
"""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.tiles import SCORE, Tile, flat, padded

DOT = 8
"""Child rotations from which `tl.dot` is used."""


@triton.jit
def rows_of(pointer, row, chosen, p, used, width):
    """Real and imaginary part (R, P) of rows (R,) at pixels p (P,) of a complex matrix (., width); 0 where not used."""
    at = pointer + 2 * (row[:, None] * width + p[None, :])
    mask = chosen[:, None] & used[None, :]
    return tl.load(at, mask=mask, other=0.0), tl.load(at + 1, mask=mask, other=0.0)


@triton.jit
def _score(
    slices, a, b, shifts, prior, image, cut, start, shift, out, pixels, width,
    TURNS: tl.constexpr, MOVES: tl.constexpr, C: tl.constexpr, T: tl.constexpr, P: tl.constexpr, PRODUCT: tl.constexpr, PRECISION: tl.constexpr,
):
    """One program: a pair; T of its child shifts at a time, P pixels at a time."""
    i = tl.program_id(0)
    n = tl.load(image + i).to(tl.int64)
    first = tl.load(start + i)
    listed = tl.load(start + i + 1) - first
    child = tl.arange(0, C)
    u = tl.load(cut + i).to(tl.int64) * TURNS + child
    for low in range(0, listed * MOVES, T):
        move = low + tl.arange(0, T)
        chosen = move < listed * MOVES
        place = first + move // MOVES
        t = tl.load(shift + place, mask=chosen, other=0).to(tl.int64) * MOVES + move % MOVES
        cross = tl.zeros((T, C), tl.float32)
        power = tl.zeros((C,), tl.float32)
        for begin in range(0, pixels, P):
            p = begin + tl.arange(0, P)
            used = (p > 0) & (p < pixels)
            sr, si = rows_of(slices, u, child < TURNS, p, used, width)
            hr, hi = rows_of(shifts, t, chosen, p, used, pixels)
            ar = tl.load(a + 2 * (n * pixels + p), mask=used, other=0.0)[None, :]
            ai = tl.load(a + 2 * (n * pixels + p) + 1, mask=used, other=0.0)[None, :]
            power += tl.sum(tl.load(b + n * pixels + p, mask=used, other=0.0)[None, :] * (sr * sr + si * si), 1)
            qr, qi = ar * sr + ai * si, ar * si - ai * sr
            if PRODUCT:
                cross = tl.dot(hr, tl.trans(qr), cross, input_precision=PRECISION)
                cross = tl.dot(hi, tl.trans(qi), cross, input_precision=PRECISION)
            else:
                cross += tl.sum(hr[:, None, :] * qr[None, :, :] + hi[:, None, :] * qi[None, :, :], 2)
        known = tl.load(prior + place, mask=chosen, other=0.0)
        at = (first * TURNS + child[None, :] * listed) * MOVES + move[:, None]
        tl.store(out + at, cross - 0.5 * power[None, :] + known[:, None], mask=chosen[:, None] & (child < TURNS)[None, :])


def score(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, prior: Tensor, image: Tensor, cut: Tensor, start: Tensor, shift: Tensor,
    fan: tuple[int, int], tile: Tile = SCORE,
) -> Tensor:
    """Log-posteriors (L c m,), as in the definition."""
    turns, moves = fan
    out = torch.empty(len(shift) * turns * moves, device=a.device)
    if len(image) and len(out):
        product = turns >= DOT
        _score[(len(image),)](
            flat(slices), flat(a), flat(b), flat(shifts), flat(prior.float()), flat(image), flat(cut), flat(start), flat(shift), out, b.shape[1], slices.shape[1],
            TURNS=turns, MOVES=moves, C=padded(turns), T=tile.rows if product else 16, P=tile.pixels,
            PRODUCT=product, PRECISION=tile.precision, num_warps=tile.warps,
        )
    return out
