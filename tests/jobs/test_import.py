"""Import: patterns, links, optics groups of several imports; particles of other programs; groups assigned anew."""

from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.micrographs_star import read_micrographs
from verglas.io.mrc import StackWriter, read_volume, write_map
from verglas.io.particles_star import read_particles
from verglas.io.star import Table, read_star, write_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.optics import clusters
from verglas.runtime.resources import Resources
from verglas.testing.data import shared_data
from verglas.types import Map


def job(name: str, project: Path, again: Path | None = None, **options: object) -> Path:
    request = Request(Resources(), project=project, quiet=True, output=again, continuing=again is not None)
    return run_job(find(name), parse(find(name).params, options), request)


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_movies_of_a_pattern_in_natural_order_with_their_microscope(tmp_path: Path) -> None:
    touch(tmp_path / "Movies", "m10.tiff", "m2.tiff", "m1.tiff", "notes.txt")
    touch(tmp_path, "gain.mrc", "mtf.star")
    folder = job("import movies", tmp_path, movies="Movies/*", pixel_size=0.885, voltage=200, cs=1.4, dose=1.277, gain=tmp_path / "gain.mrc",
                 mtf=tmp_path / "mtf.star", beam_tilt_x=0.3, optics_group="day-1")
    table = read_star(folder / "movies.star")["movies"]
    assert table["rlnMicrographMovieName"].tolist() == ["Movies/m1.tiff", "Movies/m2.tiff", "Movies/m10.tiff"]
    assert (table["rlnMicrographDoseRate"] == 1.277).all() and set(table["rlnMicrographGainName"]) == {"gain.mrc"}
    found = read_micrographs(folder / "movies.star")
    group = found.optics[0]
    assert found.movies and (group.name, group.voltage_kv, group.cs_mm, group.amplitude_contrast) == ("day-1", 200.0, 1.4, 0.1)
    assert group.beam_tilt_mrad == (0.3, 0.0) and group.mtf_file == "mtf.star" and group.original_pixel_size == 0.885


def test_ten_thousand_movies_and_nothing_new_the_second_time(tmp_path: Path) -> None:
    touch(tmp_path / "Movies", *(f"m{i}.eer" for i in range(10000)))
    folder = job("import movies", tmp_path, movies="Movies/*.eer", pixel_size=1.0)
    assert len(read_micrographs(folder / "movies.star")) == 10000
    before = (folder / "movies.star").stat().st_mtime_ns
    job("import movies", tmp_path, folder, movies="Movies/*.eer", pixel_size=1.0)
    assert (folder / "movies.star").stat().st_mtime_ns == before
    touch(tmp_path / "Movies", "z.eer")
    job("import movies", tmp_path, folder, movies="Movies/*.eer", pixel_size=1.0)
    assert read_micrographs(folder / "movies.star").name[-1] == "Movies/z.eer"


def test_groups_of_several_imports(tmp_path: Path) -> None:
    touch(tmp_path / "a", "1.tif")
    touch(tmp_path / "b", "1.tif", "2.tif")
    folder = job("import movies", tmp_path, movies="a/*", pixel_size=1.0, optics_group="one")
    job("import movies", tmp_path, folder, movies="b/1.tif", pixel_size=1.0, optics_group="two", dose=1.5)
    job("import movies", tmp_path, folder, movies="b/2.tif", pixel_size=1.0, optics_group="one")
    found = read_micrographs(folder / "movies.star")
    assert [(group.name, group.group) for group in found.optics] == [("one", 1), ("two", 2)]
    assert found.optics_index.tolist() == [0, 1, 0] and found.extra["rlnMicrographDoseRate"].tolist() == [0.0, 1.5, 0.0]
    with pytest.raises(VerglasError, match=r"b/1.tif is listed already, in optics group two"):
        job("import movies", tmp_path, folder, movies="b/*", pixel_size=1.0, optics_group="one")
    with pytest.raises(VerglasError, match=r"voltage_kv 300\.0 there and 200\.0 now"):
        job("import movies", tmp_path, folder, movies="b/*", pixel_size=1.0, optics_group="two", voltage=200)


def test_files_elsewhere_are_linked(tmp_path: Path) -> None:
    project, data = tmp_path / "project", tmp_path / "data"
    project.mkdir()
    touch(data / "grid1", "x.tiff")
    touch(data / "grid2", "x.tiff")
    folder = job("import movies", project, movies=str(data / "*" / "*.tiff"), pixel_size=1.0)
    names = read_micrographs(folder / "movies.star").name.tolist()
    assert names == ["Import/job001/Movies/grid1/x.tiff", "Import/job001/Movies/grid2/x.tiff"]
    assert [(project / name).resolve() for name in names] == [data / "grid1" / "x.tiff", data / "grid2" / "x.tiff"]
    assert (project / names[0]).is_symlink()


