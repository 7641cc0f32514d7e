"""Particle tables of RELION 3.0 to 5: what becomes of each column, and that nothing is lost on the way back."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from verglas.io.particles_star import project_root, read_particles, stored_degrees, write_particles
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_rows import text_column
from verglas.testing.data import shared_data
from verglas.types import Particles
from verglas.units import DEGREE


def assert_same(a: Particles, b: Particles) -> None:
    assert a.optics == b.optics and a.images.stacks == b.images.stacks and a.group_names == b.group_names
    for one, other in ((a, b), (a.images, b.images), (a.defocus, b.defocus), (a.poses, b.poses)):
        for field in fields(one):
            value = getattr(one, field.name)
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, getattr(other, field.name), err_msg=field.name)
    assert set(a.extra) <= set(b.extra)
    for label in a.extra:
        assert a.extra[label].tolist() == b.extra[label].tolist(), label


FILES = [
    "bgal-project/derived/particles_with_poses.star", "bgal-project/derived/particles_ctf_fixed.star", "bgal-relion4/particles_1k.star",
    "bgal-relion5-refine/run_data.star", "bgal-refine3d/run_it016_data.star", "sim-bgal64/sim.star", "golden-projections/relion_proj_batch.star",
    "particles-small/aspire/sample_particles_relion30.star", "particles-small/aspire/sample_particles_relion31.star",
    "particles-small/cryodrgn-tests/relion5.star", "particles-small/cryodrgn-tests/relion31.6opticsgroups.star",
    "particles-small/cryodrgn-tests/relion31.v2.star", "particles-small/cryodrgn-tests/sta_testing_bin8.star",
    "particles-small/cryodrgn-tests/empiar_10076_7.star",
]


@pytest.mark.parametrize("name", FILES)
def test_round_trip_of_real_files(tmp_path: Path, name: str) -> None:
    particles = read_particles(shared_data(name))
    write_particles(tmp_path / "a.star", particles)
    again = read_particles(tmp_path / "a.star")
    write_particles(tmp_path / "b.star", again)
    assert_same(again, read_particles(tmp_path / "b.star"))
    assert (tmp_path / "a.star").read_bytes() == (tmp_path / "b.star").read_bytes()
    np.testing.assert_allclose(again.poses.angles, particles.poses.angles, atol=1e-12)
    np.testing.assert_allclose(again.poses.origin, particles.poses.origin, atol=0)
    for field in fields(particles.defocus):
        np.testing.assert_allclose(getattr(again.defocus, field.name), getattr(particles.defocus, field.name), atol=1e-12)
    assert_same(replace(particles, poses=again.poses, defocus=again.defocus), again)


def assert_equal_columns(label: str, before: np.ndarray, after: np.ndarray) -> None:
    """Equal up to the rounding of degrees, and to zeros before an image number and blanks in a vector."""
    if before.dtype != object and after.dtype != object:
        np.testing.assert_allclose(after, before, rtol=1e-15, atol=1e-9, err_msg=label)
    elif label.endswith("Zernike"):
        assert [[float(x) for x in v[1:-1].split(",")] for v in before] == [[float(x) for x in v[1:-1].split(",")] for v in after]
    else:
        assert [str(v).lstrip("0") for v in before] == [str(v).lstrip("0") for v in after], label


@pytest.mark.parametrize("name", FILES)
def test_every_column_of_the_input_is_in_the_output(tmp_path: Path, name: str) -> None:
    source = shared_data(name)
    write_particles(tmp_path / "a.star", read_particles(source))
    before, after = read_star(source), read_star(tmp_path / "a.star")
    if "optics" not in before:
        return
    gone = {"rlnOriginX", "rlnOriginY", "rlnRandomSubset", "rlnGroupNumber"}
    for block in ("optics", "particles"):
        for label in set(before[block].columns) & set(after[block].columns) - gone:
            assert_equal_columns(label, before[block][label], after[block][label])
        constant = {"rlnBeamTiltX", "rlnBeamTiltY", "rlnMagMat00", "rlnMagMat01", "rlnMagMat10", "rlnMagMat11", "rlnCtfDataAreCtfPremultiplied"}
        assert set(before[block].columns) - set(after[block].columns) <= gone | constant


def test_fields_and_units(project: Path) -> None:
    particles = read_particles(project / "job1" / "particles.star")
    assert [group.name for group in particles.optics] == ["og1", "og7"] and particles.optics_index.tolist() == [0, 0, 1]
    assert particles.optics[1].voltage_kv == 200.0 and particles.optics[0].pixel_size == 2.0 and particles.optics[0].box == 8
    assert particles.images.stacks == ("Extract/a.mrcs", "Extract/b.mrcs") and particles.images.index.tolist() == [0, 2, 0]
    np.testing.assert_allclose(particles.defocus.angle, np.array([30, 30, 0]) * DEGREE)
    np.testing.assert_allclose(particles.poses.angles[:, 0], [np.pi / 2, np.pi, 0])
    np.testing.assert_allclose(particles.poses.origin, [[2.5, 0], [-1.5, 0], [0, 0]])
    assert particles.group_names == ("m1.mrc", "m2.mrc") and particles.group.tolist() == [0, 0, 1]
    assert particles.half.tolist() == [0, 0, 0] and particles.norm.tolist() == [1, 1, 1] and list(particles.extra) == ["rlnMicrographName"]
    assert (particles.defocus.scale == 1).all() and (particles.defocus.bfactor == 0).all() and (particles.defocus.phase_shift == 0).all()


def test_relion_30_optics_and_origins(tmp_path: Path) -> None:
    particles = read_particles(shared_data("particles-small/aspire/sample_particles_relion30.star"))
    assert [group.voltage_kv for group in particles.optics] == [300.0, 200.0]
    assert particles.optics[0].pixel_size == pytest.approx(5e4 / 37369.207031) and particles.optics[0].box == 200
    table = read_star(shared_data("particles-small/aspire/sample_particles_relion30.star"))["model_class_1"]
    np.testing.assert_allclose(particles.poses.origin[:, 0], table["rlnOriginX"] * particles.optics[0].pixel_size)
    write_particles(tmp_path / "a.star", particles)
    written = read_star(tmp_path / "a.star")["particles"]
    assert not {"rlnVoltage", "rlnMagnification", "rlnDetectorPixelSize", "rlnOriginX"} & set(written.columns)


def test_a_missing_column_takes_its_default(project: Path) -> None:
    path = project / "job1" / "particles.star"
    tables = read_star(path)
    kept = {k: v for k, v in tables["particles"].columns.items() if k in ("rlnImageName", "rlnOpticsGroup", "rlnDefocusU")}
    write_star(path, {"optics": tables["optics"], "particles": Table(kept)})
    particles = read_particles(path)
    np.testing.assert_array_equal(particles.defocus.v, particles.defocus.u)
    assert particles.group_names == ("og1", "og7") and (particles.poses.angles == 0).all()


def test_aberrations_magnification_and_flags(tmp_path: Path) -> None:
    particles = read_particles(shared_data("particles-small/cryodrgn-tests/relion31.6opticsgroups.star"))
    assert len(particles.optics) == 6
    last = next(group for group in particles.optics if group.group == 6)
    assert len(last.odd_zernike) == 6 and len(last.even_zernike) == 9 and last.odd_zernike[0] == 2.87241841102
    assert last.beam_tilt_mrad == (-1.28823, 2.446621) and last.magnification_matrix.shape == (2, 2) and last.magnification[0] == 1.006131


def test_extra_columns_follow_or_replace(project: Path) -> None:
    path = project / "job1" / "particles.star"
    particles = replace(read_particles(path), half=np.array([1, 2, 1]))
    write_particles(path, particles, {"rlnLogLikeliContribution": np.array([1.5, 2.5, 3.5]), "rlnMicrographName": text_column("abc")})
    table = read_star(path)["particles"]
    assert table["rlnLogLikeliContribution"].tolist() == [1.5, 2.5, 3.5] and table["rlnMicrographName"].tolist() == ["a", "b", "c"]
    assert table["rlnRandomSubset"].tolist() == [1, 2, 1] and table["rlnGroupNumber"].tolist() == [1, 1, 2]
    assert table["rlnImageName"].tolist()[1] == "000003@Extract/a.mrcs" and table["rlnOpticsGroup"].tolist() == [1, 1, 7]


def test_taking_rows_and_writing_them(project: Path, tmp_path: Path) -> None:
    particles = read_particles(project / "job1" / "particles.star")
    write_particles(tmp_path / "some.star", particles.take(np.array([2, 0])))
    some = read_particles(tmp_path / "some.star")
    assert some.images.stacks == ("Extract/b.mrcs", "Extract/a.mrcs") and some.optics_index.tolist() == [1, 0]


def test_the_box_is_read_from_the_stack_where_the_file_has_none(project: Path) -> None:
    path = project / "job1" / "particles.star"
    tables = read_star(path)
    optics = {k: v for k, v in tables["optics"].columns.items() if k != "rlnImageSize"}
    write_star(path, {"optics": Table(optics), "particles": tables["particles"]})
    assert [group.box for group in read_particles(path).optics] == [8, 8]
    assert [group.box for group in read_particles(path, project).optics] == [8, 8]


def test_the_project_folder_is_found_above_the_file_or_where_we_are(project: Path, tmp_path_factory: pytest.TempPathFactory,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "job1" / "particles.star"
    assert project_root(path) == project.resolve()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "p.star"
    elsewhere.write_bytes(path.read_bytes())
    monkeypatch.chdir(project / "Extract")
    assert project_root(elsewhere) == project.resolve()


@given(hnp.arrays(np.float64, 20, elements=st.floats(-720, 720)))
def test_degrees_are_a_fixed_point(degrees: np.ndarray) -> None:
    once = stored_degrees(degrees * DEGREE)
    np.testing.assert_array_equal(stored_degrees(once * DEGREE), once)
    np.testing.assert_allclose(once, degrees, atol=1e-10)
