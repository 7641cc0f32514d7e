"""The extract job: real apoferritin micrographs against relion_preprocess, extraction again and recentred, failures, doors."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.mrc import StackWriter, read_volume
from verglas.io.particles_star import read_particles, write_particles
from verglas.io.star import Table, read_star, write_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data
from verglas.types import Poses


def job(name: str, project: Path, request: Request | None = None, **options: object) -> Path:
    found = find(name)
    return run_job(found, parse(found.params, options), request or Request(Resources(), project=project, quiet=True))


def refused(project: Path, **options: object) -> str:
    with pytest.raises(VerglasError) as error:
        job("extract", project, **options)
    assert not (project / "Extract").exists()
    return str(error.value)


def texts(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=object)


def optics(pixel: float = 2.0) -> Table:
    return Table({
        "rlnOpticsGroupName": texts(["one"]), "rlnOpticsGroup": np.array([1]), "rlnMicrographOriginalPixelSize": np.array([pixel]),
        "rlnVoltage": np.array([300.0]), "rlnSphericalAberration": np.array([2.7]), "rlnAmplitudeContrast": np.array([0.1]),
        "rlnMicrographPixelSize": np.array([pixel]),
    })


def write_micrographs_star(path: Path, names: list[str], pixel: float = 2.0, ctf: bool = True) -> Path:
    columns = {"rlnMicrographName": texts(names), "rlnOpticsGroup": np.ones(len(names), dtype=np.int64)}
    if ctf:
        columns |= {"rlnDefocusU": 15000.0 + np.arange(len(names)), "rlnDefocusV": 14800.0 + np.arange(len(names)),
                    "rlnDefocusAngle": np.full(len(names), 30.0), "rlnCtfMaxResolution": np.full(len(names), 4.0)}
    write_star(path, {"optics": optics(pixel), "micrographs": Table(columns)})
    return path


def write_picks(path: Path, rows: list[tuple[str, float, float, float]]) -> Path:
    columns = dict(zip(("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"), zip(*rows)))
    write_star(path, {"particles": Table({label: texts(list(v)) if label.endswith("Name") else np.array(v) for label, v in columns.items()})})
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two micrographs of 96 x 80 px with ramps and noise, and picks."""
    rng = np.random.default_rng(0)
    (tmp_path / "MotionCorr" / "job002" / "movies").mkdir(parents=True)
    names = [f"MotionCorr/job002/movies/m{i}.mrc" for i in range(2)]
    for name in names:
        with StackWriter(tmp_path / name, 2.0) as writer:
            writer.append(rng.normal(100, 3, (1, 80, 96)).astype(np.float32))
    write_micrographs_star(tmp_path / "mics.star", names)
    picks = [(names[1], 40.2, 30.7, 1.0), (names[0], 20.0, 30.0, 0.5), (names[1], 4.0, 30.0, 0.7), (names[0], 60.0, 40.0, 2.0)]
    write_picks(tmp_path / "picks.star", picks)
    return tmp_path


def test_particles_follow_the_micrographs_and_carry_their_ctf(project: Path) -> None:
    folder = job("extract", project, micrographs=project / "mics.star", coordinates=project / "picks.star", box=32, rescale=16)
    found = read_particles(folder / "particles.star")
    assert found.images.stacks == ("Extract/job003/movies/m0.mrcs", "Extract/job003/movies/m1.mrcs")
    assert found.images.stack.tolist() == [0, 0, 1, 1] and found.images.index.tolist() == [0, 1, 0, 1]
    assert found.extra["rlnCoordinateX"].tolist() == [20.0, 60.0, 40.2, 4.0]
    assert found.extra["rlnAutopickFigureOfMerit"].tolist() == [0.5, 2.0, 1.0, 0.7]
    assert found.defocus.u.tolist() == [15000.0, 15000.0, 15001.0, 15001.0] and (found.extra["rlnCtfMaxResolution"] == 4).all()
    group = found.optics[0]
    assert (group.pixel_size, group.box, group.original_pixel_size) == (4.0, 16, 2.0)
    assert "rlnMicrographPixelSize" not in read_star(folder / "particles.star")["optics"]
    data, header = read_volume(project / found.images.stacks[0])
    assert header.mode == 12 and header.pixel_size == pytest.approx(4.0) and data.shape == (2, 16, 16)


