"""MRC movies, plain (any frame, any order) or compressed (one after the other)."""

import bz2
import lzma
from contextlib import suppress
from io import BufferedIOBase, BytesIO
from pathlib import Path
from threading import Lock

import imagecodecs
import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.mrc import MrcStack
from verglas.io.mrc_header import HEADER_BYTES, MrcHeader, parse_header
from verglas.io.nibbles import unpack_nibbles

_CHUNK = 1 << 24


def _as_stored(raw: np.ndarray, header: MrcHeader) -> np.ndarray:
    """(image_bytes,) uint8 -> (ny, nx) in the type of the file and the byte order of this machine; 4-bit pixels as uint8."""
    _, rows, columns = header.shape
    if header.mode == 101:
        return np.ascontiguousarray(unpack_nibbles(raw.reshape(rows, header.row_bytes))[:, :columns])
    pixels = raw.view(header.dtype).reshape(rows, columns)
    return pixels.astype(header.dtype.newbyteorder("="), copy=False)


class MrcFrames:
    """The sections of one MRC file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = MrcStack(path)
        self.count, *_ = self._stack.shape
        self.shape = self._stack.shape[1:]

    def read(self, frame: int) -> np.ndarray:
        """(ny, nx) in the type of the file."""
        return _as_stored(self._stack.read_raw(np.array([frame])), self._stack.header)


class CompressedMrcFrames:
    """The sections of a .bz2, .xz or .zst file. Going back means starting again from the beginning: read the frames in order.

    bz2 and xz are decoded as a stream; zst in one go, so the decoded movie is held in memory.
    """

    sequential = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._stream = self._start()
        raw = self._take(HEADER_BYTES)
        if len(raw) < HEADER_BYTES:
            raise DataError(f"{len(raw)} bytes after decompression, shorter than an MRC header ({HEADER_BYTES})", where=str(path),
                            remedy="copy or make the file again")
        self._header = parse_header(raw.tobytes(), str(path))
        self.count, *_ = self._header.shape
        self.shape = self._header.shape[1:]
        self._rewind()

    def _start(self) -> BufferedIOBase:
        try:
            if self.path.suffix.lower() == ".bz2":
                return bz2.open(self.path)
            if self.path.suffix.lower() == ".xz":
                return lzma.open(self.path)
            return BytesIO(imagecodecs.zstd_decode(self.path.read_bytes()))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=str(self.path), remedy="check the path and its permissions") from error
        except (imagecodecs.ZstdError, MemoryError) as error:
            raise DataError(f"cannot be decompressed: {error}", where=str(self.path), remedy="copy or make the file again") from error

    def _rewind(self) -> None:
        """To the first byte of the first frame."""
        self._stream.seek(0)
        self._skip(self._header.offset)
        self._next = 0

    def _take(self, count: int) -> np.ndarray:
        """The next `count` bytes, fewer at the end of what can be decompressed."""
        out = np.empty(count, dtype=np.uint8)
        done = 0
        with suppress(EOFError, OSError, lzma.LZMAError):
            while done < count and (got := self._stream.readinto(out.data[done:])):
                done += got
        return out[:done]

    def _skip(self, count: int) -> None:
        while count and len(got := self._take(min(count, _CHUNK))):
            count -= len(got)

    def read(self, frame: int) -> np.ndarray:
        """(ny, nx) in the type of the file."""
        if not 0 <= frame < self.count:
            raise InputError(f"frame {frame + 1} of {self.count}", where=str(self.path))
        with self._lock:
            if frame < self._next:
                self._rewind()
            size, self._next = self._header.image_bytes, self.count + 1
            before = self._header.offset + frame * size
            self._skip(before - self._stream.tell())
            raw = self._take(size)
            if len(raw) < size:
                readable = max(self._stream.tell() - self._header.offset, 0) // size
                raise DataError(f"truncated or damaged: the header promises {self.count} frames, but {readable} frames are readable",
                                where=str(self.path), remedy="copy or make the file again")
            self._next = frame + 1
        return _as_stored(raw, self._header)

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()
