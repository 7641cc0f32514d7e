"""Micrographs with known particles: elongated, lumpy molecules at random angles in coloured noise."""

import numpy as np
from scipy import ndimage

PIXEL = 3.0
DIAMETER = 150.0


def molecule(box: int = 72, pixel: float = PIXEL) -> np.ndarray:
    """An asymmetric projection (box, box), bright, about 150 x 110 Å: three lobes around a core."""
    y, x = (np.mgrid[:box, :box] - box // 2) * pixel
    lobes = ((-38.0, 0.0, 30.0, 1.0), (30.0, 14.0, 24.0, 1.1), (34.0, -26.0, 16.0, 0.8), (0.0, 0.0, 60.0, 0.8))
    return sum(height * np.exp(-(((x - a) ** 2 + (y - b) ** 2) / (2 * (size * 0.7) ** 2)) ** 2) for a, b, size, height in lobes)


def places(size: tuple[int, int], count: int, apart: float, seed: int, margin: float) -> np.ndarray:
    """(count, 2) positions (x, y), no two nearer than `apart` px."""
    rng, found = np.random.default_rng(seed), np.empty((0, 2))
    for _ in range(40 * count):
        one = rng.uniform(margin, np.array(size[::-1]) - margin)
        if len(found) < count and (np.hypot(*(found - one).T) > apart).all():
            found = np.vstack([found, one])
    return found


def micrograph(size: tuple[int, int], xy: np.ndarray, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (ny, nx) with dark particles at xy and their angles (N,) rad, turned so that image(v) = molecule(R(psi) v) in RELION's sense."""
    rng = np.random.default_rng(seed)
    psi, box = rng.uniform(-np.pi, np.pi, len(xy)), 72
    picture = np.zeros((size[0] + 2 * box, size[1] + 2 * box))
    grid = np.mgrid[:box, :box] - box // 2
    shape = ndimage.spline_filter(molecule(), 3)
    for (x, y), angle in zip(xy, psi):
        x0, y0 = round(x), round(y)
        dy, dx = grid[0] - (y - y0), grid[1] - (x - x0)
        c, s = np.cos(angle), np.sin(angle)
        lobe = ndimage.map_coordinates(shape, [s * dx + c * dy + box // 2, c * dx - s * dy + box // 2], order=3, prefilter=False)
        picture[y0 + box // 2 : y0 + 3 * box // 2, x0 + box // 2 : x0 + 3 * box // 2] += lobe
    signal = picture[box:-box, box:-box]
    white = rng.normal(0, noise, size)
    ice = ndimage.gaussian_filter(rng.normal(0, 1, size), 60)
    return (1000.0 - 10.0 * (signal + white + 0.2 * ice / ice.std())).astype(np.float32), psi


def score(found: np.ndarray, true: np.ndarray, tolerance: float) -> tuple[float, float, float]:
    """(recall, false discovery rate, median error px), one to one, nearest first."""
    if not len(found):
        return 0.0, 0.0, np.inf
    distance = np.hypot(*(found[:, None] - true[None]).transpose(2, 0, 1))
    errors = []
    while distance.size and distance.min() < tolerance:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        errors.append(distance[i, j])
        distance[i], distance[:, j] = np.inf, np.inf
    return len(errors) / len(true), 1 - len(errors) / len(found), float(np.median(errors)) if errors else np.inf