def test_picks_by_figure_of_merit_and_edge(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "coordinates": project / "picks.star", "box": 32}
    best = read_particles(job("extract", project, **options, min_fom=0.7) / "particles.star")
    assert best.extra["rlnAutopickFigureOfMerit"].tolist() == [2.0, 1.0]
    inner = read_particles(job("extract", project, **options, edge="drop") / "particles.star")
    assert inner.extra["rlnCoordinateX"].tolist() == [20.0, 60.0, 40.2]


def test_extraction_again_with_the_same_options_gives_the_same_images(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "box": 32, "float16": False}
    first = job("extract", project, coordinates=project / "picks.star", **options)
    again = job("extract", project, particles=first / "particles.star", **options)
    third = job("extract", project, coordinates=again / "extractpick.star", **options)
    for name in ("movies/m0.mrcs", "movies/m1.mrcs"):
        assert (first / name).read_bytes()[1024:] == (again / name).read_bytes()[1024:] == (third / name).read_bytes()[1024:]


def test_recentred_windows_lie_around_the_particle_and_doing_it_twice_changes_nothing(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "box": 32, "float16": False, "normalise": False}
    first = read_particles(job("extract", project, coordinates=project / "picks.star", **options) / "particles.star")
    origin = np.array([[6.6, -4.2], [0.4, 0.0], [-2.0, 8.0], [-7.0, 1.0]])
    write_particles(project / "refined.star", replace(first, poses=Poses(first.poses.angles, origin)))
    folder = job("extract", project, particles=project / "refined.star", recentre=True, **options)
    moved = read_particles(folder / "particles.star")
    place = {axis: moved.extra[f"rlnCoordinate{axis}"] * 2.0 - moved.poses.origin[:, i] for i, axis in enumerate("XY")}
    assert np.allclose(place["X"], first.extra["rlnCoordinateX"] * 2.0 - origin[:, 0], atol=1e-6)
    assert np.allclose(place["Y"], first.extra["rlnCoordinateY"] * 2.0 - origin[:, 1], atol=1e-6)
    assert np.abs(moved.poses.origin).max() <= 1.0
    before, after = (read_volume(project / one.images.stacks[0])[0] for one in (first, moved))
    assert np.array_equal(after[0, 4:-4, 4:-4], before[0, 6:-2, 1:-7])  # origin (6.6, -4.2) Å: the window moves by (-3, 2) px
    second = read_particles(job("extract", project, particles=folder / "particles.star", recentre=True, **options) / "particles.star")
    assert np.array_equal(second.extra["rlnCoordinateX"], moved.extra["rlnCoordinateX"])
    forgotten = read_particles(job("extract", project, particles=project / "refined.star", reset_offsets=True, **options) / "particles.star")
    assert not forgotten.poses.origin.any() and np.array_equal(forgotten.extra["rlnCoordinateX"], first.extra["rlnCoordinateX"])


def test_a_broken_micrograph_costs_only_its_own_particles(project: Path) -> None:
    path = project / "MotionCorr/job002/movies/m0.mrc"
    data, _ = read_volume(path)
    data[0, 5, 5] = np.nan
    with StackWriter(path, 2.0) as writer:
        writer.append(data)
    folder = job("extract", project, micrographs=project / "mics.star", coordinates=project / "picks.star", box=32)
    assert read_particles(folder / "particles.star").extra["rlnCoordinateX"].tolist() == [40.2, 4.0]
    assert "not numbers" in (folder / "run.out").read_text()


def test_continuing_does_only_what_is_missing(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "coordinates": project / "picks.star", "box": 32}
    folder = job("extract", project, **options)
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "movies").iterdir()}
    rows = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    (folder / "rows.jsonl").write_text("".join(row for row in rows if "m1" not in row))
    request = Request(Resources(), output=folder, project=project, continuing=True, quiet=True)
    job("extract", project, request, **options)
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "movies").iterdir()}
    assert after["m0.mrcs"] == before["m0.mrcs"] and after["m1.mrcs"] > before["m1.mrcs"]
    write_picks(project / "picks.star", [("MotionCorr/job002/movies/m0.mrc", 30.0, 30.0, 1.0)])
    with pytest.raises(VerglasError, match="other coordinates"):
        job("extract", project, request, **options)


