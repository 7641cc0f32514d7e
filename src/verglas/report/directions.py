"""Viewing directions: point-group copies, binning on the sphere, evenness of Fourier coverage (no torch)."""

from math import cos, pi, sin, sqrt

import numpy as np

from verglas.report.data import Coverage

_PHI = (1.0 + sqrt(5.0)) / 2.0
_AXES: dict[str, tuple[tuple[tuple[float, float, float], int], ...]] = {
    "T": (((0, 0, 1), 3), ((0, sqrt(2.0), 1), 2)),
    "O": (((0, 0, 1), 4), ((1, 1, 1), 3)),
    "I1": (((1, 0, 0), 2), ((_PHI, 0, -1), 5)),
    "I2": (((0, 0, 1), 2), ((1, 0, _PHI), 5)),
    "I3": (((0, 0, 1), 5), ((-1, 0, _PHI), 2)),
    "I4": (((1, 0, _PHI), 2), ((2, 0, 1), 5)),
}
"""Generating axes in RELION's orientation; a test keeps them equal to core.symmetry, which needs torch."""

ROWS = 30
"""Bins are 6° high in tilt and about 6° wide: 1148 on the whole sphere."""
MOST_DIRECTIONS = 600_000


def rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    """(3, 3): right-handed turn by `angle` radians about `axis` (Rodrigues)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + sin(angle) * k + (1 - cos(angle)) * (k @ k)


def point_group(symbol: str) -> np.ndarray:
    """(S, 3, 3) rotations of a point group, identity first; the identity alone for a name we do not know."""
    name = symbol.strip().upper() or "C1"
    name = "I2" if name == "I" else name
    if name[0] in "CD" and name[1:].isdigit() and int(name[1:]) > 0:
        axes = (((0.0, 0.0, 1.0), int(name[1:])),) + ((((1.0, 0.0, 0.0), 2),) if name[0] == "D" else ())
    else:
        axes = _AXES.get(name, ())
    group = np.eye(3)[None]
    generators = [rotation(axis, 2 * pi / order) for axis, order in axes]
    while True:
        products = [group, *(group @ one for one in generators)]
        larger = _distinct(np.concatenate(products))
        if len(larger) == len(group):
            return group
        group = larger


def _distinct(matrices: np.ndarray) -> np.ndarray:
    _, first = np.unique(np.round(matrices.reshape(-1, 9), 5) + 0.0, axis=0, return_index=True)
    return matrices[np.sort(first)]


def viewing_directions(angles: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors (sin tilt cos rot, sin tilt sin rot, cos tilt) from RELION's angles (N, 3) in radians."""
    rot, tilt = angles[:, 0], angles[:, 1]
    return np.stack([np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)], axis=1)


def with_mates(directions: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(N S, 3): every direction d with its symmetry mates R^T d; large sets are thinned evenly."""
    step = max(1, -(-len(directions) * len(group) // MOST_DIRECTIONS))
    return np.einsum("sji,nj->nsi", group, directions[::step]).reshape(-1, 3)


def binned(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (M, 3) and shares (M,), of sum 1, of the occupied bins.

    Rows have equal height in tilt and as many columns as fit.
    """
    tilts = (np.arange(ROWS) + 0.5) * pi / ROWS
    columns = np.maximum(3, np.rint(2 * ROWS * np.sin(tilts))).astype(int)
    start = np.concatenate([[0], np.cumsum(columns)])
    row = np.minimum((np.arccos(np.clip(directions[:, 2], -1, 1)) / pi * ROWS).astype(int), ROWS - 1)
    turn = np.arctan2(directions[:, 1], directions[:, 0]) / (2 * pi) % 1.0
    count = np.bincount(
        start[row] + np.minimum((turn * columns[row]).astype(int), columns[row] - 1), minlength=start[-1]
    )
    full = np.flatnonzero(count)
    row = np.searchsorted(start, full, side="right") - 1
    phi = (full - start[row] + 0.5) / columns[row] * 2 * pi
    tilt = tilts[row]
    centres = np.stack([np.sin(tilt) * np.cos(phi), np.sin(tilt) * np.sin(phi), np.cos(tilt)], axis=1)
    return centres, count[full] / max(1, count.sum())


def density(points: np.ndarray, centres: np.ndarray, shares: np.ndarray, width: float) -> np.ndarray:
    """Smoothed density at unit vectors q (P, 3), relative to an even one.

    4 pi sum_b h_b k(q . n_b) with the von Mises-Fisher kernel k of concentration 1 / width², width in radians.
    """
    kappa = np.float32(1 / width**2)
    near = points.astype(np.float32) @ (kappa * centres.T).astype(np.float32)
    near -= kappa
    np.exp(near, out=near)
    return near @ shares.astype(np.float32) * (2 * kappa / (1 - np.exp(-2 * kappa)))


def half_sphere(count: int) -> np.ndarray:
    """(count, 3) evenly spread unit vectors with z > 0 (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, phi = 1 - k / count, k * pi * (3 - sqrt(5.0))
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)


def fourier_coverage(angles: np.ndarray, symmetry: str) -> Coverage:
    """Evenness of the sampling of Fourier space by central slices, from angles (N, 3) radians.

    A view along n samples the directions q with q . n = 0; s(q) = sum_n exp(-(q . n)² / 2 w²), w = sin 3°.
    Evenness = harmonic mean / mean of s over q, 1 when even: the factor by which uneven views lower the signal-to-noise
    ratio (sampling compensation factor: Baldwin & Lyumkis, Prog Biophys Mol Biol 2020). `lowest`: min s / mean s;
    `empty`: share of directions with s below a tenth of the mean.
    """
    centres, shares = binned(with_mates(viewing_directions(angles), point_group(symmetry)))
    dots = half_sphere(1500) @ centres.T
    s = np.exp(-0.5 * (dots / sin(3 * pi / 180)) ** 2) @ shares
    s = s / s.mean()
    evenness = 1.0 / np.mean(1.0 / np.maximum(s, 0.01))
    return Coverage(float(evenness), float(s.min()), float(np.mean(s < 0.1)), symmetry.strip().upper() or "C1")
