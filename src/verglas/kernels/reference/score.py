"""Log-likelihood of chosen (image, slice, shift) triples: the definition, in plain torch."""

import torch
from torch import Tensor


def score(slices: Tensor, a: Tensor, b: Tensor, shifts: Tensor, image: Tensor, cut: Tensor, start: Tensor, shift: Tensor) -> Tensor:
    """log p[j] = sum_p Re(conj(a[n, p] h[t, p]) S[u, p]) - 1/2 sum_p b[n, p] |S[u, p]|^2 without the origin pixel p = 0.

    a = C X / sigma2 (N, P) complex, b = C^2 / sigma2 (N, P), slices S (U, P), shifts h (T, P) complex. Pair i is
    (n, u) = (image[i], cut[i]) and wants the shifts t = shift[start[i]:start[i+1]]. Returns (L,) float32 in the order of `shift`.
    """
    q = a[image].conj() * slices[cut]
    power = (b[image] * slices[cut].abs() ** 2)[:, 1:].sum(1) / 2
    pair = torch.repeat_interleave(torch.arange(len(image), device=a.device), start.diff())
    return (q[pair] * shifts[shift.long()].conj())[:, 1:].real.sum(1) - power[pair]