def test_import_doors(tmp_path: Path) -> None:
    touch(tmp_path, "a.tiff")
    for match, options in {
        "matches b": {"movies": "b*"}, "letters, digits": {"movies": "a.tiff", "optics_group": "a b"}, "of the kinds": {"movies": "a.*x"},
    }.items():
        with pytest.raises(VerglasError, match=match):
            job("import movies", tmp_path, **{"pixel_size": 1.0} | options)
    with StackWriter(tmp_path / "stack.mrc", 1.0) as writer:
        writer.append(np.zeros((2, 8, 8), dtype=np.float32))
    with pytest.raises(VerglasError, match="2 sections"):
        job("import micrographs", tmp_path, micrographs="stack.mrc", pixel_size=1.0)
    assert not (tmp_path / "Import").exists()


def test_real_micrographs_become_micrographs_star(tmp_path: Path) -> None:
    data = shared_data("apoferritin")
    folder = job("import micrographs", tmp_path, micrographs=str(data / "*.mrc"), pixel_size=1.5, cs=0.01, amplitude_contrast=0.07)
    found = read_micrographs(folder / "micrographs.star")
    assert len(found) == 8 and not found.movies and found.optics[0].pixel_size == 1.5
    assert read_volume(tmp_path / found.name[0])[1].shape == (1, 1200, 1240)


def test_particles_elsewhere_are_linked_and_cryosparc_files_are_read(tmp_path: Path) -> None:
    data = shared_data("particles-small/cryodrgn-tests")
    folder = job("import particles", tmp_path, particles=data / "empiar_10076_7.cs")
    found = read_particles(folder / "particles.star")
    assert found.images.stacks == ("Import/job001/Particles/empiar_10076_7.mrcs",) and (tmp_path / found.images.stacks[0]).is_symlink()
    given = read_star(data / "empiar_10076_7.star")[""]
    assert np.allclose(found.defocus.u, given["rlnDefocusU"], atol=1e-3) and np.allclose(np.rad2deg(found.defocus.angle), 5.28, atol=1e-5)
    assert found.optics[0].pixel_size == pytest.approx(5e4 / 38168, rel=1e-6) and found.optics[0].box == 320
    inverted = job("import particles", tmp_path, particles=data / "empiar_10076_7.cs", invert=True)
    before, after = (read_volume(path)[0] for path in (data / "empiar_10076_7.mrc", inverted / "Particles" / "empiar_10076_7.mrcs"))
    assert np.array_equal(after, -before)


def test_particles_go_to_cryosparc_and_come_back(tmp_path: Path) -> None:
    first = job("import particles", tmp_path, particles=shared_data("bgal-project/derived/particles_with_poses.star"), optics_group="bgal")
    folder = job("export cryosparc", tmp_path, particles=first / "particles.star")
    back = read_particles(job("import particles", tmp_path, particles=folder / "particles.cs", stacks=tmp_path) / "particles.star")
    given = read_particles(first / "particles.star")
    assert given.images.stacks == back.images.stacks and np.array_equal(given.images.index, back.images.index)
    assert np.array_equal(given.half, back.half) and np.abs(given.poses.origin - back.poses.origin).max() < 1e-4
    assert np.abs(given.defocus.u - back.defocus.u).max() < 2e-3 and given.optics[0].voltage_kv == back.optics[0].voltage_kv
    assert given.optics[0].name == "bgal"


def movies(tmp_path: Path, names: list[str]) -> Path:
    touch(tmp_path / "Movies", *names)
    return job("import movies", tmp_path, movies="Movies/*", pixel_size=1.0) / "movies.star"


def test_groups_from_names(tmp_path: Path) -> None:
    names = [f"FoilHole_{i}_Data_7_{shot}_2020_Fractions.tiff" for i in (1, 2) for shot in (10, 9)]
    folder = job("assign-optics", tmp_path, input=movies(tmp_path, names), pattern=r"_Data_\d+_(\d+)_")
    found = read_micrographs(folder / "movies.star")
    assert [group.name for group in found.optics] == ["opticsGroup1_9", "opticsGroup1_10"]
    assert {found.optics[i].name.rpartition("_")[2] for i in found.optics_index} == {"9", "10"}
    assert all(f"_7_{found.optics[i].name.rpartition('_')[2]}_" in name for i, name in zip(found.optics_index, found.name))
    with pytest.raises(VerglasError, match="does not match"):
        job("assign-optics", tmp_path, input=folder / "movies.star", pattern="_X(.)")


