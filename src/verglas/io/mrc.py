"""MRC maps and image stacks: read whole maps, read images of a stack by number, write both atomically."""

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.atomic import atomic_path
from verglas.io.mrc_header import HEADER_BYTES, MODE_OF, MrcHeader, as_stack, make_header, read_header
from verglas.io.nibbles import unpack_nibbles
from verglas.types import Map


def read_volume(path: Path | str) -> tuple[np.ndarray, MrcHeader]:
    """data (nz, ny, nx) float32, whatever the axis order in the file, and the header."""
    header = read_header(Path(path))
    raw = np.fromfile(path, dtype=np.uint8, count=header.shape[0] * header.image_bytes, offset=header.offset)
    data = decode(raw, header.shape[0], header)
    stored = [3 - axis for axis in header.axes[::-1]]  # position in (z, y, x) of the stored sections, rows, columns
    return np.ascontiguousarray(np.transpose(data, np.argsort(stored))), header


def read_map(path: Path | str) -> Map:
    """A cubic map with cubic voxels; the origin is the header's, or where that is zero its start indices times the voxel size."""
    data, header = read_volume(path)
    if len(set(data.shape)) != 1:
        raise InputError(f"a map of {data.shape[2]} x {data.shape[1]} x {data.shape[0]} voxels, expected a cube", where=str(path),
                         remedy="crop or pad it to a cube")
    voxel = header.voxel
    if min(voxel) <= 0.0:
        raise InputError("the header holds no pixel size (cell or sampling is 0)", where=str(path), remedy="set the pixel size in the header")
    if max(voxel) - min(voxel) > 0.01 * min(voxel):
        raise InputError(f"voxels of {voxel[0]:.4f} x {voxel[1]:.4f} x {voxel[2]:.4f} Å, expected cubic ones", where=str(path),
                         remedy="resample the map on a cubic grid")
    if not np.isfinite(data).all():
        raise DataError("the map contains values that are not numbers (NaN or infinite)", where=str(path), remedy="make the map again")
    return Map(data, voxel[0], _origin(header))


def _origin(header: MrcHeader) -> tuple[float, float, float]:
    """(x, y, z) in Å of the first voxel."""
    if any(header.origin) or not any(header.start):
        return header.origin
    xyz = [0.0, 0.0, 0.0]
    for axis, start, voxel in zip(header.axes, header.start, header.voxel):
        xyz[axis - 1] = start * voxel
    return xyz[0], xyz[1], xyz[2]


def write_map(path: Path | str, volume: Map) -> None:
    """Mode 2, cell = box times pixel size, atomically."""
    data = np.ascontiguousarray(volume.data, dtype="<f4")
    header = make_header((data.shape[0], data.shape[1], data.shape[2]), MODE_OF["float32"], volume.pixel_size, _statistics(data))
    header["origin"] = volume.origin
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as handle:
        handle.write(header.tobytes())
        handle.write(data.data.cast("B"))


def _statistics(data: np.ndarray) -> tuple[float, float, float, float]:
    return float(data.min()), float(data.max()), float(data.mean(dtype=np.float64)), float(data.std(dtype=np.float64))


def decode(raw: np.ndarray, sections: int, header: MrcHeader) -> np.ndarray:
    """Bytes of whole sections (sections * image_bytes,) uint8 -> (sections, ny, nx) float32. 4-bit pixels: low half of each byte first."""
    _, rows, columns = header.shape
    if header.mode != 101:
        return raw.view(header.dtype).reshape(sections, rows, columns).astype(np.float32, copy=False)
    pixels = unpack_nibbles(raw.reshape(sections, rows, header.row_bytes))
    return pixels[..., :columns].astype(np.float32)


