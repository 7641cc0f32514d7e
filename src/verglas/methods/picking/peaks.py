"""Local maxima of a map with sub-pixel positions, and which of them stand when neighbours may not be too near."""

import numba
import numpy as np
from scipy.spatial import cKDTree


def maxima(score: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 2) as (x, y) and heights (N,) of the local maxima (8 neighbours) above `least`, best first."""
    y, x = np.nonzero(_summits(np.ascontiguousarray(score, dtype=np.float64 if score.dtype == np.float64 else np.float32), least))
    height = score[y, x]
    order = np.argsort(-height, kind="stable")
    y, x, height = y[order], x[order], height[order]
    inner_y, inner_x = np.clip(y, 1, max(score.shape[0] - 2, 1)), np.clip(x, 1, max(score.shape[1] - 2, 1))
    ok = (inner_y == y) & (inner_x == x)
    dx = _vertex(score[inner_y, inner_x - 1], height, score[inner_y, inner_x + 1])
    dy = _vertex(score[inner_y - 1, inner_x], height, score[inner_y + 1, inner_x])
    return np.stack([x + dx * ok, y + dy * ok], axis=1), height


def _vertex(before: np.ndarray, at: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where the parabola through (-1, before), (0, at), (1, after) is highest, within half a pixel."""
    curve = before - 2.0 * at + after
    return np.clip(np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, -1.0), 0.0), -0.5, 0.5)


@numba.njit(cache=True)
def _summits(score: np.ndarray, least: float) -> np.ndarray:  # pragma: no cover
    """(rows, columns) bool: above `least` and no lower than any of the 8 neighbours."""
    rows, columns = score.shape
    top = np.zeros((rows, columns), dtype=np.bool_)
    for y in range(rows):
        for x in range(columns):
            here = score[y, x]
            if here > least:
                highest = True
                for v in range(max(y - 1, 0), min(y + 2, rows)):
                    for u in range(max(x - 1, 0), min(x + 2, columns)):
                        highest &= score[v, u] <= here
                top[y, x] = highest
    return top


def keep_apart(xy: np.ndarray, distance: float) -> np.ndarray:
    """(N,) bool for positions (N, 2), best first: no kept one is within `distance` of a better kept one."""
    if len(xy) == 0 or distance <= 0:
        return np.ones(len(xy), dtype=bool)
    cell = np.floor((xy - xy.min(0)) / distance).astype(np.int64)
    return np.asarray(_greedy(np.ascontiguousarray(xy, dtype=np.float64), cell, tuple(cell.max(0) + 1), distance))


@numba.njit(cache=True)
def _greedy(xy: np.ndarray, cell: np.ndarray, shape: tuple[int, int], distance: float) -> np.ndarray:  # pragma: no cover
    """Kept ones lie in lists by cells of `distance`, so that only those of 9 cells are compared with."""
    first, following = np.full(shape, -1), np.full(len(xy), -1)
    keep = np.zeros(len(xy), dtype=np.bool_)
    for i in range(len(xy)):
        a, b = cell[i]
        free = True
        for u in range(max(a - 1, 0), min(a + 2, shape[0])):
            for v in range(max(b - 1, 0), min(b + 2, shape[1])):
                j = first[u, v]
                while j >= 0 and free:
                    free = (xy[i, 0] - xy[j, 0]) ** 2 + (xy[i, 1] - xy[j, 1]) ** 2 > distance**2
                    j = following[j]
        if free:
            keep[i] = True
            following[i], first[a, b] = first[a, b], i
    return keep


def climb(score: np.ndarray, xy: np.ndarray, reach: float) -> np.ndarray:
    """Each position (N, 2) moved to the local maximum of `score` nearest to it within `reach` px; left where there is none."""
    tops, _ = maxima(score, -np.inf)
    if len(xy) == 0 or len(tops) == 0:
        return xy
    distance, which = cKDTree(tops).query(xy)
    moved: np.ndarray = np.where((distance <= reach)[:, None], tops[which], xy)
    return moved
