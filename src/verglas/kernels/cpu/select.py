"""Posterior over the hypotheses of each image on the CPU; the definitions are in `kernels.reference.select`."""

import numpy as np
from numba import njit, prange

BINS = 2048
"""Bins of log-probability in which the threshold is first looked for."""


@njit(parallel=True, cache=True)
def threshold(
    logp: np.ndarray, start: np.ndarray, fraction: float, most: int, least: np.ndarray, evidence: np.ndarray, best: np.ndarray
) -> None:
    """Fills least, evidence (N,) float64 and best (N,) int64. A histogram finds the bin of the threshold, a sort of that bin the value."""
    for n in prange(len(start) - 1):
        first, last = start[n], start[n + 1]
        top, where = -np.inf, first
        for i in range(first, last):
            if logp[i] > top:
                top, where = logp[i], i
        best[n] = where
        drop = np.log(max(last - first, 1) * 100.0 / max(1.0 - fraction, 1e-6))
        scale = BINS / drop
        mass, count = np.zeros(BINS + 1), np.zeros(BINS + 1, np.int64)
        for i in range(first, last):
            below = np.float64(top) - logp[i]
            if below <= drop:
                k = int(below * scale)
                mass[k] += np.exp(-below)
                count[k] += 1
        total = mass.sum()
        evidence[n] = top + np.log(total)
        k, sum_before, count_before = 0, 0.0, 0
        while k < BINS and sum_before + mass[k] <= fraction * total and count_before + count[k] < most:
            sum_before += mass[k]
            count_before += count[k]
            k += 1
        inside = np.empty(count[k], np.float64)
        used = 0
        for i in range(first, last):
            below = np.float64(top) - logp[i]
            if below <= drop and int(below * scale) == k:
                inside[used] = below
                used += 1
        inside.sort()
        at = 0
        while at < used - 1 and sum_before + np.exp(-inside[at]) <= fraction * total and count_before + at + 1 < most:
            sum_before += np.exp(-inside[at])
            at += 1
        least[n] = top - inside[at] if used > 0 else top - drop


@njit(parallel=True, cache=True)
def highest(logp: np.ndarray, start: np.ndarray, value: np.ndarray, where: np.ndarray) -> None:
    """Fills the largest logp of each image (N,) and its position (N,)."""
    for n in prange(len(start) - 1):
        top, at = logp[start[n]], start[n]
        for i in range(start[n] + 1, start[n + 1]):
            if logp[i] > top:
                top, at = logp[i], i
        value[n], where[n] = top, at


@njit(parallel=True, cache=True)
def count(logp: np.ndarray, start: np.ndarray, least: np.ndarray, kept: np.ndarray) -> None:
    """kept (N,): how many reach the threshold."""
    for n in prange(len(start) - 1):
        found = 0
        for i in range(start[n], start[n + 1]):
            found += logp[i] >= least[n]
        kept[n] = found


@njit(parallel=True, cache=True)
def compact(logp: np.ndarray, start: np.ndarray, least: np.ndarray, to: np.ndarray, index: np.ndarray) -> None:
    """index[to[n]:to[n+1]]: the positions of those that reach the threshold."""
    for n in prange(len(start) - 1):
        o = to[n]
        for i in range(start[n], start[n + 1]):
            if logp[i] >= least[n]:
                index[o] = i
                o += 1


@njit(parallel=True, cache=True)
def weigh(logp: np.ndarray, start: np.ndarray, least: np.ndarray, evidence: np.ndarray) -> None:
    """In place: exp(logp - evidence), 0 below the threshold."""
    for n in prange(len(start) - 1):
        for i in range(start[n], start[n + 1]):
            logp[i] = np.exp(logp[i] - evidence[n]) if logp[i] >= least[n] else 0.0