def test_groups_from_beam_shifts_and_passed_on_to_particles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"FoilHole_{i}_Data_1_2_3_Fractions.tiff" for i in range(36)]
    truth = np.arange(36) % 9
    (tmp_path / "EPU").mkdir()
    for i, name in enumerate(names):
        x, y = np.array([truth[i] % 3, truth[i] // 3]) * 0.04 + rng.normal(0, 4e-4, 2)
        (tmp_path / "EPU" / name.replace("_Fractions.tiff", ".xml")).write_text(
            '<MicroscopeImage xmlns="http://schemas.datacontract.org/2004/07/Fei.SharedObjects"><microscopeData><optics>'
            f'<BeamShift xmlns:a="http://schemas.datacontract.org/2004/07/Fei.Types"><a:_x>{x}</a:_x><a:_y>{y}</a:_y></BeamShift>'
            "</optics></microscopeData></MicroscopeImage>")
    folder = job("assign-optics", tmp_path, input=movies(tmp_path, names), epu="EPU/*.xml")
    found = read_micrographs(folder / "movies.star")
    assert len(found.optics) == 9
    number = [int(Path(name).name.split("_")[1]) for name in found.name]
    pairs = set(zip(found.optics_index.tolist(), truth[number].tolist()))
    assert len(pairs) == 9
    write_star(tmp_path / "particles.star", {
        "optics": Table({"rlnOpticsGroupName": np.array(["x"], dtype=object), "rlnOpticsGroup": np.array([1]), "rlnVoltage": np.array([200.0]),
                         "rlnSphericalAberration": np.array([1.0]), "rlnAmplitudeContrast": np.array([0.1]), "rlnImagePixelSize": np.array([4.0]),
                         "rlnImageSize": np.array([64])}),
        "particles": Table({"rlnImageName": np.array([f"00000{i + 1}@a.mrcs" for i in range(3)], dtype=object),
                            "rlnOpticsGroup": np.ones(3, dtype=int),
                            "rlnMicrographName": np.array([f"MotionCorr/job002/Movies/{names[i][:-5]}.mrc" for i in (0, 9, 4)], dtype=object)}),
    })
    tables = read_star(job("assign-optics", tmp_path, input=tmp_path / "particles.star", optics=folder / "movies.star") / "particles.star")
    assert len(tables["optics"]) == 2 and (tables["optics"]["rlnImagePixelSize"] == 4).all() and (tables["optics"]["rlnVoltage"] == 300).all()
    group = tables["particles"]["rlnOpticsGroup"]
    assert group[0] == group[1] != group[2]


def test_clusters_of_noise_are_one_and_their_number_can_be_given() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=(200, 2))
    assert clusters(one).max() == 0 and clusters(np.zeros((5, 2))).max() == 0
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 7.0]])
    truth = rng.integers(0, 3, 3000)
    found = clusters(centres[truth] + rng.normal(0, 0.05, (3000, 2)))
    assert len(set(zip(found.tolist(), truth.tolist()))) == 3
    assert clusters(centres[truth] + rng.normal(0, 0.05, (3000, 2)), 2).max() == 1


def test_picks_of_other_programs_belong_to_the_micrographs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "mics").mkdir(exist_ok=True)
        with StackWriter(tmp_path / "mics" / f"{name}.mrc", 2.0) as writer:
            writer.append(np.random.default_rng(0).normal(size=(1, 64, 64)).astype(np.float32))
    touch(tmp_path / "picks")
    (tmp_path / "picks" / "a.box").write_text("10 12 20 20\n30 30 20 20\n")
    (tmp_path / "picks" / "b.box").write_text("0 0 20 20\n")
    (tmp_path / "picks" / "c.box").write_text("0 0 20 20\n")
    micrographs = job("import micrographs", tmp_path, micrographs="mics/*", pixel_size=2.0) / "micrographs.star"
    folder = job("import coordinates", tmp_path, coordinates="picks/*.box", micrographs=micrographs)
    assert "c; left out" in (folder / "run.out").read_text()
    extracted = read_star(job("extract", tmp_path, micrographs=micrographs, coordinates=folder / "coordinates.star", box=16) / "particles.star")
    assert extracted["particles"]["rlnCoordinateX"].tolist() == [20.0, 40.0, 10.0]
    with pytest.raises(VerglasError, match="belongs to a micrograph"):
        job("import coordinates", tmp_path, coordinates="picks/c.box", micrographs=micrographs)


def test_maps_are_linked_and_half_maps_come_in_pairs(tmp_path: Path) -> None:
    touch(tmp_path / "in")
    for name in ("run_half1_class001_unfil.mrc", "run_half2_class001_unfil.mrc"):
        write_map(tmp_path / "in" / name, Map(np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32), 2.0))
    folder = job("import maps", tmp_path, maps="in/run_half1_class001_unfil.mrc")
    assert (folder / "run_half2_class001_unfil.mrc").resolve() == tmp_path / "in" / "run_half2_class001_unfil.mrc"
    (tmp_path / "in" / "run_half2_class001_unfil.mrc").unlink()
    with pytest.raises(VerglasError, match="no run_half2"):
        job("import maps", tmp_path, maps="in/run_half1_class001_unfil.mrc")
