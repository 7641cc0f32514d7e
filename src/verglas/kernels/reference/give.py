"""What images give to the sums of the M-step: the definition, in plain torch.

Pairs of image and coarse rotation, each with a list of coarse shifts; weights are in the order of `reference.score`:
pair, child rotation, shift, child shift, with fan = (c, m) children.
"""

from typing import NamedTuple

import torch
from torch import Tensor


def _shift_sums(shifts: Tensor, start: Tensor, shift: Tensor, weight: Tensor, fan: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """g[i, c, p] = sum_t w h[t, p] (K, c, P) and sum_t w (K, c) for every pair and child rotation."""
    turns, moves = fan
    device, pairs = shifts.device, len(start) - 1
    listed = start.diff()
    pair = torch.repeat_interleave(torch.arange(pairs, device=device), listed)
    place = torch.arange(len(shift), device=device) - start[pair]
    w = weight[_index(start, listed, pair, place, fan)]
    h = shifts[shift.long()[:, None] * moves + torch.arange(moves, device=device)]
    g = torch.zeros(pairs, turns, shifts.shape[1], dtype=shifts.dtype, device=device)
    g.index_add_(0, pair, torch.einsum("lcm,lmp->lcp", w.to(h.dtype), h))
    return g, torch.zeros(pairs, turns, device=device).index_add_(0, pair, w.sum(-1))


def _index(start: Tensor, listed: Tensor, pair: Tensor, place: Tensor, fan: tuple[int, int]) -> Tensor:
    """Positions (L, c, m) of the weights of every listed shift."""
    turns, moves = fan
    child = torch.arange(turns, device=start.device)
    at = (start[pair][:, None] * turns + child * listed[pair][:, None] + place[:, None]) * moves
    return at[..., None] + torch.arange(moves, device=start.device)


class Given(NamedTuple):
    """data (R c, P) complex64, power (R c, P) and mass (R c,) per fine rotation; xa, aa (K, S) and pair_mass (K,) per pair."""

    data: Tensor
    power: Tensor
    mass: Tensor
    xa: Tensor
    aa: Tensor
    pair_mass: Tensor


def give(
    slices: Tensor, images: tuple[Tensor, Tensor, Tensor, Tensor], shifts: Tensor, pairs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    bounds: Tensor, shells: Tensor, fan: tuple[int, int],
) -> Given:
    """The sums over a posterior, for back-projection, noise and scale.

    data[u] = sum_{pairs of u} sum_t w x[n] h[t], power[u] = sum_{pairs of u} (sum_t w) c[n], mass[u] = sum w;
    xa[i, s] = sum w Re(conj(a h) S) and aa[i, s] = sum w b |S|^2 over the pixels of shell s, pair_mass[i] = sum w.
    images = (a, b, x, c), each (N, P): a = C X / sigma2 of the masked and x of the unmasked images, b = c = C^2 / sigma2.
    pairs = (image (K,), start (K+1,), shift (L,), weight (L c m,), order (K,)): the pairs of coarse rotation r are
    order[bounds[r]:bounds[r+1]], its slices r c + 0...; pixels shells[s]:shells[s+1] belong to shell s.
    Multiplied by sigma2[s], xa and aa are the cross and model power of RELION's noise and scale updates.
    """
    a, b, x, c = images
    image, start, shift, weight, order = pairs
    g, total = _shift_sums(shifts, start, shift, weight, fan)
    rotations, turns, device = len(bounds) - 1, fan[0], x.device
    i, n = order.long(), image.long()
    rotation = torch.repeat_interleave(torch.arange(rotations, device=device), bounds.diff())
    data = torch.zeros(rotations, turns, x.shape[1], dtype=x.dtype, device=device).index_add_(0, rotation, g[i] * x[n[i]][:, None])
    power = torch.zeros(rotations, turns, x.shape[1], device=device).index_add_(0, rotation, total[i][..., None] * c[n[i]][:, None])
    mass = torch.zeros(rotations, turns, device=device).index_add_(0, rotation, total[i])
    cut = torch.empty_like(rotation)
    cut[i] = rotation
    s = slices.view(rotations, turns, -1)[cut]
    cross = ((a[n][:, None] * g).conj() * s).real.sum(1)
    model = (total[..., None] * b[n][:, None] * s.abs() ** 2).sum(1)
    shell = torch.repeat_interleave(torch.arange(len(shells) - 1, device=device), shells.diff())
    xa, aa = (torch.zeros(len(n), len(shells) - 1, device=device).index_add_(1, shell, v) for v in (cross, model))
    return Given(data.flatten(0, 1), power.flatten(0, 1), mass.flatten(), xa, aa, total.sum(1))
