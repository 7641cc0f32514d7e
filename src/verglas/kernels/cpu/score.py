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
        q = np.empty(2 * pixels, np.float32)
        n = image[i]
        listed = start[i + 1] - start[i]
        for c in range(turns):
            u = cut[i] * turns + c
            power = np.float32(0.0)
            for p in range(1, pixels):
                ar, ai, sr, si = a[n, 2 * p], a[n, 2 * p + 1], slices[u, 2 * p], slices[u, 2 * p + 1]
                q[2 * p] = ar * sr + ai * si
                q[2 * p + 1] = ar * si - ai * sr
                power += b[n, p] * (sr * sr + si * si)
            power *= np.float32(0.5)
            at = (start[i] * turns + c * listed) * moves
            for j in range(start[i], start[i + 1]):
                for f in range(moves):
                    h = shifts[shift[j] * moves + f]
                    total = np.float32(0.0)
                    for p in range(2, 2 * pixels):
                        total += q[p] * h[p]
                    out[at] = total - power + prior[j]
                    at += 1
