"""What images give to the sums of the M-step: the definitions, in plain torch."""

import torch
from torch import Tensor


def _shift_sums(shifts: Tensor, start: Tensor, shift: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """g[i, p] = sum_t w h[t, p] and sum_t w for each pair i."""
    pairs = len(start) - 1
    pair = torch.repeat_interleave(torch.arange(pairs, device=shifts.device), start.diff())
    g = torch.zeros(pairs, shifts.shape[1], dtype=shifts.dtype, device=shifts.device)
    g.index_add_(0, pair, weight[:, None] * shifts[shift.long()])
    return g, torch.zeros(pairs, device=shifts.device).index_add_(0, pair, weight)


def backproject(
    x: Tensor, b: Tensor, shifts: Tensor, image: Tensor, start: Tensor, shift: Tensor, weight: Tensor, order: Tensor, bounds: Tensor
) -> tuple[Tensor, Tensor]:
    """D[u] = sum_{pairs of u} sum_t w x[n] h[t] and W[u] = sum_{pairs of u} (sum_t w) b[n].

    x = C X / sigma2 of the unmasked images (N, P), b = C^2 / sigma2 (N, P). The pairs of slice u are order[bounds[u]:bounds[u+1]].
    Returns (U, P) complex64 and (U, P) float32.
    """
    g, total = _shift_sums(shifts, start, shift, weight)
    rows = torch.repeat_interleave(torch.arange(len(bounds) - 1, device=x.device), bounds.diff())
    i = order.long()
    data = torch.zeros(len(bounds) - 1, x.shape[1], dtype=x.dtype, device=x.device)
    power = torch.zeros(len(bounds) - 1, x.shape[1], device=x.device)
    data.index_add_(0, rows, g[i] * x[image[i].long()])
    power.index_add_(0, rows, total[i, None] * b[image[i].long()])
    return data, power


def cross(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, cut: Tensor, start: Tensor, shift: Tensor, weight: Tensor, rows: Tensor, shells: Tensor
) -> tuple[Tensor, Tensor]:
    """XA[n, s] = sum w Re(conj(a h) S) and AA[n, s] = sum w b |S|^2 over the pixels of shell s (shells[s]:shells[s+1]) and the pairs of n.

    The pairs of image n are rows[n]:rows[n+1]. Multiplied by sigma2[s] they are the cross and model power of method sums 4.3 of
    RELION's expectation step. Returns two (N, S) float32.
    """
    g, total = _shift_sums(shifts, start, shift, weight)
    n = torch.repeat_interleave(torch.arange(len(rows) - 1, device=a.device), rows.diff())
    s = slices[cut.long()]
    pixel_shell = torch.repeat_interleave(torch.arange(len(shells) - 1, device=a.device), shells.diff())
    flat = n[:, None] * (len(shells) - 1) + pixel_shell
    out = torch.zeros(2, (len(rows) - 1) * (len(shells) - 1), device=a.device)
    out[0].index_add_(0, flat.reshape(-1), ((a[n] * g).conj() * s).real.reshape(-1))
    out[1].index_add_(0, flat.reshape(-1), (total[:, None] * b[n] * s.abs() ** 2).reshape(-1))
    xa, aa = out.view(2, len(rows) - 1, len(shells) - 1)
    return xa, aa
