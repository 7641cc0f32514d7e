"""Log-posteriors of chosen (image, slice, shift) triples on the CPU; the definition is `kernels.reference.score`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=True, cache=True)
def score(
    slices: np.ndarray, a: np.ndarray, b: np.ndarray, shifts: np.ndarray, prior: np.ndarray,
    image: np.ndarray, cut: np.ndarray, start: np.ndarray, shift: np.ndarray, turns: int, moves: int, out: np.ndarray,
) -> None:
    """slices (U turns, 2P), a (N, 2P), b (N, P), shifts (T moves, 2P), prior (L,) float32 -> out (L turns moves,)."""
    pixels = b.shape[1]
    for i in prange(len(image)):
        n, listed = image[i], start[i + 1] - start[i]
        q, power = np.empty((turns, 2 * pixels), np.float32), np.zeros(turns, np.float32)
        for c in range(turns):
            u = cut[i] * turns + c
            for p in range(1, pixels):
                ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                q[c, 2 * p] = ar * sr + ai * si
                q[c, 2 * p + 1] = ar * si - ai * sr
                power[c] += np.float32(0.5) * b[n, p] * (sr * sr + si * si)
        for j in range(listed):
            for f in range(moves):
                h = shifts[shift[start[i] + j] * moves + f]
                at, known = (start[i] * turns + j) * moves + f, prior[start[i] + j]
                four = turns - turns % 4
                for c in range(0, four, 4):  # h is loaded once for four child rotations
                    t0, t1, t2, t3 = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
                    for p in range(2, 2 * pixels):
                        t0 += q[c, p] * h[p]
                        t1 += q[c + 1, p] * h[p]
                        t2 += q[c + 2, p] * h[p]
                        t3 += q[c + 3, p] * h[p]
                    out[at + c * listed * moves] = t0 - power[c] + known
                    out[at + (c + 1) * listed * moves] = t1 - power[c + 1] + known
                    out[at + (c + 2) * listed * moves] = t2 - power[c + 2] + known
                    out[at + (c + 3) * listed * moves] = t3 - power[c + 3] + known
                for c in range(four, turns):
                    total = np.float32(0.0)
                    for p in range(2, 2 * pixels):
                        total += q[c, p] * h[p]
                    out[at + c * listed * moves] = total - power[c] + known
