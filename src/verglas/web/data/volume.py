"""Maps as windows of mapped files: slices in three directions, histogram, difference of two maps."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io.mrc import MrcStack, read_volume
from verglas.web.data.answers import stamp

AXES = ("z", "y", "x")
LARGEST = 1024
"""Pixels of a side of a slice that is sent."""
SAMPLED = 24
"""Sections from which contrast and histogram are taken."""
BINS = 128


@dataclass(frozen=True)
class Volume:
    """data (nz, ny, nx), mapped and of the file's own type; pixel Å (0: unknown); sample (M,) float32 of voxels spread over the map."""

    name: str
    data: np.ndarray
    pixel: float
    sample: np.ndarray

    @property
    def range(self) -> tuple[float, float]:
        """Black and white: the 0.5 and 99.8 percentiles, as in the report."""
        low, high = np.percentile(self.sample, [0.5, 99.8]) if self.sample.size else (0.0, 1.0)
        return float(low), float(max(high, np.nextafter(np.float32(low), np.float32(np.inf))))


def open_volume(path: Path) -> Volume:
    """The map, opened once for as long as the file stays as it is."""
    return _opened(*stamp(path))


@lru_cache(maxsize=8)
def _opened(path: str, size: int, time: int) -> Volume:
    with MrcStack(path) as stack:
        header = stack.header
        if header.mode == 101:
            data, _ = read_volume(path)
        else:
            stored = [3 - axis for axis in header.axes[::-1]]
            data = np.transpose(stack.mapped(), np.argsort(stored))
    if min(data.shape) < 2:
        raise InputError(f"{data.shape[2]} x {data.shape[1]} x {data.shape[0]} voxels, expected a map", where=Path(path).name,
                         remedy="look at images with the viewer of micrographs or particles")
    return Volume(Path(path).name, data, header.pixel_size, sampled(data))


def sampled(data: np.ndarray) -> np.ndarray:
    """Finite voxels of some sections, thinned so that there are about 250,000."""
    sections = np.unique(np.linspace(0, len(data) - 1, min(SAMPLED, len(data))).round().astype(int))
    step = max(1, int(np.sqrt(len(sections) * data.shape[1] * data.shape[2] / 250_000)))
    values = np.concatenate([data[one, ::step, ::step].ravel() for one in sections]).astype(np.float32)
    return values[np.isfinite(values)]


def section(volume: Volume, axis: int, index: int) -> np.ndarray:
    """(H, W) float32: (y, x) along z, (z, x) along y, (z, y) along x; every n-th pixel of very large maps."""
    if not 0 <= index < volume.data.shape[axis]:
        raise InputError(f"slice {index} along {AXES[axis]}, there are 0 to {volume.data.shape[axis] - 1}", where=volume.name)
    step = -(-max(volume.data.shape) // LARGEST)
    return np.asarray(np.moveaxis(volume.data, axis, 0)[index, ::step, ::step], dtype=np.float32)


def difference(volume: Volume, other: Volume, axis: int, index: int) -> np.ndarray:
    """a - s b with the scale s and offset that bring b closest to a over the sampled voxels, so that two grey scales compare."""
    if volume.data.shape != other.data.shape:
        raise InputError(f"boxes of {volume.data.shape[2]} and {other.data.shape[2]} voxels cannot be subtracted", where=other.name,
                         remedy="bring them on one grid with `verglas map resize`")
    scale, offset = fitted(volume, other)
    return section(volume, axis, index) - (np.float32(scale) * section(other, axis, index) + np.float32(offset))


def fitted(volume: Volume, other: Volume) -> tuple[float, float]:
    """Scale and offset of `other` by least squares."""
    if volume.sample.shape != other.sample.shape:
        raise InputError("one of the maps holds values that are not numbers", where=other.name, remedy="make the map again")
    a, b = volume.sample.astype(np.float64), other.sample.astype(np.float64)
    spread = float(np.var(b))
    scale = float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0 else 0.0
    return scale, float(a.mean() - scale * b.mean())


def shaded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """uint8 from black at `low` to white at `high` (which may be the lower one), rows turned so that the first one is at the bottom."""
    span = high - low if high != low else 1e-30
    with np.errstate(over="ignore"):
        part = (np.nan_to_num(values[::-1], nan=low) - low) / span
    return (255.0 * np.clip(part, 0.0, 1.0)).astype(np.uint8)


def histogram(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Counts (BINS,) and edges (BINS + 1,) over the sampled voxels."""
    return np.histogram(volume.sample, BINS)


def warm(path: Path) -> None:
    """Ask the system to read the file ahead, so that slices across it come from memory."""
    import os

    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)
