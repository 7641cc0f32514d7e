"""What images give to the sums of the M-step on the GPU; the definition is `kernels.reference.give`.

One program owns a coarse rotation and a tile of pixels and goes through the rotation's pairs in their order: no atomic operation is needed.
A tile holds parts of a few shells; what a pair gives to shell s from tile t is kept at slot s + t, and the slots are added up afterwards.
"""

# mypy: ignore-errors

import torch
import triton
import triton.language as tl
from torch import Tensor

from verglas.kernels.gpu.score import DOT, rows_of
from verglas.kernels.gpu.tiles import GIVE, Tile, blocks, flat, padded
from verglas.kernels.reference import Given


@triton.jit
def _shift_sums(
    shifts, start, shift, weight, i, p, used, pixels,
    TURNS: tl.constexpr, MOVES: tl.constexpr, C: tl.constexpr, T: tl.constexpr, P: tl.constexpr, PRECISION: tl.constexpr,
):
    """Real and imaginary part of g = sum_t w h (P, C) of pair i, and sum_t w (C,). Shifts without weight are not read."""
    first = tl.load(start + i)
    listed = (tl.load(start + i + 1) - first) * MOVES
    child = tl.arange(0, C)
    gr = tl.zeros((P, C), tl.float32)
    gi = tl.zeros((P, C), tl.float32)
    total = tl.zeros((C,), tl.float32)
    for low in range(0, listed, T):
        move = low + tl.arange(0, T)
        chosen = move < listed
        at = first * (TURNS * MOVES) + child[None, :] * listed + move[:, None]
        w = tl.load(weight + at, mask=chosen[:, None] & (child < TURNS)[None, :], other=0.0)
        if tl.max(tl.max(w, 1), 0) > 0:
            t = tl.load(shift + first + move // MOVES, mask=chosen, other=0).to(tl.int64) * MOVES + move % MOVES
            hr, hi = rows_of(shifts, t, chosen, p, used, pixels)
            gr = tl.dot(tl.trans(hr), w, gr, input_precision=PRECISION)
            gi = tl.dot(tl.trans(hi), w, gi, input_precision=PRECISION)
            total += tl.sum(w, 0)
    return gr, gi, total


@triton.jit
def _give(
    slices, a, b, x, c, shifts, image, start, shift, weight, order, bounds, shell, data, power, mass, cross, model, pair_mass, pixels, slots,
    TURNS: tl.constexpr, MOVES: tl.constexpr, C: tl.constexpr, T: tl.constexpr, P: tl.constexpr, PRECISION: tl.constexpr,
):
    """One program: a coarse rotation and a tile of P pixels."""
    r = tl.program_id(0)
    tile = tl.program_id(1)
    p = tile * P + tl.arange(0, P)
    used = p < pixels
    child = tl.arange(0, C)
    there = child < TURNS
    u = r.to(tl.int64) * TURNS + child
    at = u[None, :] * pixels + p[:, None]
    both = used[:, None] & there[None, :]
    sr = tl.load(slices + 2 * at, mask=both, other=0.0)
    si = tl.load(slices + 2 * at + 1, mask=both, other=0.0)
    mine = tl.load(shell + p, mask=used, other=-1)
    lowest, highest = tl.load(shell + tile * P), tl.load(shell + tl.minimum(tile * P + P, pixels) - 1)
    dr = tl.zeros((P, C), tl.float32)
    di = tl.zeros((P, C), tl.float32)
    dp = tl.zeros((P, C), tl.float32)
    dm = tl.zeros((C,), tl.float32)
    for o in range(tl.load(bounds + r), tl.load(bounds + r + 1)):
        i = tl.load(order + o)
        gr, gi, total = _shift_sums(shifts, start, shift, weight, i, p, used, pixels, TURNS, MOVES, C, T, P, PRECISION)
        given = tl.sum(total, 0)
        if given > 0:
            row = tl.load(image + i).to(tl.int64) * pixels + p
            xr = tl.load(x + 2 * row, mask=used, other=0.0)[:, None]
            xi = tl.load(x + 2 * row + 1, mask=used, other=0.0)[:, None]
            ar = tl.load(a + 2 * row, mask=used, other=0.0)[:, None]
            ai = tl.load(a + 2 * row + 1, mask=used, other=0.0)[:, None]
            dr += gr * xr - gi * xi
            di += gr * xi + gi * xr
            dp += tl.load(c + row, mask=used, other=0.0)[:, None] * total[None, :]
            dm += total
            both_power = tl.sum((ar * sr + ai * si) * gr + (ar * si - ai * sr) * gi, 1)
            own_power = tl.load(b + row, mask=used, other=0.0) * tl.sum((sr * sr + si * si) * total[None, :], 1)
            for s in range(lowest, highest + 1):
                slot = i.to(tl.int64) * slots + tile + s
                tl.store(cross + slot, tl.sum(tl.where(mine == s, both_power, 0.0), 0))
                tl.store(model + slot, tl.sum(tl.where(mine == s, own_power, 0.0), 0))
            if tile == 0:
                tl.store(pair_mass + i, given)
    tl.store(data + 2 * at, dr, mask=both)
    tl.store(data + 2 * at + 1, di, mask=both)
    tl.store(power + at, dp, mask=both)
    if tile == 0:
        tl.store(mass + u, dm, mask=there)


def give(
    slices: Tensor, images: tuple[Tensor, Tensor, Tensor, Tensor], shifts: Tensor, pairs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    bounds: Tensor, shells: Tensor, fan: tuple[int, int], tile: Tile = GIVE,
) -> Given:
    """The sums over a posterior, as in the definition."""
    (turns, moves), device, rotations, pixels = fan, shifts.device, len(bounds) - 1, shifts.shape[1]
    count, tiles = len(shells) - 1, blocks(pixels, tile.pixels)
    data = torch.empty(rotations * turns, pixels, dtype=torch.complex64, device=device)
    power, mass = torch.empty(data.shape, device=device), torch.empty(len(data), device=device)
    cross, model = torch.zeros(2, len(pairs[0]), count + tiles - 1, device=device)
    pair_mass = torch.zeros(len(pairs[0]), device=device)
    shell = torch.repeat_interleave(torch.arange(count, device=device), shells.diff(), output_size=pixels)
    if rotations:
        _give[(rotations, tiles)](
            flat(slices), *(flat(t) for t in images), flat(shifts), *(flat(t) for t in pairs), flat(bounds), shell,
            torch.view_as_real(data), power, mass, cross, model, pair_mass, pixels, cross.shape[1],
            TURNS=turns, MOVES=moves, C=padded(turns, DOT), T=tile.rows, P=tile.pixels, PRECISION=tile.precision, num_warps=tile.warps,
        )
    to = torch.zeros(cross.shape[1], count, device=device)
    to[torch.arange(pixels, device=device) // tile.pixels + shell, shell] = 1
    return Given(data, power, mass, cross @ to, model @ to, pair_mass)
