"""Log-posterior of chosen (image, slice, shift) triples: the definition, in plain torch."""

import torch
from torch import Tensor


def score(
    slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, prior: Tensor, image: Tensor, cut: Tensor, start: Tensor, shift: Tensor,
    fan: tuple[int, int],
) -> Tensor:
    """log p = sum_p Re(conj(a[n, p] h[t, p]) S[u, p]) - 1/2 sum_p b[n, p] |S[u, p]|^2 + prior, without the origin pixel p = 0.

    a = C X / sigma2 (N, P) complex, b = C^2 / sigma2 (N, P), slices S (U c, >= P), shifts h (T m, P) complex, fan = (c, m). Pair i is
    (image[i], cut[i]) with the list shift[start[i]:start[i+1]] and its `prior` (L,). Each pair is scored for the c children
    cut c + 0.. of its slice and the m children of each of its shifts. Returns (L c m,) in the order pair, child slice, shift, child shift.
    """
    turns, moves = fan
    slices = slices[:, : a.shape[1]]
    device = a.device
    pair = torch.repeat_interleave(torch.arange(len(image), device=device), start.diff())
    child = torch.arange(turns, device=device)
    u = cut.long()[:, None] * turns + child
    q = a[image.long()].conj()[:, None] * slices[u]
    power = (b[image.long()][:, None] * slices[u].abs() ** 2)[..., 1:].sum(-1) / 2
    t = shift.long()[:, None] * moves + torch.arange(moves, device=device)
    value = torch.einsum("lcp,lmp->lcm", q[pair][..., 1:], shifts[t][..., 1:].conj()).real
    value = value - power[pair][..., None] + prior[:, None, None]
    listed = start.diff()[pair]
    place = torch.arange(len(shift), device=device) - start[pair]
    at = (start[pair][:, None] * turns + child * listed[:, None] + place[:, None]) * moves
    out = torch.empty(len(shift) * turns * moves, device=device)
    out[at[..., None] + torch.arange(moves, device=device)] = value
    return out
