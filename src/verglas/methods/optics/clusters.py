"""Groups of points in the plane that lie close together."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree

FLOOR = 0.005
"""Distances below this share of the extent are taken for the same point: noise of the microscope's read-out."""
GAP = 2.0
"""Groups are at least so many times farther apart than neighbours within one."""


def clusters(points: np.ndarray, number: int | None = None) -> np.ndarray:
    """(N,) group from 0, numbered from left to right and upwards, of points (N, 2): single linkage.

    `number` None: cut at the largest ratio of successive link lengths, if it is at least GAP; otherwise all are one group.
    """
    extent = float(np.ptp(points, axis=0).max())
    if extent == 0 or len(points) < 2:
        return np.zeros(len(points), dtype=np.int64)
    centres, place = _merged(points, FLOOR * extent)
    if len(centres) == 1:
        return np.zeros(len(points), dtype=np.int64)
    links = linkage(centres, "single")
    if number is not None:
        label = fcluster(links, number, "maxclust")
    else:
        lengths = np.r_[FLOOR * extent, np.sort(links[:, 2])]
        ratio = lengths[1:] / np.maximum(lengths[:-1], FLOOR * extent)
        widest = int(np.argmax(ratio))
        cut = np.sqrt(lengths[widest] * lengths[widest + 1]) if ratio[widest] >= GAP else np.inf
        label = fcluster(links, cut, "distance")
    return _in_order(points, label[place])


def _merged(points: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """(a point of each neighbourhood, which one each point is in): thousands of exposures share a few hundred positions."""
    place = np.full(len(points), -1)
    chosen: list[int] = []
    tree = cKDTree(points)
    for i in range(len(points)):
        if place[i] < 0:
            near = np.array(tree.query_ball_point(points[i], distance))
            place[near[place[near] < 0]] = len(chosen)
            chosen.append(i)
    return points[chosen], place


def _in_order(points: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Numbers that do not depend on the order of the points: by the mean x, then y, of each group."""
    code = np.unique(label, return_inverse=True)[1]
    count = np.bincount(code)
    means = np.stack([np.bincount(code, points[:, axis]) / count for axis in (0, 1)], axis=1)
    extent = np.ptp(points, axis=0).max()
    order = np.lexsort((means[:, 1], np.round(means[:, 0] / (2 * FLOOR * extent))))
    return np.argsort(order)[code].astype(np.int64)
