"""Door checks of particle tables: each message names file, block, row and value, and says what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from verglas.errors import VerglasError
from verglas.io.particles_star import project_root, read_particles

Changed = Callable[[str, str], Path]


@pytest.mark.parametrize(("old", "new", "found", "where"), [
    ("m2.mrc 7", "m2.mrc 2", "optics group 2 is not in the optics table, which has [1, 7]", "data_particles, row 3"),
    ("_rlnOpticsGroup #3", "_rlnSomething #3", "missing column _rlnOpticsGroup", "data_particles"),
    ("_rlnImageName #1", "_rlnName #1", "missing column _rlnImageName", "data_particles"),
    ("_rlnDefocusU #4", "_rlnFoo #4", "missing column _rlnDefocusU", "data_particles"),
    ("_rlnDefocusV #5", "_rlnDefocusU #5", "_rlnDefocusU appears twice", "data_particles"),
    ("1 10000.0 11000.0 30.0 180.0", "1 nan 11000.0 30.0 180.0", "_rlnDefocusU is nan in one row", "data_particles, row 2"),
    ("7 12000.0 12000.0", "7 12000.0 inf", "_rlnDefocusV is inf", "data_particles, row 3"),
    ("90.0 2.5", "ninety 2.5", "_rlnAngleRot is 'ninety', expected a number", "data_particles, row 1"),
    ("000003@Extract/a.mrcs", "Extract/a.mrcs", "expected NUMBER@STACK", "data_particles, row 2"),
    ("000003@Extract/a.mrcs", "0@Extract/a.mrcs", "expected NUMBER@STACK", "data_particles, row 2"),
    ("000003@Extract/a.mrcs", "3@", "expected NUMBER@STACK", "data_particles, row 2"),
    ("000003@Extract/a.mrcs", "-3@Extract/a.mrcs", "expected NUMBER@STACK", "data_particles, row 2"),
    ("000003@Extract/a.mrcs", "x3@Extract/a.mrcs", "expected NUMBER@STACK", "data_particles, row 2"),
    ("0.0 0.0\n", "0.0\n", "7 values where the loop has 8 columns", "data_particles, row 3"),
    ("og7 7 200.0", "og7 7 0.0", "_rlnVoltage is 0, expected 10 to 3000 kV", "data_optics, row 2"),
    ("og7 7 200.0 1.4 0.1 2.0", "og7 7 200.0 1.4 0.1 0.0", "_rlnImagePixelSize is 0", "data_optics, row 2"),
    ("og7 7 200.0 1.4 0.1", "og7 7 200.0 1.4 1.1", "_rlnAmplitudeContrast is 1.1", "data_optics, row 2"),
    ("og7 7 200.0", "og7 1 200.0", "optics group 1 is defined twice", "data_optics, row 2"),
    ("_rlnVoltage #3", "_rlnFoo #3", "missing column _rlnVoltage", "data_optics"),
    ("og7 7 200.0", "og7 7.5 200.0", "_rlnOpticsGroup is 7.5, expected a whole number", "data_optics, row 2"),
    ("_rlnAngleRot #7", "_rlnRandomSubset #7", "_rlnRandomSubset is 90, expected 1 or 2", "data_particles, row 1"),
    ("_rlnAngleRot #7", "_rlnClassNumber #7", "", ""),
    ("_rlnOriginXAngst #8", "_rlnNormCorrection #8", "_rlnNormCorrection is -1.5, expected a positive number", "data_particles, row 2"),
    ("_rlnImageSize #7", "_rlnImageDimensionality #7", "subtomograms are not supported", "data_optics"),
    ("_rlnImageSize #7", "_rlnOddZernike #7", "", ""),
    ("data_particles", "data_other\n_a 1\n\ndata_images", "", ""),
    ("_rlnMicrographName #2", "_rlnImageName2 #2", "", ""),
])
def test_messages(changed: Changed, old: str, new: str, found: str, where: str) -> None:
    path = changed(old, new)
    if not found:  # a change that must be accepted
        assert len(read_particles(path)) == 3
        return
    with pytest.raises(VerglasError) as caught:
        read_particles(path)
    assert found in caught.value.found and where in caught.value.where and str(path) in caught.value.where and caught.value.remedy


def test_malformed_coefficients(changed: Changed) -> None:
    path = changed("_rlnImageSize #7", "_rlnImageSize #7\n_rlnOddZernike #8")
    text = path.read_text().replace("2.0 8\nog7", "2.0 8 [1,2]\nog7").replace("og7 7 200.0 1.4 0.1 2.0 8", "og7 7 200.0 1.4 0.1 2.0 8 [1,x]")
    path.write_text(text)
    with pytest.raises(VerglasError, match=r"_rlnOddZernike is '\[1,x\]', expected numbers as \[a,b,c\]") as caught:
        read_particles(path)
    assert "data_optics, row 2" in caught.value.where


def test_no_rows(project: Path) -> None:
    path = project / "job1" / "particles.star"
    head, _, _ = path.read_text().partition("000001@")
    path.write_text(head)
    with pytest.raises(VerglasError, match="the particle table has no rows"):
        read_particles(path)


def test_no_optics_rows(project: Path) -> None:
    path = project / "job1" / "particles.star"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("og")))
    with pytest.raises(VerglasError, match="no optics groups"):
        read_particles(path)


def test_another_kind_of_file(project: Path) -> None:
    (project / "m.star").write_text("data_micrographs\nloop_\n_rlnMicrographName\na.mrc\n")
    with pytest.raises(VerglasError, match=r"none of the blocks data_micrographs has a column _rlnImageName"):
        read_particles(project / "m.star")


def test_two_particle_tables(project: Path) -> None:
    (project / "m.star").write_text("data_a\nloop_\n_rlnImageName\n1@a\n\ndata_b\nloop_\n_rlnImageName\n1@a\n")
    with pytest.raises(VerglasError, match="several particle tables: data_a, data_b"):
        read_particles(project / "m.star")


def test_relion_30_without_its_optics_columns(project: Path) -> None:
    (project / "m.star").write_text("data_\nloop_\n_rlnImageName\n_rlnVoltage\n1@Extract/a.mrcs 300\n")
    with pytest.raises(VerglasError, match="missing columns _rlnDetectorPixelSize, _rlnMagnification, _rlnSphericalAberration"):
        read_particles(project / "m.star")


def test_a_missing_stack_lists_where_it_was_looked_for(project: Path) -> None:
    (project / "Extract" / "a.mrcs").unlink()
    with pytest.raises(VerglasError) as caught:
        project_root(project / "job1" / "particles.star")
    assert "Extract/a.mrcs is not there" in caught.value.found and str(project.resolve()) in caught.value.found
