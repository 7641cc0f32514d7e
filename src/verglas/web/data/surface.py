"""The surface of a map at a threshold as triangles: surface nets, one vertex in each cell that the surface crosses."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np

from verglas.errors import InputError
from verglas.report.load_classes import MAP_PIXELS
from verglas.report.surface import contour_level
from verglas.web.data.answers import stamp
from verglas.web.data.volume import Volume, open_volume

MOST_VERTICES = 1_500_000
AT_ONCE = BoundedSemaphore(2)
"""numpy leaves the interpreter to others meanwhile; more than two surfaces would leave slices no core."""
CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)])
EDGES = tuple((a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1)


@dataclass(frozen=True)
class Mesh:
    """points (V, 3) voxels of the field (x, y, z), normals (V, 3) outwards, triangles (T, 3) counterclockwise from outside."""

    points: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray


@dataclass(frozen=True)
class Field:
    """data (nz, ny, nx) float32, means of step^3 voxels of the map."""

    data: np.ndarray
    step: int


def open_field(path: Path) -> Field:
    """The map at MAP_PIXELS per side or less."""
    with AT_ONCE:
        return _field(*stamp(path))


@lru_cache(maxsize=8)
def _field(path: str, size: int, time: int) -> Field:
    return reduced(open_volume(Path(path)))


def reduced(volume: Volume) -> Field:
    """One slab after the other, so that a large map is never in memory as a whole."""
    step = -(-max(volume.data.shape) // MAP_PIXELS)
    z, y, x = (side // step for side in volume.data.shape)
    data = np.empty((z, y, x), dtype=np.float32)
    for k in range(z):
        slab = volume.data[k * step : (k + 1) * step, : y * step, : x * step].astype(np.float32)
        data[k] = slab.reshape(step, y, step, x, step).mean(axis=(0, 2, 4))
    return Field(np.nan_to_num(data), step)


def usual_level(field: Field) -> float:
    """Where the surface is drawn at first."""
    return contour_level(field.data)


def mesh(field: Field, level: float) -> Mesh:
    """Of the density above `level`; the outermost voxels count as empty, so that it is closed."""
    with AT_ONCE:
        return _mesh(field, level)


def _mesh(field: Field, level: float) -> Mesh:
    data = np.pad(field.data[1:-1, 1:-1, 1:-1], 1, constant_values=min(level, float(field.data.min())) - 1e-6 * (1 + abs(level)))
    above = data > level
    cells, number = _cells(above)
    if len(cells) > MOST_VERTICES:
        raise InputError(f"the surface at {level:.4g} has {len(cells):,} points, more than can be drawn", remedy="raise the threshold")
    points = _points(data, cells, level)
    triangles = _triangles(above, number)
    return Mesh(points[:, ::-1].astype(np.float32), -_slopes(field.data, points)[:, ::-1], triangles)


def _cells(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) cells (z, y, x) with corners on both sides, and the number of each cell in that list (-1: not in it)."""
    count = np.zeros(tuple(side - 1 for side in above.shape), dtype=np.int8)
    for z, y, x in CORNERS:
        count += above[z : z + count.shape[0], y : y + count.shape[1], x : x + count.shape[2]]
    flat = np.flatnonzero((count > 0) & (count < 8))
    number = np.full(count.size, -1, dtype=np.int32)
    number[flat] = np.arange(len(flat), dtype=np.int32)
    return np.stack(np.unravel_index(flat, count.shape), axis=1), number.reshape(count.shape)


def _points(data: np.ndarray, cells: np.ndarray, level: float) -> np.ndarray:
    """(V, 3) mean of the places where the edges of the cell cross the level."""
    total, hits = np.zeros((len(cells), 3)), np.zeros(len(cells))
    corner = [data[tuple((cells + one).T)] for one in CORNERS]
    for a, b in EDGES:
        crossed = (corner[a] > level) != (corner[b] > level)
        share = np.where(crossed, (level - corner[a]) / np.where(crossed, corner[b] - corner[a], 1.0), 0.0)
        total += crossed[:, None] * (CORNERS[a] + share[:, None] * (CORNERS[b] - CORNERS[a]))
        hits += crossed
    return cells + total / hits[:, None]


def _triangles(above: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(T, 3): for every edge of the grid that is crossed, a quad of the four cells around it."""
    found = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        first, second = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        inside, outside = above[tuple(first)], above[tuple(second)]
        for crossed, leaving in ((inside & ~outside, True), (~inside & outside, False)):
            at = np.argwhere(crossed)
            at[:, u] += 1
            at[:, v] += 1
            ring = []
            for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
                cell = at.copy()
                cell[:, u] -= du
                cell[:, v] -= dv
                ring.append(number[tuple(cell.T)])
            # (z, y, x) is a left-handed order of (x, y, z), so a ring from u to v runs clockwise about the axis
            a, b, c, d = ring if not leaving else ring[::-1]
            found += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
    return np.concatenate(found).astype(np.uint32)


def _slopes(data: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(V, 3) unit vectors (z, y, x) of rising density, by central differences at the nearest voxel of each point's interpolation."""
    step = np.eye(3)
    slope = np.stack([at_points(data, points + one) - at_points(data, points - one) for one in step], axis=1)
    return (slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def at_points(data: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(V,) values by trilinear interpolation at (V, 3) voxels (z, y, x); points outside take the border."""
    limit = np.array(data.shape) - 1
    place = np.clip(points, 0, limit)
    base = np.minimum(place.astype(np.int64), limit - 1)
    part = place - base
    total = np.zeros(len(points))
    for corner in CORNERS:
        weight = np.prod(np.where(corner, part, 1.0 - part), axis=1)
        total += weight * data[tuple((base + corner).T)]
    return total


def colour_values(points: np.ndarray, shape: tuple[int, int, int], other: Field) -> np.ndarray:
    """(V,) of another map over the same box (of any number of voxels) at points (V, 3) (x, y, z) of a field of `shape`."""
    scale = np.array(other.data.shape) / np.array(shape)
    return at_points(other.data, (points[:, ::-1] + 0.5) * scale - 0.5).astype(np.float32)