@pytest.mark.slow
def test_killed_among_two_workers_and_continued(project: Path) -> None:
    """Images and table are those of one process that was left alone."""
    rng = np.random.default_rng(3)
    names = [f"m{i}.mrc" for i in range(60)]
    for name in names:
        with StackWriter(project / name, 2.0) as writer:
            writer.append(rng.normal(100, 3, (1, 1024, 1024)).astype(np.float32))
    write_micrographs_star(project / "many.star", names)
    write_picks(project / "many_picks.star", [(name, *rng.uniform(0, 1024, 2), 1.0) for name in names for _ in range(200)])
    options = {"micrographs": project / "many.star", "coordinates": project / "many_picks.star", "box": 128, "rescale": 64}
    alone = job("extract", project, **options)
    verglas = [sys.executable, "-m", "verglas", "extract"]
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([*verglas, *flags, "--workers", "2", "--output", "Extract/job099"], cwd=project, stdout=subprocess.DEVNULL)
    folder = project / "Extract/job099"
    while not (folder / "rows.jsonl").exists() or (folder / "rows.jsonl").read_bytes().count(b"\n") < 5:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = (folder / "rows.jsonl").read_bytes().count(b"\n")
    assert done < 60 and not (folder / "particles.star").exists()
    subprocess.run([*verglas, "--continue", "Extract/job099"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    both = [read_star(one / "particles.star")["particles"] for one in (alone, folder)]
    for label, column in both[0].columns.items():
        other = both[1][label]
        if label == "rlnImageName":
            other = texts([name.replace("job099", alone.name) for name in other])
        assert np.array_equal(column, other), label
    for name in names:
        stack = Path(name).with_suffix(".mrcs")
        assert np.abs(read_volume(alone / stack)[0] - read_volume(folder / stack)[0]).max() < 2e-3


def test_dust_goes_and_other_pixel_sizes_are_told(project: Path) -> None:
    path = project / "MotionCorr/job002/movies/m0.mrc"
    data, _ = read_volume(path)
    data[0, 30, 20] = 500.0
    with StackWriter(path, 2.5) as writer:
        writer.append(data)
    options = {"micrographs": project / "mics.star", "coordinates": project / "picks.star", "box": 32, "invert": False}
    dusty, clean = (job("extract", project, **options, **more) for more in ({}, {"white_dust": 5.0}))
    assert read_volume(dusty / "movies/m0.mrcs")[0][0].max() > 50
    assert read_volume(clean / "movies/m0.mrcs")[0][0].max() < 6
    assert "has 2.5000 Å in its header" in (dusty / "run.out").read_text() and "says 2.0000 Å" in (dusty / "run.out").read_text()


def test_one_optics_group_in_micrographs_of_two_pixel_sizes_is_refused(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "box": 32}
    first = job("extract", project, coordinates=project / "picks.star", **options)
    table = read_star(project / "mics.star")
    groups = {label: np.concatenate([column, column]) for label, column in table["optics"].columns.items()}
    groups |= {"rlnOpticsGroup": np.array([1, 2]), "rlnMicrographPixelSize": np.array([2.0, 3.0])}
    rows = Table(table["micrographs"].columns | {"rlnOpticsGroup": np.array([1, 2])})
    write_star(project / "mics.star", {"optics": Table(groups), "micrographs": rows})
    with pytest.raises(VerglasError, match=r"optics group 1 lie in micrographs of 2 and 3 Å/px"):
        job("extract", project, particles=first / "particles.star", **options)


def test_signal_that_left_the_box_comes_back(tmp_path: Path) -> None:
    """A point seen through the CTF, times the CTF: as if the whole micrograph had been multiplied, less exactly in a window of the box."""
    size, box = 512, 64
    s = np.fft.fftfreq(size, 2.0)
    k2 = s[:, None] ** 2 + s[None] ** 2
    ctf = np.sin(np.pi * 0.0196876 * 15000.0 * k2 - np.pi / 2 * 2.7e7 * 0.0196876**3 * k2**2 + np.arcsin(0.1)) * (k2 < 0.2**2)
    seen, back = (np.fft.fftshift(np.fft.ifft2(one).real).astype(np.float32) * 1e4 for one in (ctf, ctf**2))
    with StackWriter(tmp_path / "m.mrc", 2.0) as writer:
        writer.append(seen[None])
    write_micrographs_star(tmp_path / "mics.star", ["m.mrc"])
    table = read_star(tmp_path / "mics.star")
    for label in ("rlnDefocusU", "rlnDefocusV"):
        table["micrographs"].columns[label] = np.array([15000.0])
    write_star(tmp_path / "mics.star", table)
    write_picks(tmp_path / "picks.star", [("m.mrc", 256.0, 256.0, 1.0)])
    wanted = back[256 - 32:256 + 32, 256 - 32:256 + 32]
    errors = {}
    for window in (None, 64):
        folder = job("extract", tmp_path, micrographs=tmp_path / "mics.star", coordinates=tmp_path / "picks.star", box=box, ctf="multiply",
                     ctf_box=window, normalise=False, invert=False, float16=False)
        found = read_volume(folder / "m.mrcs")[0][0]
        errors[window] = float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted).mean()))
    assert errors[None] < 0.02 and errors[None] < errors[64] / 3, errors