class MrcStack:
    """Images of one stack by number. Reads with positioned reads (safe from several threads; resident memory stays small)."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.header = read_header(self.path)
        self._descriptor = os.open(self.path, os.O_RDONLY)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(images, ny, nx)."""
        return self.header.shape

    @property
    def pixel_size(self) -> float:
        """Å; 0 when the file does not say."""
        return self.header.pixel_size

    def mapped(self) -> np.ndarray:
        """(images, ny, nx) as a read-only memory map in the file's own type (not for 4-bit files)."""
        if self.header.mode == 101:
            raise InputError("4-bit images cannot be mapped", where=str(self.path), remedy="use read()")
        return np.memmap(self.path, dtype=self.header.dtype, mode="r", offset=self.header.offset, shape=self.shape)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """(m, ny, nx) float32 of the images `indices` (m,), counted from 0, in any order."""
        return decode(self.read_raw(indices), len(indices), self.header)

    def read_raw(self, indices: np.ndarray) -> np.ndarray:
        """(m * image_bytes,) uint8 of the images, neighbours in the file in one read."""
        indices = np.asarray(indices, dtype=np.int64)
        if len(indices) and (indices.min() < 0 or indices.max() >= self.shape[0]):
            raise InputError(f"image {int(indices.max()) + 1 if indices.min() >= 0 else int(indices.min()) + 1} of {self.shape[0]}",
                             where=str(self.path), remedy="the stack is shorter than the STAR file says: use the stack the STAR file was made from")
        size = self.header.image_bytes
        raw = np.empty(len(indices) * size, dtype=np.uint8)
        breaks = np.flatnonzero(np.diff(indices) != 1) + 1
        for first, last in zip(np.r_[0, breaks], np.r_[breaks, len(indices)]) if len(indices) else ():
            self._fill(raw.data[first * size:last * size], self.header.offset + int(indices[first]) * size)
        return raw

    def _fill(self, buffer: memoryview, offset: int) -> None:
        done = 0
        while done < len(buffer):
            got = os.preadv(self._descriptor, [buffer[done:]], offset + done)
            if got == 0:
                raise DataError("the file became shorter while it was read", where=str(self.path), remedy="do not change input files during a run")
            done += got

    def close(self) -> None:
        """Give the file back; reading afterwards is an error."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()

    def __enter__(self) -> "MrcStack":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


LIMITS = (float(np.finfo(np.float16).min), float(np.finfo(np.float16).max))
"""Of half precision."""


def half_precision(images: np.ndarray) -> np.ndarray:
    """float16, rounded to nearest; beyond +-65504 the largest number instead of infinity, and 0 below 2^-14 (no subnormal numbers)."""
    data = np.clip(images, *LIMITS).astype("<f2", order="C")
    data[np.abs(data) < np.finfo(np.float16).smallest_normal] = 0
    return data


class StackWriter:
    """Write images (m, ny, nx) one block after another; the file gets its name when the `with` block ends well.

    with StackWriter(path, pixel_size=3.54) as stack:
        stack.append(images)
    """

    def __init__(self, path: Path | str, pixel_size: float, dtype: str = "float32") -> None:
        self.path, self.pixel_size = Path(path), pixel_size
        self._dtype, self._mode = np.dtype(dtype).newbyteorder("<"), MODE_OF[dtype]
        self._shape: tuple[int, int] | None = None
        self.count = 0
        self._sums = np.zeros(2)
        self._range = (np.inf, -np.inf)

    def __enter__(self) -> "StackWriter":
        with ExitStack() as exits:
            temporary = exits.enter_context(atomic_path(self.path))
            self._file = exits.enter_context(temporary.open("wb"))
            self._file.write(bytes(HEADER_BYTES))
            self._exits = exits.pop_all()
        return self

    def append(self, images: np.ndarray) -> None:
        """images (m, ny, nx), all blocks of one size."""
        if self._shape not in (None, images.shape[1:]):
            raise InputError(f"images of {images.shape[1:]} in a stack of {self._shape}", where=str(self.path), remedy="write one stack per box size")
        self._shape = (images.shape[1], images.shape[2])
        data = half_precision(images) if self._dtype == np.float16 else np.ascontiguousarray(images, dtype=self._dtype)
        self._file.write(data.view(np.uint8).data.cast("B"))
        self.count += len(data)
        if data.size:
            seen = data if data.dtype != np.float16 else np.clip(images, *LIMITS)  # numpy adds up half-precision numbers twenty times more slowly
            self._sums += (seen.sum(dtype=np.float64), np.square(seen, dtype=np.float64).sum())
            self._range = (min(self._range[0], float(seen.min())), max(self._range[1], float(seen.max())))

    def _finish(self) -> None:
        if not self.count or self._shape is None:
            raise InputError("no images to write", where=str(self.path), remedy="a stack needs at least one image")
        mean, square = self._sums / (self.count * self._shape[0] * self._shape[1])
        statistics = (*self._range, float(mean), float(np.sqrt(max(square - mean**2, 0.0))))
        self._file.seek(0)
        self._file.write(as_stack(make_header((self.count, *self._shape), self._mode, self.pixel_size, statistics)).tobytes())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._exits as exits:
            if kind is not None:
                exits.__exit__(kind, error, trace)  # the temporary file is removed, the error goes on
                return
            self._finish()
