"""Defect files of every kind as a mask of the frames."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.errors import DataError, InputError
from verglas.io.defects import read_defects
from verglas.io.mrc import StackWriter

SHAPE = (6, 9)


def test_boxes_of_text(tmp_path: Path) -> None:
    """x y width height from 0; cut at the edges; overlaps, blank lines and remarks are fine."""
    (tmp_path / "d.txt").write_text("0 0 1 1\n\n2 1 3 2 # a bad block\n3 2 4 1\n8 -1 5 100\n")
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0, 0] = True
    mask[1:3, 2:5] = True
    mask[2, 3:7] = True
    mask[:, 8] = True
    found = read_defects(tmp_path / "d.txt", SHAPE)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask)


def test_maps(tmp_path: Path) -> None:
    """MRC as it is, TIFF turned over; whatever is not 0 is bad."""
    values = np.random.default_rng(0).integers(0, 3, SHAPE)
    with StackWriter(tmp_path / "d.mrc", 1.0) as stack:
        stack.append(values[None].astype(np.float32))
    tifffile.imwrite(tmp_path / "d.tif", values[::-1].astype(np.uint8))
    for name in ("d.mrc", "d.tif"):
        np.testing.assert_array_equal(read_defects(tmp_path / name, SHAPE), values > 0)
    with pytest.raises(InputError, match="9 x 6 pixels, the frames have 9 x 7"):
        read_defects(tmp_path / "d.mrc", (7, 9))


@pytest.mark.parametrize(("text", "error", "message"), [
    ("1 1 2 2\nCameraSizeX 4096\n", InputError, "line 2: 'CameraSizeX': this is SerialEM's"),
    ("1 1 2\n", DataError, "line 1: '1 1 2', expected four whole numbers"),
    ("1 1 2 2.5\n", DataError, "four whole numbers"),
    ("9 0 1 1\n", InputError, "no pixel in frames of 9 x 6"),
    ("-3 0 3 1\n", InputError, "no pixel"),
    ("1 1 0 4\n", InputError, "of 0 x 4 pixels"),
])
def test_wrong_rows_are_named(text: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text(text)
    with pytest.raises(error, match=message):
        read_defects(tmp_path / "d.txt", SHAPE)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_defects(tmp_path / "no.txt", SHAPE)
    (tmp_path / "d.bin").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="neither text nor an image"):
        read_defects(tmp_path / "d.bin", SHAPE)
