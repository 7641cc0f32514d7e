"""A shaded picture of a map's surface, for the eye only: first hit along each ray, lit from the upper left."""

import numpy as np

LIGHT = np.array([0.66, 0.52, -0.54]) / np.linalg.norm([0.66, 0.52, -0.54])
"""Towards the viewer, up, right."""
NEAR, FAR = np.array([226.0, 244.0, 250.0]), np.array([20.0, 74.0, 104.0])
DEVIATIONS = 3.0
PIXELS = 180
"""Wanted side of a picture."""


def contour_level(data: np.ndarray) -> float:
    """Mean plus three standard deviations of the whole box, a usual first contour for a map with a few % protein."""
    return float(data.mean(dtype=np.float64) + DEVIATIONS * data.std(dtype=np.float64))


def surfaces(data: np.ndarray, window: int = 0) -> tuple[float, tuple[np.ndarray, ...]]:
    """Width of the pictures in voxels of data (B, B, B), and the views along z, y and x; `window`: of reach(), 0 for its own."""
    level = contour_level(data)
    part = central(data, window or reach(data, level))
    fine = enlarged(part, max(1, PIXELS // len(part)))
    return float(len(part)), tuple(surface(fine, axis, level) for axis in range(3))


def reach(data: np.ndarray, level: float) -> int:
    """Half the side in voxels of the central cube that holds 99 % of the voxels above `level`, with a margin."""
    centre = len(data) // 2
    away = np.abs(np.argwhere(data > level) - centre).max(axis=1)
    return min(centre, int(np.percentile(away, 99)) + 4) if away.size else centre


def central(data: np.ndarray, half: int) -> np.ndarray:
    """The central cube of side 2 `half`."""
    inside = slice(len(data) // 2 - half, len(data) // 2 + half)
    return data[inside, inside, inside]


def enlarged(data: np.ndarray, factor: int) -> np.ndarray:
    """(B, B, B) -> (f B, f B, f B) by padding its Fourier transform, so that surfaces are smooth."""
    if factor == 1:
        return data
    side, half = len(data), len(data) // 2
    small, big = np.fft.rfftn(data), np.zeros((factor * side, factor * side, factor * half + 1), dtype=np.complex64)
    for low, high in ((slice(0, half), slice(0, half)), (slice(-half, None), slice(0, half)),
                      (slice(0, half), slice(-half, None)), (slice(-half, None), slice(-half, None))):
        big[low, high, :half] = small[low, high, :half]
    return np.fft.irfftn(big, s=(factor * side,) * 3, axes=(0, 1, 2)).astype(np.float32) * np.float32(factor**3)


def surface(data: np.ndarray, axis: int, level: float) -> np.ndarray:
    """(B, B, 4) uint8, data (B, B, B) seen along `axis` (0 z, 1 y, 2 x); first row at the bottom, clear where no hit.

    The viewer is at high z, low y or high x: only so do (right, up) = (x, y), (x, z), (y, z) keep the hand.
    """
    towards = np.moveaxis(data, axis, 0)
    volume = towards if axis == 1 else towards[::-1]
    above = volume[1:-1, 1:-1, 1:-1] > level
    hit = above.argmax(axis=0) + 1
    rows, columns = np.meshgrid(*(np.arange(1, side - 1) for side in volume.shape[1:]), indexing="ij")
    before, at = volume[hit - 1, rows, columns], volume[hit, rows, columns]
    part = np.clip((level - before) / np.maximum(at - before, 1e-30), 0.0, 1.0)
    slope = np.stack([
        volume[hit - 1, rows, columns] - volume[hit + 1, rows, columns],
        volume[hit, rows - 1, columns] - volume[hit, rows + 1, columns],
        volume[hit, rows, columns - 1] - volume[hit, rows, columns + 1],
    ], axis=-1) * np.array([-1.0, 1.0, 1.0])
    normal = slope / np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-30)
    return shaded(normal, hit - 1 + part, np.asarray(above.any(axis=0)))


def shaded(normal: np.ndarray, depth: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Lambert light on normals (H, W, 3), darker with depth (H, W) -> RGBA uint8 with a border of one transparent pixel."""
    light = np.clip(normal @ LIGHT, 0.0, 1.0) * 0.8 + 0.2
    near, far = np.percentile(depth[seen], [1, 99]) if seen.any() else (0.0, 1.0)
    fog = 1.0 - 0.55 * np.clip((depth - near) / max(far - near, 1e-9), 0.0, 1.0)
    strength = (light * fog)[..., None]
    picture = np.zeros((*np.array(depth.shape) + 2, 4), dtype=np.uint8)
    picture[1:-1, 1:-1, :3] = np.rint(FAR + (NEAR - FAR) * strength)
    picture[1:-1, 1:-1, 3] = 255 * seen
    return picture
