"""Gain references end in the orientation and size of the frames, as factors; wrong ones are refused with both sizes."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from verglas.errors import DataError, InputError
from verglas.io.gain import read_gain
from verglas.io.movies import EerOptions, open_frames
from verglas.io.mrc import StackWriter
from verglas.testing.data import relion_program
from verglas.testing.eer_movies import encode_frame, write_eer
from verglas.types.frames import Frames

ROWS, COLUMNS = 6, 4
OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroupName\n_rlnOpticsGroup\n_rlnMicrographOriginalPixelSize\n_rlnVoltage\n_rlnSphericalAberration\n" \
         "_rlnAmplitudeContrast\nog1 1 1.0 300.0 2.7 0.1\n\ndata_movies\n\nloop_\n_rlnMicrographMovieName\n_rlnOpticsGroup\nm.tif 1\n"


def mrc(path: Path, image: np.ndarray) -> Path:
    with StackWriter(path, 1.0) as stack:
        stack.append(image[None].astype(np.float32))
    return path


def gain(shape: tuple[int, int] = (ROWS, COLUMNS)) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)


@pytest.fixture
def frames(tmp_path: Path) -> Frames:
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((3, ROWS, COLUMNS), np.uint8), photometric="minisblack")
    return open_frames(tmp_path / "m.tif")


def eer(folder: Path, upsampling: int) -> Frames:
    write_eer(folder / "m.eer", [encode_frame(np.empty((0, 3)), ROWS * COLUMNS)], (ROWS, COLUMNS))
    return open_frames(folder / "m.eer", EerOptions(1, upsampling))


def test_tiff_and_mrc_agree(frames: Frames, tmp_path: Path) -> None:
    """An MRC gain is used as it is; a TIFF gain is turned over like the movie."""
    mrc(tmp_path / "g.mrc", gain())
    tifffile.imwrite(tmp_path / "g.tif", gain()[::-1])
    for name in ("g.mrc", "g.tif"):
        found = read_gain(tmp_path / name, frames)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, gain())


def test_quarter_turns(frames: Frames, tmp_path: Path) -> None:
    """Once clockwise: the last row comes first column; the turn comes before the flip; four make none."""
    flat = mrc(tmp_path / "g.mrc", gain((COLUMNS, ROWS)))
    once = read_gain(flat, frames, rotation=1)
    np.testing.assert_array_equal(once, gain((COLUMNS, ROWS))[::-1].T)
    np.testing.assert_array_equal(read_gain(flat, frames, 1, 1), once[::-1])
    np.testing.assert_array_equal(read_gain(flat, frames, 1, 2), once[:, ::-1])
    back = read_gain(mrc(tmp_path / "h.mrc", read_gain(mrc(tmp_path / "h.mrc", once), frames, 2)), frames, 2)
    np.testing.assert_array_equal(back, once)
    np.testing.assert_array_equal(read_gain(flat, frames, 3), read_gain(mrc(tmp_path / "h.mrc", once), frames, 2))


@pytest.mark.parametrize(("rotation", "flip"), [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 2)])
def test_relion_turns_the_same_way(rotation: int, flip: int, tmp_path: Path) -> None:
    """relion_run_motioncorr leaves the turned gain in its folder."""
    program = relion_program("relion_run_motioncorr")
    movie = np.random.default_rng(1).poisson(1, (4, 96, 64)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", movie, photometric="minisblack", compression="lzw")
    image = gain((64, 96) if rotation % 2 else (96, 64))
    mrc(tmp_path / "g.mrc", image)
    (tmp_path / "m.star").write_text(OPTICS)
    command = [program, "--i", "m.star", "--o", "out/", "--use_own", "--gainref", "g.mrc", "--gain_rot", str(rotation), "--gain_flip", str(flip)]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    theirs = open_frames(tmp_path / "out/gain.mrc").read(0)
    np.testing.assert_array_equal(read_gain(tmp_path / "g.mrc", open_frames(tmp_path / "m.tif"), rotation, flip), theirs)


@pytest.mark.parametrize("upsampling", [1, 2, 4])
@pytest.mark.parametrize("split", [1, 2])
@pytest.mark.parametrize("kind", ["factors", "counts"])
def test_eer(kind: str, split: int, upsampling: int, tmp_path: Path) -> None:
    """A .gain file holds factors with its rows as in the movie (no turning over); an MRC file holds counts. Either in either size, if it divides."""
    image = gain((ROWS * split, COLUMNS * split))
    path = tmp_path / ("g.gain" if kind == "factors" else "g.mrc")
    if kind == "factors":
        tifffile.imwrite(path, image)
    else:
        image[0, 0] = 0 if split == 1 or upsampling > 1 else image[0, 0]
        mrc(path, image)
    found = read_gain(path, eer(tmp_path, upsampling))
    assert found.shape == (ROWS * upsampling, COLUMNS * upsampling)
    for y, x in np.ndindex(found.shape):  # the definition, pixel by pixel
        rows = range(y * split // upsampling, max((y + 1) * split // upsampling, y * split // upsampling + 1))
        columns = range(x * split // upsampling, max((x + 1) * split // upsampling, x * split // upsampling + 1))
        block = np.array([image[i, j] for i in rows for j in columns], dtype=float)
        if kind == "factors":
            assert found[y, x] == pytest.approx(block.mean())
        else:
            mean = image.mean(dtype=float) * len(block)
            assert found[y, x] == pytest.approx(mean / block.sum() if block.sum() else 0.0)


def test_counts_of_a_uniform_beam_flatten_it(tmp_path: Path) -> None:
    """A pixel that counts twice as many gets half the factor; the mean over the beam is kept."""
    image = np.array(gain())
    factors = read_gain(mrc(tmp_path / "g.mrc", image), eer(tmp_path, 1))
    np.testing.assert_allclose(image * factors, image.mean(), rtol=1e-6)


def test_wrong_gains_are_refused(frames: Frames, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"6 x 4 pixels, but the frames of .*m.tif have 4 x 6\n.*turn it by 90 degrees"):
        read_gain(mrc(tmp_path / "g.mrc", gain((COLUMNS, ROWS))), frames)
    with pytest.raises(InputError, match=r"8 x 12 pixels, but .* 4 x 6"):
        read_gain(mrc(tmp_path / "g.mrc", gain((2 * ROWS, 2 * COLUMNS))), frames)
    with pytest.raises(InputError, match=r"dm2mrc g\.dm4 g\.mrc"):
        read_gain(tmp_path / "g.dm4", frames)
    with pytest.raises(InputError, match="3 images, expected one"):
        read_gain(frames.path, frames)
    with pytest.raises(InputError, match="rotation 4"):
        read_gain(mrc(tmp_path / "g.mrc", gain()), frames, 4)
    for bad in (np.nan, -1.0):
        image = gain()
        image[1, 2] = bad
        with pytest.raises(DataError, match="negative or not numbers"):
            read_gain(mrc(tmp_path / "g.mrc", image), frames)
    with pytest.raises(DataError, match="zeros"):
        read_gain(mrc(tmp_path / "g.mrc", 0 * gain()), eer(tmp_path, 1))
