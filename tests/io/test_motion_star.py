"""The STAR file of one movie: round trip, RELION's files, and the units of the local model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import DataError
from verglas.io.motion_star import read_motion, write_motion
from verglas.testing.data import shared_data
from verglas.types.motion import MotionTrack, PatchTracks


def track() -> MotionTrack:
    rng = np.random.default_rng(0)
    shifts = rng.normal(size=(6, 2))
    shifts[4] = np.nan
    patches = PatchTracks(np.arange(6), rng.uniform(0, 100, (6, 2)), rng.normal(size=(6, 2)))
    return MotionTrack("Movies/a.tiff", (200, 300), 8, shifts, 0.885, 200.0, 1.277, 2.0, 1, 2.0, rng.normal(size=(2, 18)),
                       np.array([[3, 4], [299, 0]]), patches, "gain.mrc", "defects.txt", 2, 32)


def test_round_trip(tmp_path: Path) -> None:
    write_motion(tmp_path / "a.star", track())
    again = read_motion(tmp_path / "a.star")
    for name in ("movie", "shape", "frames", "pixel_size", "voltage_kv", "dose_rate", "pre_exposure", "first_frame", "binning", "gain", "defects",
                 "eer_upsampling", "eer_grouping"):
        assert getattr(again, name) == getattr(track(), name), name
    for name in ("shifts", "local", "hot"):
        np.testing.assert_allclose(getattr(again, name), getattr(track(), name), rtol=1e-6, atol=1e-6)
    assert again.patches is not None and np.array_equal(again.patches.frame, np.arange(6))


def test_binned_local_model_of_relion_becomes_unbinned(tmp_path: Path) -> None:
    write_motion(tmp_path / "a.star", track())
    text = (tmp_path / "a.star").read_text()
    (tmp_path / "relion.star").write_text("\n".join(line for line in text.splitlines() if "verglasLocalModelUnbinned" not in line))
    np.testing.assert_allclose(read_motion(tmp_path / "relion.star").local, 2 * read_motion(tmp_path / "a.star").local)


def test_missing_coefficients_are_an_error(tmp_path: Path) -> None:
    write_motion(tmp_path / "a.star", replace(track(), patches=None, hot=None))
    lines = (tmp_path / "a.star").read_text().rstrip().splitlines()
    (tmp_path / "a.star").write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match="35 coefficients"):
        read_motion(tmp_path / "a.star")


def test_files_of_relion() -> None:
    folder = shared_data("bgal-project/MotionCorr/job002/Movies")
    files = sorted(folder.glob("*.star"))
    assert len(files) == 24
    first = read_motion(next(file for file in files if "00031" in file.name))
    assert first.shape == (3838, 3710) and first.frames == 24 and first.local is not None and first.hot is not None
    np.testing.assert_allclose(first.shifts[-1], (8.450103, -9.49918))
    np.testing.assert_allclose(first.hot[0], (1015, 25))
    assert all(read_motion(file).shifts.shape == (24, 2) for file in files)
