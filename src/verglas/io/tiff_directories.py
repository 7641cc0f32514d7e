"""The chain of directories of a TIFF or BigTIFF file, one per frame, checked against the size of the file.

Cheaper than a full TIFF reader (an EER movie has thousands of directories), and it tells a truncated file from a short one.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import DataError, InputError

WIDTH, HEIGHT, COMPRESSION = 256, 257, 259
RUN_BITS, X_BITS, Y_BITS = 65007, 65008, 65009
"""Of EER frames."""
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325
_WANTED = (WIDTH, HEIGHT, COMPRESSION, RUN_BITS, X_BITS, Y_BITS, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES)
_MOST_VALUES = 1 << 20
_SIZES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of the integer types."""
_FIRST_READ = 1024


class _Broken(Exception):
    """Why a directory cannot be read."""


@dataclass(frozen=True)
class Directory:
    """The tags of one image that we need, by number, and the (offset, bytes) of its strips or tiles in the file."""

    tags: dict[int, tuple[int, ...]]
    segments: tuple[tuple[int, int], ...]

    def tag(self, number: int, default: int = 0) -> int:
        """The first value of a tag."""
        return (self.tags.get(number) or (default,))[0]

    def within(self, size: int) -> bool:
        """Whether a file of `size` bytes holds all of the data."""
        return all(start + length <= size for start, length in self.segments)


def read_directories(path: Path) -> list[Directory]:
    """Every directory of the file; one that ends before the last of them is a DataError that says how many of its frames are readable.

    The data of the last frames may still be missing: see `cut_off`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    try:
        return _Walk(descriptor, path).directories()
    finally:
        os.close(descriptor)


def cut_off(path: Path, directories: list[Directory]) -> list[int]:
    """Numbers (from 0) of the images whose data lie beyond the end of the file."""
    size = path.stat().st_size
    return [number for number, one in enumerate(directories) if not one.within(size)]


def incomplete(path: Path, why: str, found: list[Directory]) -> DataError:
    """The error for a file that lacks something."""
    size = path.stat().st_size
    readable = sum(one.within(size) for one in found)
    return DataError(f"truncated or damaged: {why} ({size} bytes); {readable} frames are readable", where=str(path),
                     remedy="copy the file again; if it was still being written, wait until it is complete")


class _Walk:
    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor, self.path, self.size = descriptor, path, os.fstat(descriptor).st_size
        head = os.pread(descriptor, 16, 0)
        self.order = {b"II": "little", b"MM": "big"}.get(head[:2], "")
        version = self._number(head[2:4]) if self.order and len(head) >= 8 else 0
        if version not in (42, 43) or (version == 43 and len(head) < 16):
            raise DataError("this is not a TIFF file: it does not begin with a TIFF header", where=str(path), remedy="check that the path is right")
        self.big = version == 43
        self.first = self._number(head[8:16] if self.big else head[4:8])

    def _number(self, raw: bytes) -> int:
        return int.from_bytes(raw, self.order)  # type: ignore[arg-type]

    def directories(self) -> list[Directory]:
        found: list[Directory] = []
        seen: set[int] = set()
        offset = self.first
        try:
            while offset:
                if offset in seen:
                    raise _Broken(f"the directory of frame {len(found) + 1} is that of an earlier frame")
                seen.add(offset)
                directory, offset = self._directory(offset)
                found.append(directory)
        except _Broken as error:
            raise incomplete(self.path, str(error), found) from error
        if not found:
            raise DataError("holds no image (the offset of its first directory is 0)", where=str(self.path),
                            remedy="it was not finished when it was written or copied: copy or make the file again")
        return found

    def _bytes(self, offset: int, length: int, what: str) -> bytes:
        if offset + length > self.size:
            raise _Broken(f"{what} lies beyond its end")
        return os.pread(self.descriptor, length, offset)

    def _directory(self, offset: int) -> tuple[Directory, int]:
        """The directory at `offset` and the offset of the next one (0: none)."""
        count_bytes, entry_bytes, pointer = (8, 20, 8) if self.big else (2, 12, 4)
        raw = os.pread(self.descriptor, _FIRST_READ, offset) if offset < self.size else b""
        entries = self._number(raw[:count_bytes])
        length = count_bytes + entries * entry_bytes + pointer
        if len(raw) < count_bytes or length > len(raw):
            raw = self._bytes(offset, max(length, count_bytes), "a directory")
        tags: dict[int, tuple[int, ...]] = {}
        for i in range(entries):
            entry = raw[count_bytes + i * entry_bytes:count_bytes + (i + 1) * entry_bytes]
            number, kind = self._number(entry[:2]), self._number(entry[2:4])
            if number in _WANTED and kind in _SIZES:
                tags[number] = self._values(entry, _SIZES[kind])
        return Directory(tags, self._segments(tags)), self._number(raw[length - pointer:length])

    def _values(self, entry: bytes, size: int) -> tuple[int, ...]:
        inline = 8 if self.big else 4
        count = self._number(entry[4:4 + inline])
        if count > _MOST_VALUES:
            raise _Broken(f"a tag of a directory has {count} values")
        values = entry[4 + inline:]
        if count * size > inline:
            values = self._bytes(self._number(values), count * size, "a tag of a directory")
        return tuple(self._number(values[i:i + size]) for i in range(0, count * size, size))

    def _segments(self, tags: dict[int, tuple[int, ...]]) -> tuple[tuple[int, int], ...]:
        offsets = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
        lengths = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES) or ()
        if not offsets or len(offsets) != len(lengths):
            raise _Broken(f"a directory has {len(offsets)} data blocks with {len(lengths)} sizes")
        return tuple(zip(offsets, lengths))
