"""Posterior over the hypotheses of each image and the few that matter, on the CPU; the definition is `kernels.reference.select`."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True)
def _candidates(logp: np.ndarray, start: np.ndarray, drop: np.ndarray, peak: np.ndarray, best: np.ndarray, count: np.ndarray) -> None:
    for n in prange(len(start) - 1):
        top, where = -np.inf, start[n]
        for i in range(start[n], start[n + 1]):
            if logp[i] > top:
                top, where = logp[i], i
        found = 0
        for i in range(start[n], start[n + 1]):
            found += logp[i] >= top - drop[n]
        peak[n], best[n], count[n] = top, where, found


@njit(parallel=True, cache=True)
def _fill(
    logp: np.ndarray, start: np.ndarray, drop: np.ndarray, peak: np.ndarray, at: np.ndarray, fraction: float, most: int,
    where: np.ndarray, weight: np.ndarray, kept: np.ndarray, evidence: np.ndarray,
) -> None:
    for n in prange(len(start) - 1):
        o, total = at[n], 0.0
        for i in range(start[n], start[n + 1]):
            if logp[i] >= peak[n] - drop[n]:
                where[o] = i
                w = np.exp(np.float64(logp[i]) - peak[n])
                weight[o] = w
                total += w
                o += 1
        evidence[n] = peak[n] + np.log(total)
        order = np.argsort(-weight[at[n] : o])
        cumulative, used = 0.0, 0
        while used < len(order) and used < most and cumulative <= fraction * total:
            cumulative += weight[at[n] + order[used]]
            used += 1
        chosen = np.sort(order[:used])
        for j in range(used):
            where[at[n] + j] = where[at[n] + chosen[j]]
            weight[at[n] + j] = weight[at[n] + chosen[j]] / total
        kept[n] = used


@njit(parallel=True, cache=True)
def _pack(at: np.ndarray, to: np.ndarray, where: np.ndarray, weight: np.ndarray, index: np.ndarray, probability: np.ndarray) -> None:
    for n in prange(len(to) - 1):
        for j in range(to[n + 1] - to[n]):
            index[to[n] + j] = where[at[n] + j]
            probability[to[n] + j] = weight[at[n] + j]


def select(logp: np.ndarray, start: np.ndarray, fraction: float, most: int) -> tuple[np.ndarray, ...]:
    """logp (L,) float32, start (N+1,) int64 -> (start of kept (N+1,), index (K,), probability (K,), evidence (N,), best (N,))."""
    images = len(start) - 1
    size = np.maximum(np.diff(start), 1)
    drop = np.log(size * 100.0 / max(1.0 - fraction, 1e-6))
    peak, best, count = np.empty(images, np.float32), np.empty(images, np.int64), np.empty(images, np.int64)
    _candidates(logp, start, drop, peak, best, count)
    at = np.concatenate([[0], np.cumsum(count)])
    where, weight = np.empty(at[-1], np.int64), np.empty(at[-1], np.float64)
    kept, evidence = np.empty(images, np.int64), np.empty(images, np.float64)
    _fill(logp, start, drop, peak, at, fraction, most, where, weight, kept, evidence)
    to = np.concatenate([[0], np.cumsum(kept)])
    index, probability = np.empty(to[-1], np.int64), np.empty(to[-1], np.float32)
    _pack(at, to, where, weight, index, probability)
    return to, index, probability, evidence, best
