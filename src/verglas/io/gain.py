"""Gain references of any kind as the factors to multiply the frames by."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.eer import EerFrames
from verglas.io.movies import open_frames
from verglas.io.tiff import TiffFrames
from verglas.types.frames import Frames

_DIGITAL_MICROGRAPH = (".dm3", ".dm4")


def read_gain(path: Path, frames: Frames, rotation: int = 0, flip: int = 0) -> np.ndarray:
    """(ny, nx) float32 factors in the orientation and size of the frames; 0 marks a dead pixel.

    rotation: times 90 degrees clockwise, first; flip: then 1 = upside down, 2 = left to right (as seen with row 0 at the top).
    Files hold factors, except that for EER all but `.gain` hold summed counts c, and the factors are mean(c) / c.
    """
    path = Path(path)
    if rotation not in (0, 1, 2, 3) or flip not in (0, 1, 2):
        raise InputError(f"gain rotation {rotation} and flip {flip}, expected 0, 1, 2 or 3 and 0, 1 or 2", where=str(path))
    counts = isinstance(frames, EerFrames) and path.suffix.lower() != ".gain"
    gain = _fitted(_turned(_read(path), rotation, flip), frames, counts, path)
    if not np.isfinite(gain).all() or gain.min() < 0 or not gain.any():
        raise DataError("values that are negative or not numbers, or nothing but zeros", where=str(path), remedy="make the gain reference again")
    if counts:
        gain = np.divide(gain.mean(), gain, out=np.zeros_like(gain), where=gain > 0)
    return np.ascontiguousarray(gain, dtype=np.float32)


def _read(path: Path) -> np.ndarray:
    """(ny, nx) float64 as in the file, a `.gain` with its rows in the order of EER frames."""
    if path.suffix.lower() in _DIGITAL_MICROGRAPH:
        raise InputError("a gain reference in Digital Micrograph format", where=str(path), remedy=f"convert it: dm2mrc {path.name} {path.stem}.mrc")
    file_rows = path.suffix.lower() == ".gain"
    image = TiffFrames(path) if file_rows else open_frames(path)
    if image.count != 1:
        raise InputError(f"{image.count} images, expected one", where=str(path), remedy="give a file with the gain reference alone")
    gain = image.read(0).astype(np.float64)
    return gain[::-1] if file_rows else gain


def _turned(gain: np.ndarray, rotation: int, flip: int) -> np.ndarray:
    turned = np.rot90(gain, -rotation)
    return turned[::-1] if flip == 1 else turned[:, ::-1] if flip == 2 else turned


def _fitted(gain: np.ndarray, frames: Frames, counts: bool, path: Path) -> np.ndarray:
    """The gain in the size of the frames. For EER, detector pixels may be split or fine pixels joined: counts are summed, factors averaged."""
    if gain.shape == frames.shape:
        return gain
    for k in (2, 4) if isinstance(frames, EerFrames) else ():
        if (gain.shape[0] * k, gain.shape[1] * k) == frames.shape:
            return gain.repeat(k, axis=0).repeat(k, axis=1)
        if gain.shape == (frames.shape[0] * k, frames.shape[1] * k):
            blocks = gain.reshape(frames.shape[0], k, frames.shape[1], k)
            return blocks.sum(axis=(1, 3)) if counts else blocks.mean(axis=(1, 3))
    turn = "turn it by 90 degrees (gain rotation 1 or 3)" if gain.shape == frames.shape[::-1] else "use the gain reference of this detector mode"
    raise InputError(f"{gain.shape[1]} x {gain.shape[0]} pixels, but the frames of {frames.path} have {frames.shape[1]} x {frames.shape[0]}",
                     where=str(path), remedy=turn)
