"""Defects of a detector as a mask: MotionCor2's text (x y width height) or an image that is not 0 where a pixel is bad."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.movies import FORMATS, open_frames


def read_defects(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """(ny, nx) = shape, True where bad. Text boxes count from 0 in the array of the frames and are cut at its edges."""
    path = Path(path)
    return _from_image(path, shape) if path.suffix.lower() in FORMATS else _from_text(path, shape)


def _from_image(path: Path, shape: tuple[int, int]) -> np.ndarray:
    image = open_frames(path)
    if image.count != 1 or image.shape != shape:
        raise InputError(f"{image.count} image of {image.shape[1]} x {image.shape[0]} pixels, the frames have {shape[1]} x {shape[0]}",
                         where=str(path), remedy="use the defect map of this detector mode")
    return image.read(0) != 0


def _from_text(path: Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy="check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise DataError("neither text nor an image with a known name", where=str(path),
                        remedy=f"give rows of `x y width height`, or an image whose name ends in one of {', '.join(FORMATS[:4])}") from error
    mask = np.zeros(shape, dtype=bool)
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if words:
            x, y, width, height = _box(words, shape, f"{path}, line {number}")
            mask[max(y, 0):y + height, max(x, 0):x + width] = True
    return mask


def _box(words: list[str], shape: tuple[int, int], where: str) -> tuple[int, int, int, int]:
    """x, y, width, height of one row, at least partly within the frames."""
    if words[0][0].isalpha():
        raise InputError(f"'{words[0]}': this is SerialEM's defect file, expected rows of `x y width height`", where=where,
                         remedy="convert it with IMOD: clip defect -D defects.txt -f tif movie.tif defect_map.tif, and give the map")
    try:
        x, y, width, height = (int(word) for word in words)
    except ValueError as error:
        raise DataError(f"'{' '.join(words)}', expected four whole numbers: x y width height", where=where, remedy="correct this row") from error
    if width < 1 or height < 1 or x + width <= 0 or y + height <= 0 or x >= shape[1] or y >= shape[0]:
        raise InputError(f"a box at x = {x}, y = {y} of {width} x {height} pixels, which has no pixel in frames of {shape[1]} x {shape[0]}",
                         where=where, remedy="use the defect file of this detector mode")
    return x, y, width, height
