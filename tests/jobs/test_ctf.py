"""ctf: its files, what is left out and why, what is refused at the door, and RELION reading the pictures."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.ctf_files import read_avrot
from verglas.io.labels import THICKNESS, TILT
from verglas.io.micrographs_star import read_micrographs, write_micrographs
from verglas.io.mrc import StackWriter, read_volume
from verglas.io.star_rows import text_column
from verglas.jobs.common import parse
from verglas.jobs.ctf_work import beside
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.ctffit import Aim, Lens
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data
from verglas.testing.thon_rings import Scene, micrograph
from verglas.types import Micrographs, OpticsGroup
from verglas.units import DEGREE

GROUP = OpticsGroup("glacios", 1, 200.0, 2.7, 0.1, 1.6, 0, 0.8)
TRUTH = Aim(14000.0, 200.0 * np.cos(1.0), 200.0 * np.sin(1.0))


def job(project: Path, **options: object) -> Path:
    found = find("ctf")
    return run_job(found, parse(found.params, options), Request(Resources(), project=project, quiet=True, command="verglas ctf"))


def refused(project: Path, **options: object) -> str:
    with pytest.raises(VerglasError) as error:
        job(project, **options)
    assert not (project / "CtfFind").exists()
    return str(error.value)


def star(project: Path, names: list[str], group: OpticsGroup = GROUP, **extra: np.ndarray) -> Path:
    path = project / "micrographs.star"
    write_micrographs(path, Micrographs((group,), text_column(names), np.zeros(len(names), dtype=int), dict(extra)))
    return path


def image(path: Path, lens: Lens, aim: Aim, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with StackWriter(path, 1.6) as stack:
        stack.append(micrograph(lens, aim, 1.6, 900, Scene(), seed)[None])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Good, without rings, cut short, good."""
    folder = tmp_path / "MotionCorr/job002/Movies"
    image(folder / "a.mrc", Lens.of(GROUP), TRUTH, 1)
    image(folder / "b.mrc", Lens(0.02, 0.0, np.pi / 2), Aim(0.0), 2)
    image(folder / "c.mrc", Lens.of(GROUP), TRUTH, 3)
    (folder / "c.mrc").write_bytes((folder / "c.mrc").read_bytes()[:5000])
    image(folder / "d.mrc", Lens.of(GROUP), TRUTH, 4)
    star(tmp_path, [f"MotionCorr/job002/Movies/{name}.mrc" for name in "abcd"], rlnAccumMotionTotal=np.arange(4.0))
    return tmp_path


def test_good_micrographs_get_their_defocus_and_bad_ones_a_reason(project: Path) -> None:
    folder = job(project, micrographs=project / "micrographs.star")
    table = read_micrographs(folder / "micrographs_ctf.star")
    assert [name[-5:] for name in table.name] == ["a.mrc", "d.mrc"]
    assert table.defocus is not None
    np.testing.assert_allclose(0.5 * (table.defocus.u + table.defocus.v), 14000, atol=60)
    np.testing.assert_allclose(table.defocus.u - table.defocus.v, 400, atol=100)
    np.testing.assert_allclose(table.defocus.angle / DEGREE, 0.5 / DEGREE, atol=8)
    assert table.extra["rlnAccumMotionTotal"].tolist() == [0.0, 3.0]
    assert (table.extra["rlnCtfMaxResolution"] < 8).all()
    assert table.extra["rlnCtfImage"][0] == f"{folder.relative_to(project)}/Movies/a.ctf:mrc"
    left = dict(line.split("\t", 1) for line in (folder / "left_out.txt").read_text().strip().split("\n") if "\t" in line)
    assert "no Thon rings" in left["MotionCorr/job002/Movies/b.mrc"]
    assert "truncated" in left["MotionCorr/job002/Movies/c.mrc"]
    assert read_volume(folder / "Movies/a.ctf")[0].shape[1:] == (512, 512)
    curves = read_avrot(folder / "Movies/a_avrot.txt")
    assert curves.shape[0] == 6
    strong = (curves[0] > 0.05) & (curves[0] < 0.1)
    assert np.corrcoef(curves[2][strong], curves[3][strong])[0, 1] > 0.8
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines() if line]
    assert {len(one) for one in rows[0]["row"]["curves"].values()} == {len(rows[0]["row"]["curves"]["k"])}


