"""Particles that were picked twice."""

import numpy as np
from scipy.spatial import cKDTree


def distinct(micrograph: np.ndarray, centre: np.ndarray, distance: float, quality: np.ndarray) -> np.ndarray:
    """(N,) bool: the rows to keep so that no two of one micrograph lie within `distance` of each other (<=).

    micrograph (N,) codes, centre (N, 2) in the unit of `distance`, quality (N,): the larger one stays, of equals the first.
    Greedy: a row is kept unless a better row that is itself kept lies within the distance.
    """
    apart = np.column_stack([centre, micrograph * (4.0 * distance + 1.0)])
    pairs = cKDTree(apart).query_pairs(distance, output_type="ndarray")
    rank = np.empty(len(quality), dtype=np.int64)
    rank[np.argsort(-quality, kind="stable")] = np.arange(len(quality))
    ordered = np.sort(rank[pairs], axis=1)
    ordered = ordered[np.argsort(ordered[:, 0], kind="stable")]
    keep = np.ones(len(quality), dtype=bool)
    for better, worse in ordered.tolist():
        if keep[better]:
            keep[worse] = False
    return keep[rank]
