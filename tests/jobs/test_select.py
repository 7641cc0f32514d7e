"""select: rows by class, score, column and half; joined files; parts; duplicates; nothing lost, and doors that say what to do."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.particles_star import read_particles
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_rows import text_column
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data


def select(tmp_path: Path, seed: int = 0, **options: object) -> Path:
    job = find("select")
    request = Request(Resources(seed=seed), project=tmp_path, quiet=True, command="verglas select")
    return run_job(job, parse(job.params, options), request)


def refused(tmp_path: Path, **options: object) -> str:
    """The message of a job that must not start; no job folder may be left."""
    with pytest.raises(VerglasError) as error:
        select(tmp_path, **options)
    assert not (tmp_path / "Select").exists()
    assert error.value.remedy
    return str(error.value)


def optics(names: tuple[str, ...] = ("opticsGroup1",), voltage: float = 300.0, **more: np.ndarray) -> Table:
    n = len(names)
    columns: dict[str, np.ndarray] = {
        "rlnOpticsGroupName": text_column(names), "rlnOpticsGroup": np.arange(1, n + 1), "rlnMicrographOriginalPixelSize": np.full(n, 2.0),
        "rlnVoltage": np.full(n, voltage), "rlnSphericalAberration": np.full(n, 2.7), "rlnAmplitudeContrast": np.full(n, 0.1),
        "rlnImagePixelSize": np.full(n, 4.0), "rlnImageSize": np.full(n, 64), "rlnImageDimensionality": np.full(n, 2),
    }
    return Table(columns | more)


def rows(n: int = 12, stack: str = "a.mrcs", **more: np.ndarray) -> Table:
    columns: dict[str, np.ndarray] = {
        "rlnImageName": text_column(f"{i + 1:06d}@{stack}" for i in range(n)),
        "rlnMicrographName": text_column(f"m{i // 6}.mrc" for i in range(n)), "rlnOpticsGroup": np.ones(n, dtype=np.int64),
        "rlnCoordinateX": 100.0 * np.arange(n), "rlnCoordinateY": np.full(n, 50.0),
        "rlnDefocusU": 10000.0 + 100 * np.arange(n), "rlnDefocusV": 10000.0 + 90 * np.arange(n),
        "rlnClassNumber": np.arange(n) % 4 + 1, "rlnRandomSubset": np.arange(n) % 2 + 1,
        "rlnSomethingNew": np.arange(n) * 1.5, "otherText": text_column(f"word {i}" for i in range(n)),
    }
    return Table(columns | more)


def saved(path: Path, table: Table, groups: Table | None = None) -> str:
    write_star(path, {"optics": groups or optics(), "particles": table})
    return str(path)


def kept(folder: Path, name: str = "particles.star") -> list[int]:
    """Image numbers from 0."""
    return [int(one[:6]) - 1 for one in read_star(folder / name)["particles"]["rlnImageName"]]


def test_classes_keep_all_columns_and_values(tmp_path: Path) -> None:
    folder = select(tmp_path, particles=saved(tmp_path / "p.star", rows()), classes="1,3-4")
    assert kept(folder) == [i for i in range(12) if i % 4 != 1]
    table, given = read_star(folder / "particles.star")["particles"], rows()
    assert list(table.columns) == list(given.columns)
    for label, column in given.columns.items():
        assert table[label].tolist() == column[np.arange(12) % 4 != 1].tolist(), label
    assert read_particles(folder / "particles.star", tmp_path).extra["otherText"][1] == "word 2"
    assert "kept 9 of 12" in (folder / "run.out").read_text()
    assert '"kept": 9' in (folder / "events.jsonl").read_text()


def test_conditions_add_up(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.star", rows())
    folder = select(tmp_path, particles=path, half=1, column="_rlnDefocusU", minimum=10200, maximum=10800)
    assert kept(folder) == [2, 4, 6, 8]


def test_classes_of_a_model(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.star", rows())
    model = Table({"rlnReferenceImage": text_column("abcd"), "rlnClassDistribution": np.array([0.4, 0.3, 0.2, 0.1]),
                   "rlnEstimatedResolution": np.array([8.0, np.inf, 12.0, 9.0]), "verglasClassScore": np.array([0.9, 0.1, 0.2, 0.8])})
    write_star(tmp_path / "model.star", {"model_classes": model})
    ask = {"particles": path, "model": tmp_path / "model.star"}
    assert kept(select(tmp_path, **ask, min_rank=0.5)) == [0, 3, 4, 7, 8, 11]
    assert kept(select(tmp_path, **ask, max_class_resolution=10, min_class_fraction=0.2)) == [0, 4, 8]
    assert kept(select(tmp_path, **ask, max_class_resolution=15)) == [i for i in range(12) if i % 4 != 1]


def test_duplicates_are_found_in_the_pixels_of_the_micrograph(tmp_path: Path) -> None:
    """Rows 0 and 1 are 100 px of 2 Å apart, but their origins bring the centres to 20 Å; row 1 is the better one."""
    origin = np.zeros(12)
    origin[0], origin[1] = -90.0, 90.0
    better = np.full(12, 0.5)
    better[1] = 0.9
    path = saved(tmp_path / "p.star", rows(rlnOriginXAngst=origin, rlnOriginYAngst=np.zeros(12), rlnMaxValueProbDistribution=better))
    assert kept(select(tmp_path, particles=path, remove_duplicates=30)) == list(range(1, 12))
    assert kept(select(tmp_path, particles=path, remove_duplicates=15)) == list(range(12))
    path = saved(tmp_path / "q.star", rows(rlnOriginXAngst=origin))
    assert kept(select(tmp_path, particles=path, remove_duplicates=30)) == [0, *range(2, 12)]
    path = saved(tmp_path / "r.star", rows())
    assert kept(select(tmp_path, particles=path, remove_duplicates=30, micrograph_pixel_size=0.2)) == [0, 2, 4, 6, 8, 10]


def test_parts(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.star", rows())
    folder = select(tmp_path, particles=path, split=5)
    found = [kept(folder, f"particles_split{k}.star") for k in range(1, 6)]
    dealt = [row for part in found for row in part]
    assert sorted(dealt) == list(range(12)) and dealt != list(range(12))
    assert kept(select(tmp_path, particles=path, split=5), "particles_split1.star") == found[0]
    assert kept(select(tmp_path, seed=1, particles=path, split=5), "particles_split1.star") != found[0]
    folder = select(tmp_path, particles=path, split_size=5, in_order=True)
    assert kept(folder, "particles_split3.star") == [10, 11]


def test_equal_optics_groups_are_merged_and_others_get_their_own_number_and_name(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.star", rows(4), optics(("grid", "other")))
    two = saved(tmp_path / "2.star", rows(4, "b.mrcs", rlnOpticsGroup=np.array([1, 1, 2, 2])), optics(("new", "grid")))
    three = saved(tmp_path / "3.star", rows(4, "c.mrcs"), optics(("grid",), voltage=200.0))
    folder = select(tmp_path, particles=f"{one}, {two},{three}")
    blocks = read_star(folder / "particles.star")
    assert blocks["optics"]["rlnOpticsGroupName"].tolist() == ["grid", "other", "new", "grid_2"]
    assert blocks["optics"]["rlnOpticsGroup"].tolist() == [1, 2, 3, 4]
    assert blocks["particles"]["rlnOpticsGroup"].tolist() == [1] * 4 + [3, 3, 1, 1] + [4] * 4
    assert read_particles(folder / "particles.star", tmp_path).optics[3].voltage_kv == 200.0


def test_columns_that_one_file_lacks_are_filled_and_told(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.star", rows(2, rlnNormCorrection=np.array([0.5, 0.6]), rlnMyName=text_column("xy")))
    two = saved(tmp_path / "2.star", rows(2, "b.mrcs"), optics(rlnBeamTiltX=np.array([0.3])))
    folder = select(tmp_path, particles=f"{one},{two}")
    table = read_star(folder / "particles.star")
    assert table["particles"]["rlnNormCorrection"].tolist() == [0.5, 0.6, 1.0, 1.0]
    assert table["particles"]["rlnMyName"].tolist() == ["x", "y", "None", "None"]
    assert table["optics"]["rlnBeamTiltX"].tolist() == [0.0, 0.3]
    assert "2.star has no column _rlnMyName; filled with None" in (folder / "run.out").read_text()


def test_the_same_images_twice_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.star", rows(3))
    assert "3 names in _rlnImageName appear more than once" in (select(tmp_path, particles=f"{path},{path}") / "run.out").read_text()


def test_micrographs(tmp_path: Path) -> None:
    table = Table({"rlnMicrographName": text_column(["a.mrc", "b.mrc"]), "rlnOpticsGroup": np.ones(2, dtype=np.int64),
                   "rlnCtfMaxResolution": np.array([3.5, 9.0])})
    write_star(tmp_path / "ctf.star", {"optics": optics(), "micrographs": table})
    folder = select(tmp_path, micrographs=str(tmp_path / "ctf.star"), column="rlnCtfMaxResolution", maximum=5)
    assert read_star(folder / "micrographs.star")["micrographs"]["rlnMicrographName"].tolist() == ["a.mrc"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to select by"),
        ({"classes": "1,9"}, "no rows of class 9; there are 1, 2, 3, 4"),
        ({"classes": "1,x"}, "'x' is not a class number"),
        ({"column": "rlnDefocus", "minimum": 1}, "missing column _rlnDefocus"),
        ({"column": "otherText", "minimum": 1}, "holds text such as 'word 0'"),
        ({"column": "rlnDefocusU"}, "belong together"),
        ({"column": "rlnDefocusU", "minimum": 1e6}, "nothing is left: rlnDefocusU >= 1e+06 removes all 12"),
        ({"column": "rlnDefocusU", "minimum": 3, "maximum": 2}, "is above --maximum"),
        ({"min_rank": 0.5}, "--min-rank needs the table of the classes"),
        ({"half": 3}, "--half 3: must be one of 1, 2"),
        ({"split": 13}, "only 12 particles are left"),
        ({"split": 2, "split_size": 2}, "exclude each other"),
    ],
)
def test_wrong_wishes_are_explained(tmp_path: Path, options: dict[str, object], words: str) -> None:
    assert words in refused(tmp_path, particles=saved(tmp_path / "p.star", rows()), **options)


def test_wrong_files_are_explained(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.star", rows())
    assert "no.star: cannot be read" in refused(tmp_path, particles="no.star", half=1)
    write_star(tmp_path / "m.star", {"model_classes": Table({"rlnReferenceImage": text_column("ab")})})
    assert "missing column _verglasClassScore" in refused(tmp_path, particles=path, model=tmp_path / "m.star", min_rank=0.5)
    assert "no table of classes" in refused(tmp_path, particles=path, model=Path(path), min_rank=0.5)
    assert "no table of particles" in refused(tmp_path, particles=str(tmp_path / "m.star"), half=1)
    bare = Table({label: column for label, column in rows().columns.items() if label not in ("rlnMicrographName", "rlnRandomSubset")})
    other = saved(tmp_path / "q.star", bare)
    assert "missing column _rlnMicrographName" in refused(tmp_path, particles=other, remove_duplicates=10)
    assert "missing column _rlnRandomSubset" in refused(tmp_path, particles=other, half=1)
    write_star(tmp_path / "old.star", {"": rows()})
    assert "with and without an optics table" in refused(tmp_path, particles=f"{path},{tmp_path / 'old.star'}")


def test_real_classification(tmp_path: Path) -> None:
    real = shared_data("bgal-relion5-class2d")
    given = read_star(real / "run_it090_data.star")
    folder = select(tmp_path, particles=str(real / "run_it090_data.star"), model=real / "run_it090_model.star", max_class_resolution=23)
    found = read_star(folder / "particles.star")
    fine = [3, 7, 8, 10, 19, 24, 26, 29]
    count = int(np.isin(given["particles"]["rlnClassNumber"], fine).sum())
    assert found["particles"]["rlnImageName"].tolist() == [
        name for name, number in zip(given["particles"]["rlnImageName"], given["particles"]["rlnClassNumber"]) if number in fine]
    assert list(found["particles"].columns) == list(given["particles"].columns)
    assert f"kept {count} of 2374" in (folder / "run.out").read_text()


def test_relion_reads_what_is_written(tmp_path: Path) -> None:
    program = relion_program("relion_star_handler")
    real = shared_data("bgal-relion5-class2d")
    folder = select(tmp_path, particles=str(real / "run_it090_data.star"), classes="8", remove_duplicates=30)
    done = subprocess.run([program, "--i", str(folder / "particles.star"), "--o", str(tmp_path / "out.star"), "--select", "rlnDefocusU",
                           "--minval", "0", "--maxval", "99999"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    one, other = read_star(folder / "particles.star")["particles"], read_star(tmp_path / "out.star")["particles"]
    assert one["rlnImageName"].tolist() == other["rlnImageName"].tolist()
