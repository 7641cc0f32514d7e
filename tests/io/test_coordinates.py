"""Coordinates of RELION and of other pickers."""

from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.coordinates import read_coordinates, stem, write_coordinate_files, write_coordinates
from verglas.testing.data import shared_data
from verglas.types import Coordinates


def test_what_is_written_is_read(tmp_path: Path):
    picks = Coordinates(np.array([[1.5, 2.25], [30, 40]]), np.array([0.5, 0.25]), np.array([1, 2]), np.radians([10.0, -170.0]), {})
    write_coordinates(tmp_path / "a_autopick.star", picks)
    write_coordinate_files(tmp_path / "autopick.star", ["Movies/a.mrc"], ["a_autopick.star"])
    found = read_coordinates(tmp_path / "autopick.star", tmp_path)["Movies/a.mrc"]
    for name in ("xy", "fom", "class_number", "psi"):
        np.testing.assert_allclose(getattr(found, name), getattr(picks, name))
    assert list(read_coordinates(tmp_path / "a_autopick.star", tmp_path)) == ["a"]


def test_no_picks_stay_no_picks(tmp_path: Path):
    write_coordinates(tmp_path / "a.star", Coordinates(np.empty((0, 2)), np.empty(0), np.empty(0, int), np.empty(0), {}))
    assert len(read_coordinates(tmp_path / "a.star", tmp_path)["a"]) == 0


def test_picks_of_relion_are_read():
    folder = shared_data("bgal-project/AutoPick/job008")
    found = read_coordinates(folder / "autopick.star", folder.parents[1])
    assert len(found) == 10
    first = found["MotionCorr/job002/Movies/20170629_00028_frameImage.mrc"]
    np.testing.assert_allclose(first.xy[0], [541.835297, 496.682356])
    assert first.fom[0] == pytest.approx(0.158254)
    manual = read_coordinates(shared_data("apoferritin/manual_picks.star"), Path())
    assert len(manual) == 8 and sum(len(one) for one in manual.values()) == 1293


def test_boxes_are_corners_and_sizes(tmp_path: Path):
    (tmp_path / "m.box").write_text("10 20 100 100\n-5\t0\t100\t100\n")
    np.testing.assert_allclose(read_coordinates(tmp_path / "m.box", tmp_path)["m"].xy, [[60, 70], [45, 50]])
    (tmp_path / "m.cbox").write_text(
        "data_global\n\n_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n_CoordinateY #2\n_Width #3\n_Height #4\n_Confidence #5\n"
        "10 20 100 100 0.7\n")
    found = read_coordinates(tmp_path / "m.cbox", tmp_path)["m"]
    np.testing.assert_allclose(found.xy, [[60, 70]])
    np.testing.assert_allclose(found.fom, [0.7])


@pytest.mark.parametrize("mark", ["\t", ","])
def test_topaz_tables_name_their_micrographs(tmp_path: Path, mark: str):
    rows = [["image_name", "x_coord", "y_coord", "score"], ["a", "1", "2", "0.5"], ["b", "3", "4", "-1.5"], ["a", "5", "6", "2"]]
    (tmp_path / "t.csv").write_text("\n".join(mark.join(row) for row in rows) + "\n")
    found = read_coordinates(tmp_path / "t.csv", tmp_path)
    np.testing.assert_allclose(found["a"].xy, [[1, 2], [5, 6]])
    np.testing.assert_allclose(found["b"].fom, [-1.5])


@pytest.mark.parametrize(("name", "text", "told"), [
    ("m.box", "10 20 100 100\n10 20\n", "row 2"), ("t.txt", "image_name\tx_coord\ty_coord\na\t1\tx\n", "row 2"), ("m.pdf", "", "kind"),
    ("m.star", "data_x\n\nloop_\n_rlnMicrographName #1\na\n", "rlnCoordinateX"),
])
def test_bad_files_are_refused_with_their_row(tmp_path: Path, name: str, text: str, told: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(VerglasError, match=told):
        read_coordinates(tmp_path / name, tmp_path)


def test_micrographs_and_coordinate_files_find_each_other():
    assert stem("MotionCorr/job002/Movies/May08_03.05.02.mrc") == stem("pick/May08_03.05.02_autopick.star") == "May08_03.05.02"
    assert stem("a") == "a"