def test_without_ctf_there_are_no_columns_of_it(project: Path) -> None:
    write_micrographs_star(project / "bare.star", [f"MotionCorr/job002/movies/m{i}.mrc" for i in range(2)], ctf=False)
    folder = job("extract", project, micrographs=project / "bare.star", coordinates=project / "picks.star", box=32)
    table = read_star(folder / "particles.star")["particles"]
    assert len(table) == 4 and not any("Defocus" in label for label in table.columns)
    assert "no CTF" in (folder / "run.out").read_text()


def test_doors(project: Path) -> None:
    both = {"micrographs": project / "mics.star", "coordinates": project / "picks.star"}
    assert "must be even" in refused(project, **both, box=31)
    assert "larger than --box" in refused(project, **both, box=32, rescale=64)
    assert "smaller than --box" in refused(project, **both, box=88)
    assert "either --coordinates or --particles" in refused(project, micrographs=project / "mics.star", box=32)
    assert "is for --particles" in refused(project, **both, box=32, recentre=True)
    assert "beyond the image" in refused(project, **both, box=32, background_diameter=100)
    write_picks(project / "other.star", [("elsewhere.mrc", 10.0, 10.0, 1.0)])
    assert "none of its 1 micrographs (elsewhere.mrc)" in refused(project, **both | {"coordinates": project / "other.star"}, box=32)
    (project / "MotionCorr/job002/movies/m1.mrc").unlink()
    assert "there is no micrograph" in refused(project, **both, box=32)


@pytest.mark.parametrize(("ours", "theirs"), [
    ({"rescale": 64}, ["--scale", "64", "--norm", "--bg_radius", "24", "--invert_contrast"]),
    ({"background_diameter": 180.0, "invert": False}, ["--norm", "--bg_radius", "60"]),
    ({"normalise": False, "invert": False, "crop": 100}, ["--window", "100"]),
])
def test_images_are_relions_on_real_micrographs(tmp_path: Path, ours: dict[str, object], theirs: list[str]) -> None:
    """All manual picks of one apoferritin micrograph (unscaled: of 16 bits, full range), and three beyond its edges."""
    program, data = relion_program("relion_preprocess"), shared_data("apoferritin")
    name = "mics/May08_03.05.02.mrc"
    (tmp_path / "mics").symlink_to(data)
    table = read_star(data / "manual_picks.star")["particles"]
    chosen = table["rlnMicrographName"] == "May08_03.05.02.mrc"
    xy = np.stack([table[f"rlnCoordinate{axis}"][chosen] for axis in "XY"], axis=1)
    xy = np.concatenate([xy, [(3.7, 5.2), (1238.9, 1199.5), (600.6, 1100.4)]])
    write_micrographs_star(tmp_path / "mics.star", [name], pixel=1.5)
    write_picks(tmp_path / "picks.star", [(name, x, y, 1.0) for x, y in xy])
    folder = job("extract", tmp_path, micrographs=tmp_path / "mics.star", coordinates=tmp_path / "picks.star", box=128, float16=False, **ours)
    (tmp_path / "picks" / "mics").mkdir(parents=True)
    write_star(tmp_path / "picks/mics/May08_03.05.02_pick.star", {"": Table({"rlnCoordinateX": xy[:, 0], "rlnCoordinateY": xy[:, 1]})})
    places = ["--coord_suffix", "_pick.star", "--coord_dir", "picks/", "--part_star", "rel.star", "--part_dir", "Rel/"]
    command = [program, "--i", "mics.star", *places, "--extract", "--extract_size", "128", *theirs]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found, _ = read_volume(folder / "mics/May08_03.05.02.mrcs")
    expected, _ = read_volume(tmp_path / "Rel/mics/May08_03.05.02.mrcs")
    assert len(found) == len(xy) and np.abs(found - expected).max() < 2e-6 * np.abs(expected).max()
    mine, relions = read_particles(folder / "particles.star"), read_particles(tmp_path / "rel.star")
    assert mine.optics[0].pixel_size == relions.optics[0].pixel_size and mine.optics[0].box == relions.optics[0].box
    for label in ("rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"):
        assert np.array_equal(mine.extra[label], relions.extra[label])
    assert np.array_equal(mine.defocus.u, relions.defocus.u) and np.allclose(mine.defocus.angle, relions.defocus.angle)


