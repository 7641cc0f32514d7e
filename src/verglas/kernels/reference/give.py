"""What images give to the sums of the M-step: the definitions, in plain torch.

Pairs of image and coarse rotation, each with a list of coarse shifts; weights are in the order of `reference.score`:
pair, child rotation, shift, child shift, with fan = (c, m) children.
"""

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


def backproject(
    x: Tensor, b: Tensor, shifts: Tensor, image: Tensor, start: Tensor, shift: Tensor, weight: Tensor, order: Tensor, bounds: Tensor,
    fan: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """D[u] = sum_{pairs of u} sum_t w x[n] h[t], W[u] = sum_{pairs of u} (sum_t w) b[n] and the mass sum w of each fine rotation u.

    x = C X / sigma2 of the unmasked images (N, P), b = C^2 / sigma2 (N, P). The pairs of coarse rotation r are
    order[bounds[r]:bounds[r+1]]. Returns (R c, P) complex64, (R c, P) float32, (R c,) float32.
    """
    g, total = _shift_sums(shifts, start, shift, weight, fan)
    rotations, turns = len(bounds) - 1, fan[0]
    row = torch.repeat_interleave(torch.arange(rotations, device=x.device), bounds.diff())
    i = order.long()
    n = image.long()[i]
    data = torch.zeros(rotations, turns, x.shape[1], dtype=x.dtype, device=x.device).index_add_(0, row, g[i] * x[n][:, None])
    power = torch.zeros(rotations, turns, x.shape[1], device=x.device).index_add_(0, row, total[i][..., None] * b[n][:, None])
    mass = torch.zeros(rotations, turns, device=x.device).index_add_(0, row, total[i])
    return data.flatten(0, 1), power.flatten(0, 1), mass.flatten()


def cross(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, cut: Tensor, start: Tensor, shift: Tensor, weight: Tensor, rows: Tensor, shells: Tensor,
    fan: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """XA[n, s] = sum w Re(conj(a h) S) and AA[n, s] = sum w b |S|^2 over the pixels of shell s and the pairs of n; mass of each pair.

    The pairs of image n are rows[n]:rows[n+1], the pixels of shell s shells[s]:shells[s+1], the slices of pair i cut[i] c + 0...
    Multiplied by sigma2[s] the sums are the cross and model power of RELION's noise and scale updates.
    Returns two (N, S) float32 and (K,) float32.
    """
    g, total = _shift_sums(shifts, start, shift, weight, fan)
    n = torch.repeat_interleave(torch.arange(len(rows) - 1, device=a.device), rows.diff())
    s = slices[cut.long()[:, None] * fan[0] + torch.arange(fan[0], device=a.device)]
    pixel_shell = torch.repeat_interleave(torch.arange(len(shells) - 1, device=a.device), shells.diff())
    flat = (n[:, None] * (len(shells) - 1) + pixel_shell).reshape(-1)
    xa, aa = torch.zeros(2, (len(rows) - 1) * (len(shells) - 1), device=a.device)
    xa.index_add_(0, flat, ((a[n][:, None] * g).conj() * s).real.sum(1).reshape(-1))
    aa.index_add_(0, flat, (total[..., None] * b[n][:, None] * s.abs() ** 2).sum(1).reshape(-1))
    return xa.view(len(rows) - 1, -1), aa.view(len(rows) - 1, -1), total.sum(1)
