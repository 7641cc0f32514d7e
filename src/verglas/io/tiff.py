"""TIFF movies and images: rows are turned over on reading, so that arrays are in the order of an MRC file."""

from pathlib import Path
from threading import RLock

import numpy as np
import tifffile

from verglas.errors import DataError, InputError
from verglas.io.nibbles import unpack_nibbles
from verglas.io.tiff_directories import COMPRESSION, cut_off, incomplete, read_directories

_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")
_EER = (65000, 65001, 65002)
_PACKED = {(5760, 8184), (8184, 5760), (4092, 11520), (11520, 4092), (3710, 7676), (7676, 3710), (3838, 7420), (7420, 3838)}
"""Stored (width, height) of 8-bit images that IMOD and SerialEM use for two 4-bit pixels to a byte: there is no other mark."""


class TiffFrames:
    """The pages of one TIFF file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        directories = read_directories(path)
        if directories[0].tag(COMPRESSION) in _EER:
            raise InputError("an EER movie under the name of a TIFF file", where=str(path), remedy="give it a name that ends in .eer")
        cut = cut_off(path, directories)
        if cut:
            raise incomplete(path, f"the data of frame {cut[0] + 1} of {len(directories)} lie beyond its end", directories)
        self._lock = RLock()
        try:
            self._file = tifffile.TiffFile(path)
            self._pages = [self._file.pages[i] for i in range(len(directories))]
        except Exception as error:  # tifffile raises many types on malformed files
            raise DataError(f"cannot be read as TIFF: {error}", where=str(path), remedy="copy or make the file again") from error
        shape, dtype = self._check()
        self._packed = dtype == np.uint8 and (shape[1], shape[0]) in _PACKED
        self.count, self.shape = len(self._pages), (shape[0], shape[1] * (2 if self._packed else 1))

    def _check(self) -> tuple[tuple[int, int], np.dtype]:
        """Shape and type, the same for all pages."""
        first = self._pages[0]
        if len(first.shape) != 2 or first.dtype is None or first.dtype.name not in _TYPES:
            raise InputError(f"pages of shape {first.shape} and type {first.dtype}, expected grey images of {', '.join(_TYPES)}",
                             where=str(self.path), remedy="save the movie as one grey page per frame")
        for number, page in enumerate(self._pages, 1):
            if (page.shape, page.dtype) != (first.shape, first.dtype):
                raise DataError(
                    f"{page.shape[-1]} x {page.shape[0]} pixels of {page.dtype}, but page 1 has {first.shape[1]} x {first.shape[0]} of {first.dtype}",
                    where=f"{self.path}, page {number}", remedy="all pages of a movie must agree: make the file again without this page")
        return first.shape, first.dtype

    def read(self, frame: int) -> np.ndarray:
        """(ny, nx) in the type of the file."""
        try:
            pixels = self._pages[frame].asarray(lock=self._lock, maxworkers=1)
        except Exception as error:  # the codecs raise many types
            raise DataError(f"cannot be decoded: {error}", where=f"{self.path}, page {frame + 1} of {self.count}",
                            remedy="copy or make the file again") from error
        return np.ascontiguousarray((unpack_nibbles(pixels) if self._packed else pixels)[::-1])

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
