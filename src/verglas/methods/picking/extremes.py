"""The best and the worst of many templates at each place, in one pass over their answers."""

import numba
import numpy as np


@numba.njit(cache=True, fastmath=True)
def extremes(z: np.ndarray, best: np.ndarray, decoy: np.ndarray, which: np.ndarray) -> None:  # pragma: no cover
    """best (P,) = max_m z_m, which (P,) int32 its first m, decoy (P,) = max_m -z_m, for answers z (M, P) float32."""
    for p in range(z.shape[1]):
        best[p], decoy[p], which[p] = z[0, p], -z[0, p], 0
    for m in range(1, z.shape[0]):
        for p in range(z.shape[1]):
            value = z[m, p]
            which[p] = m if value > best[p] else which[p]
            best[p] = max(value, best[p])
            decoy[p] = max(-value, decoy[p])