def test_tilt_and_thickness_are_in_the_table(project: Path) -> None:
    star(project, ["MotionCorr/job002/Movies/a.mrc"], verglasIceThickness=np.array([7.0]))
    folder = job(project, micrographs=project / "micrographs.star", tilt=True, thickness=True)
    table = read_micrographs(folder / "micrographs_ctf.star")
    angle, _, error = (float(table.extra[label][0]) for label in TILT)
    assert 0 < angle < 4 * error < 60
    assert [float(table.extra[label][0]) for label in THICKNESS[:2]] == [0, 0]
    assert 200 < float(table.extra[THICKNESS[2]][0]) < 2500
    shown = (folder / "run.out").read_text()
    assert "tilt: 1 of 1 found" in shown
    assert "thickness: 0 of 1 found; the rings of the others do not turn over" in shown
    done = subprocess.run([relion_program("relion_star_handler"), "--i", str(folder / "micrographs_ctf.star"), "--o", str(project / "out.star")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_micrographs(project / "out.star").defocus is not None


def same(one: Path, other: Path) -> None:
    """Within rounding: the sums of another process may run in another order."""
    table, again = (read_micrographs(folder / "micrographs_ctf.star") for folder in (one, other))
    assert table.name.tolist() == again.name.tolist()
    assert table.defocus is not None and again.defocus is not None
    np.testing.assert_allclose(table.defocus.u, again.defocus.u, rtol=1e-6)
    np.testing.assert_allclose(table.defocus.angle, again.defocus.angle, rtol=1e-4)


@pytest.mark.slow
def test_two_workers_write_the_same(project: Path) -> None:
    one = job(project, micrographs=project / "micrographs.star")
    two = job(project, micrographs=project / "micrographs.star", workers="2")
    same(one, two)


@pytest.mark.slow
def test_killed_and_continued_no_micrograph_is_fitted_twice(project: Path) -> None:
    whole = job(project, micrographs=project / "micrographs.star")
    command = [sys.executable, "-m", "verglas", "ctf"]
    process = subprocess.Popen([*command, "--micrographs", "micrographs.star", "--output", "job"], cwd=project, stdout=subprocess.DEVNULL)
    rows, until = project / "job" / "rows.jsonl", time.monotonic() + 120
    while not (rows.exists() and rows.read_text().count("\n")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    process.wait()
    before = next(line for line in rows.read_text().splitlines() if line)
    subprocess.run([*command, "--continue", "job"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in rows.read_text().splitlines() if line.endswith("}")]
    done = [line["key"] for line in lines if "row" in line]
    assert json.loads(before) == lines[0]
    assert sorted(done) == sorted(set(done)) and len(done) == 3
    same(whole, project / "job")


def test_relion_reads_the_picture(project: Path) -> None:
    star(project, ["MotionCorr/job002/Movies/a.mrc"])
    folder = job(project, micrographs=project / "micrographs.star")
    done = subprocess.run([relion_program("relion_image_handler"), "--i", f"{folder}/Movies/a.ctf:mrc", "--stats"], capture_output=True, text=True)
    assert "512 x 512" in done.stdout.replace("(x,y,z,n)= ", "").replace("  ", " "), done.stdout + done.stderr


def test_spectra_are_taken_with_the_pixel_size_of_their_header() -> None:
    """Real spectra, cut from 0.885 to 1.4 Å: with the pixel size of the micrographs the defocus would come out at 40 %."""
    from verglas.jobs.context import Context
    from verglas.jobs.ctf import prepared

    path = shared_data("bgal-project/MotionCorr/job002/corrected_micrographs.star")
    known = read_micrographs(shared_data("bgal-relion4/micrographs_ctf.star"))
    found = find("ctf")
    work = prepared(parse(found.params, {"micrographs": path}), Context(Path("/nowhere"), path.parents[2]))
    assert work.kind == "spectra"
    assert work.image(3)[1] == pytest.approx(1.39955, abs=1e-4)
    assert known.name[3] == work.micrographs.name[3]


def test_doors(project: Path) -> None:
    path = project / "micrographs.star"
    assert "no range" in refused(project, micrographs=path, min_defocus=20000, max_defocus=10000)
    assert "too few rings" in refused(project, micrographs=path, min_resolution=12, max_resolution=10)
    assert "rlnMicrographNameNoDW" in refused(project, micrographs=path, use_no_dw=True)
    assert "neither a number" in refused(project, micrographs=path, workers="many")
    spectra = star(project, ["MotionCorr/job002/Movies/a.mrc"], rlnCtfPowerSpectrum=text_column(["MotionCorr/job002/Movies/a.mrc"]))
    assert "--no-use-power-spectra" in refused(project, micrographs=spectra, tilt=True)
    missing = star(project, ["MotionCorr/job002/Movies/none.mrc"])
    assert "none.mrc" in refused(project, micrographs=missing)
    wrong = star(project, ["MotionCorr/job002/Movies/a.mrc"], OpticsGroup("x", 1, 200000.0, 2.7, 0.1, 1.6, 0, 1.6))
    assert "rlnVoltage is 200000" in refused(project, micrographs=wrong)


@pytest.mark.parametrize(("name", "root"), [
    ("MotionCorr/job002/Movies/a_PS.mrc", "Movies/a_PS"), ("mics/a.b.mrc", "mics/a.b"), ("/data/x/a.mrc", "data/x/a"), ("../x/a.mrc", "x/a"),
])
def test_where_files_go(name: str, root: str) -> None:
    assert str(beside(name)) == root
