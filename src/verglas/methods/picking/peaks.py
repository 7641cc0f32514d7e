"""Local maxima of a map with sub-pixel positions, and which of them stand when neighbours may not be too near."""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree


def maxima(score: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 2) as (x, y) and heights (N,) of the local maxima (8 neighbours) above `least`, best first."""
    y, x = np.nonzero((score == ndimage.maximum_filter(score, 3, mode="nearest")) & (score > least))
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


def keep_apart(xy: np.ndarray, distance: float) -> np.ndarray:
    """(N,) bool for positions (N, 2), best first: no kept one is within `distance` of a better kept one."""
    keep = np.ones(len(xy), dtype=bool)
    if len(xy) == 0 or distance <= 0:
        return keep
    near = cKDTree(xy).query_ball_point(xy, distance)
    for i in range(len(xy)):
        if keep[i]:
            keep[[j for j in near[i] if j > i]] = False
    return keep


def climb(score: np.ndarray, xy: np.ndarray, reach: float) -> np.ndarray:
    """Each position (N, 2) moved to the local maximum of `score` nearest to it within `reach` px; left where there is none."""
    tops, _ = maxima(score, -np.inf)
    if len(xy) == 0 or len(tops) == 0:
        return xy
    distance, which = cKDTree(tops).query(xy)
    moved: np.ndarray = np.where((distance <= reach)[:, None], tops[which], xy)
    return moved
