"""EER movies: the electrons that the detector counted, frame by frame, summed to fractions as they are read. Rows are not turned over."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.tiff_directories import COMPRESSION, HEIGHT, RUN_BITS, WIDTH, X_BITS, Y_BITS, Directory, cut_off, incomplete, read_directories

_PADDING_WORDS = 3
_TOGETHER = 32
"""Hardware frames that are read and decoded at a time."""
_FOOTER = b"ThermoFisherECComprOK000"
_LEGACY_SIDE = 4096


@dataclass(frozen=True)
class Code:
    """Bits of a run and of the two fields of a symbol; whether a symbol follows the largest run too."""

    run_bits: int
    x_bits: int
    y_bits: int
    symbol_always: bool


_CODES = {65000: Code(8, 2, 2, True), 65001: Code(7, 2, 2, False)}
_GENERAL = 65002


class EerFrames:
    """`count` fractions of `grouping` hardware frames each, in detector pixels (upsampling 1), half (2) or quarter pixels (4).

    Nothing is held between reads. Hardware frames that do not fill a fraction at the end are left out. `damaged`: hardware frames (from 1)
    found so far whose data are cut off or no electron list; a fraction lacks them, and cannot be read when it has no others.
    """

    def __init__(self, path: Path, grouping: int, upsampling: int) -> None:
        self.path, self.grouping, self.upsampling = path, grouping, upsampling
        if not 1 <= grouping < 1 << 16:
            raise InputError(f"EER grouping of {grouping}, expected 1 to 65535 hardware frames per fraction", where=str(path))
        self._segments, self.detector, self._code, cut = _index(path)
        self.damaged = set(cut)
        self.hardware_frames = len(self._segments)
        self.count = self.hardware_frames // grouping
        if self.count == 0:
            raise InputError(f"{self.hardware_frames} hardware frames, fewer than one fraction of {grouping}", where=str(path),
                             remedy=f"use an EER grouping of at most {self.hardware_frames}")
        finest = 1 << min(self._code.x_bits, self._code.y_bits, 2)
        if upsampling not in (1, 2, 4) or upsampling > finest:
            raise InputError(f"EER upsampling of {upsampling}, expected one of {[u for u in (1, 2, 4) if u <= finest]} for this movie",
                             where=str(path), remedy="1 gives detector pixels, 2 half pixels")
        self.shape = (self.detector[0] * upsampling, self.detector[1] * upsampling)
        self._offsets = _symbol_offsets(self._code.x_bits, self._code.y_bits, upsampling, self.detector[1])
        self._dtype = np.dtype(np.uint8 if grouping < 1 << 8 else np.uint16)  # a hardware frame adds at most 1 to a pixel
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, frame: int) -> np.ndarray:
        """(ny, nx) electrons of one fraction."""
        if not 0 <= frame < self.count:
            raise InputError(f"fraction {frame + 1} of {self.count}", where=str(self.path))
        counts = np.zeros(self.shape, dtype=self._dtype)
        first, last = frame * self.grouping, (frame + 1) * self.grouping
        for start in range(first, last, _TOGETHER):
            numbers = [number for number in range(start, min(start + _TOGETHER, last)) if number + 1 not in self.damaged]
            bad = self._add(numbers, counts)
            if bad:
                wrong = np.zeros_like(counts)
                self._add(bad, wrong)
                counts -= wrong
                self.damaged.update(number + 1 for number in bad)
        if self.damaged.issuperset(range(first + 1, last + 1)):
            raise DataError("none of its hardware frames can be decoded", where=f"{self.path}, hardware frames {first + 1} to {last}",
                            remedy="copy the movie again, leave these frames out, or use larger fractions (--eer-grouping)")
        return counts

    def _add(self, numbers: list[int], counts: np.ndarray) -> list[int]:
        """Add hardware frames to counts (ny, nx); those that do not run over all pixels exactly, which are damaged."""
        from verglas.io.eer_decode import add_electrons  # numba: not needed to look at a movie

        if not numbers:
            return []
        words, first, bits = self._data(numbers)
        code = (self._code.run_bits, self._code.x_bits + self._code.y_bits, self._code.symbol_always)
        reached = add_electrons(words, first, bits, code, self.detector, self.upsampling, self._offsets, counts.reshape(-1))
        pixels = self.detector[0] * self.detector[1]
        return [number for number, one in zip(numbers, reached.tolist()) if one != pixels]

    def _data(self, numbers: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The data of hardware frames as uint32 (_PADDING_WORDS after the last), the first word of each, and the bits of each."""
        sizes = np.array([sum(size for _, size in self._segments[number]) for number in numbers])
        ends = np.cumsum((sizes + 3) // 4)
        first = np.r_[0, ends[:-1]]
        words = np.empty(int(ends[-1]) + _PADDING_WORDS, dtype=np.uint32)
        raw = words.data.cast("B")
        for number, place in zip(numbers, (4 * first).tolist()):
            for offset, size in self._segments[number]:
                if os.preadv(self._descriptor, [raw[place:place + size]], offset) != size:
                    raise DataError("the file became shorter while it was read", where=str(self.path),
                                    remedy="do not change input files during a run")
                place += size
        return words, first, 8 * sizes

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


def _symbol_offsets(x_bits: int, y_bits: int, scale: int, width: int) -> np.ndarray:
    """(2**(x_bits + y_bits),) steps from the first fine pixel of a detector pixel to the one that a symbol names, at 1, 2 or 4 = `scale` per side.

    x is in the low bits. Both fields are signed and count from the middle of the pixel: their top bit turned over, they count from its corner.
    """
    symbol = np.arange(1 << (x_bits + y_bits))
    x = (symbol & ((1 << x_bits) - 1)) ^ ((1 << x_bits) >> 1)
    y = (symbol >> x_bits) ^ ((1 << y_bits) >> 1)
    return (y * scale >> y_bits) * width * scale + (x * scale >> x_bits)


_Index = tuple[list[tuple[tuple[int, int], ...]], tuple[int, int], Code, list[int]]


def _index(path: Path) -> _Index:
    """For each hardware frame its (offset, bytes) blocks; the detector (ny, nx); the code; frames (from 1) that the file ends before."""
    try:
        with path.open("rb") as handle:
            magic = handle.read(2)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    if magic not in (b"II", b"MM"):
        return _legacy_index(path)
    directories = read_directories(path)
    frames = [one for one in directories if one.tag(COMPRESSION) in (*_CODES, _GENERAL)]  # some writers add the sum of the movie as a plain page
    if not frames:
        raise InputError(f"no EER frame: the compression is {directories[0].tag(COMPRESSION)}, expected 65000, 65001 or 65002", where=str(path),
                         remedy="if it is a plain TIFF movie, give it a name that ends in .tif")
    kinds = [_kind(one, path, number) for number, one in enumerate(frames, 1)]
    odd = next((number for number, kind in enumerate(kinds, 1) if kind != kinds[0]), None)
    if odd is not None:
        raise DataError(f"{kinds[odd - 1]}, but frame 1 has {kinds[0]}", where=f"{path}, hardware frame {odd}",
                        remedy="all frames of a movie must agree: copy or make the file again")
    cut = cut_off(path, frames)
    if len(cut) == len(frames):
        raise incomplete(path, "it ends before the data of its first frame", frames)
    return [one.segments for one in frames], *kinds[0], [number + 1 for number in cut]


def _kind(one: Directory, path: Path, number: int) -> tuple[tuple[int, int], Code]:
    """Size (ny, nx) and code of one hardware frame."""
    where = f"{path}, hardware frame {number}"
    shape = (one.tag(HEIGHT), one.tag(WIDTH))
    if min(shape) < 1:
        raise DataError(f"a size of {shape[1]} x {shape[0]} pixels", where=where, remedy="copy or make the file again")
    x_bits = one.tag(X_BITS, 1)
    code = _CODES.get(one.tag(COMPRESSION)) or Code(one.tag(RUN_BITS, 7), x_bits, one.tag(Y_BITS, x_bits), False)
    if not (1 <= code.run_bits <= 16 and 0 <= code.x_bits <= 4 and 0 <= code.y_bits <= 4):
        raise DataError(f"runs of {code.run_bits} bits and symbols of {code.x_bits} + {code.y_bits} bits, expected 1-16 and 0-4 + 0-4", where=where,
                        remedy="copy or make the file again")
    return shape, code


def _legacy_index(path: Path) -> _Index:
    """The oldest files have no header: frame after frame of data, their length in 8-byte words, and a footer. Read from the end."""
    segments: list[tuple[tuple[int, int], ...]] = []
    with path.open("rb") as handle:
        end = handle.seek(0, 2)
        while end > 0:
            handle.seek(max(end - len(_FOOTER) - 8, 0))
            tail = handle.read(8 + len(_FOOTER))
            length = 8 * int.from_bytes(tail[:8], "little")
            start = end - len(_FOOTER) - 8 - length
            if tail[8:] != _FOOTER or start < 0:
                raise DataError(
                    "neither a TIFF file nor a row of EER frames" if not segments else f"damaged: only the last {len(segments)} frames are readable",
                    where=str(path), remedy="check that the path is right, or copy the file again")
            segments.append(((start, length),))
            end = start
    if not segments:
        raise DataError("the file is empty", where=str(path), remedy="copy or make the file again")
    return segments[::-1], (_LEGACY_SIDE, _LEGACY_SIDE), _CODES[65000], []