def test_recentred_images_are_relions(tmp_path: Path) -> None:
    """Around a point off the centre of the reference, at half the scale, from particles with random poses and offsets."""
    program, data = relion_program("relion_preprocess"), shared_data("apoferritin")
    (tmp_path / "mics").symlink_to(data)
    names = sorted(f"mics/{path.name}" for path in data.glob("*.mrc"))[:2]
    write_micrographs_star(tmp_path / "mics.star", names, pixel=1.5)
    options = {"micrographs": tmp_path / "mics.star", "box": 128, "float16": False}
    first = read_particles(job("extract", tmp_path, coordinates=data / "manual_picks.star", **options) / "particles.star")
    rng = np.random.default_rng(0)
    n = len(first)
    write_particles(tmp_path / "refined.star", replace(first, poses=Poses(rng.uniform(-3, 3, (n, 3)), rng.normal(0, 6, (n, 2)))))
    folder = job("extract", tmp_path, particles=tmp_path / "refined.star", rescale=64, recentre=True, recentre_x=9.0, recentre_y=-4.5,
                 recentre_z=12.0, **options)
    point = ["--recenter", "--recenter_x", "6", "--recenter_y", "-3", "--recenter_z", "8", "--ref_angpix", "1.5"]
    made = ["--scale", "64", "--norm", "--bg_radius", "24", "--invert_contrast", "--part_star", "rel.star", "--part_dir", "Rel/"]
    command = [program, "--i", "mics.star", "--reextract_data_star", "refined.star", *point, "--extract", "--extract_size", "128", *made]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    mine, relions = read_particles(folder / "particles.star"), read_particles(tmp_path / "rel.star")
    assert len(mine) == len(relions) == n and np.abs(mine.poses.origin - relions.poses.origin).max() < 1e-4
    assert np.array_equal(mine.extra["rlnCoordinateX"], relions.extra["rlnCoordinateX"])
    for one, other in zip(mine.images.stacks, relions.images.stacks):
        assert np.abs(read_volume(tmp_path / one)[0] - read_volume(tmp_path / other)[0]).max() < 1e-5


def test_images_times_their_ctf_are_marked_and_filtered(project: Path) -> None:
    options = {"micrographs": project / "mics.star", "coordinates": project / "picks.star", "box": 32, "float16": False, "normalise": False,
               "invert": False, "edge": "drop"}
    plain, times, flipped = (read_particles(job("extract", project, **options, ctf=kind, **box) / "particles.star")
                             for kind, box in (("none", {}), ("multiply", {"ctf_box": 32}), ("flip", {"ctf_box": 32})))
    assert times.optics[0].ctf_premultiplied and flipped.optics[0].phase_flipped and not plain.optics[0].ctf_premultiplied
    s = np.fft.fftfreq(32, 2.0)
    sx, sy = np.meshgrid(s, s)
    k2, wave = sx**2 + sy**2, 0.0196876
    depth = 14900 + 100 * np.cos(2 * (np.arctan2(sy, sx) - np.radians(30)))
    ctf = np.sin(np.pi * wave * depth * k2 - np.pi / 2 * 2.7e7 * wave**3 * k2**2 + np.arcsin(0.1))
    before, after, phases = (np.fft.fft2(read_volume(project / one.images.stacks[0])[0][0]) for one in (plain, times, flipped))
    inner = (k2 > 0) & (np.abs(sx) < 0.24) & (np.abs(sy) < 0.24)
    assert np.abs(after - ctf * before)[inner].max() < 2e-3 * np.abs(before[inner]).max()
    assert np.abs(np.abs(phases) - np.abs(before))[inner].max() < 1e-3 * np.abs(before[inner]).max()
