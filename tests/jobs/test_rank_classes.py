"""rank-classes: its files, and a real classification that it was not trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from verglas.errors import VerglasError
from verglas.io.mrc import StackWriter
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_rows import text_column
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import shared_data

CLASSES = 6


def job(name: str, tmp_path: Path, **options: object) -> Path:
    found = find(name)
    request = Request(Resources(), project=tmp_path, quiet=True, command=f"verglas {name}")
    return run_job(found, parse(found.params, options), request)


def refused(tmp_path: Path, **options: object) -> str:
    """The message of a job that must not start; no job folder may be left."""
    with pytest.raises(VerglasError) as error:
        job("rank-classes", tmp_path, **options)
    assert not (tmp_path / "ClassRanking").exists()
    assert error.value.remedy
    return str(error.value)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A classification: three sharp bodies, two averages of noise, an empty class; the stack is named as RELION does."""
    rng = np.random.default_rng(3)
    axis = np.arange(48) - 24
    r = np.hypot(axis[:, None], axis)
    images = []
    for k in range(CLASSES):
        bars = (np.abs(axis[:, None] - k) < 5) * (np.abs(axis) < 13) + (np.abs(axis - 4 + k) < 4) * (np.abs(axis[:, None]) < 12)
        noise = ndimage.gaussian_filter(rng.normal(0, 1, (48, 48)), 1)
        images.append((ndimage.gaussian_filter(np.minimum(bars, 1) * (10.0 if k < 3 else 0.0), 1.2) + noise) * (r < 21) * (k < 5))
    (tmp_path / "Class2D").mkdir()
    with StackWriter(tmp_path / "Class2D/run_it025_classes.mrcs", 4.0) as stack:
        stack.append(np.array(images, dtype=np.float32))
    classes = Table({"rlnReferenceImage": text_column(f"{k + 1:06d}@Class2D/run_it025_classes.mrcs" for k in range(CLASSES)),
                     "rlnClassDistribution": np.full(CLASSES, 1 / CLASSES), "rlnEstimatedResolution": np.full(CLASSES, np.inf)})
    write_star(tmp_path / "Class2D/run_it025_model.star", {"model_general": Table.of_values({"rlnPixelSize": 4.0}), "model_classes": classes})
    number = np.arange(50) % 5 + 1
    rows = Table({"rlnImageName": text_column(f"{i + 1:06d}@a.mrcs" for i in range(50)), "rlnClassNumber": number, "rlnOther": np.arange(50)})
    write_star(tmp_path / "Class2D/run_it025_data.star", {"particles": rows})
    return tmp_path / "Class2D/run_it025_model.star"


def test_files(tmp_path: Path, made: Path) -> None:
    folder = job("rank-classes", tmp_path, model=made)
    table = read_star(folder / "rank.star")["classes"]
    assert set(table["rlnClassNumber"][:3].tolist()) == {1, 2, 3}
    assert (np.diff(table["verglasClassScore"]) <= 0).all()
    assert table["verglasClassScore"][-1] == 0 and table["rlnClassNumber"][-1] == 6
    assert table["verglasClassParticles"].tolist() == [10, 10, 10, 10, 10, 0]
    model = read_star(folder / "ranked_model.star")
    assert list(model) == ["model_general", "model_classes"]
    assert model["model_classes"]["rlnPredictedClassScore"][table["rlnClassNumber"] - 1].tolist() == table["verglasClassScore"].tolist()
    particles = read_star(folder / "particles.star")["particles"]
    assert sorted(set(particles["rlnClassNumber"].tolist())) == [1, 2, 3] and len(particles) == 30
    assert particles["rlnOther"].tolist() == [i for i in range(50) if i % 5 < 3]
    assert Image.open(folder / "gallery.png").size[0] > 600
    log = (folder / "run.out").read_text()
    assert "3 of 6 classes" in log and "30 of 50 particles, 20 removed" in log


def test_select_takes_its_tables(tmp_path: Path, made: Path) -> None:
    folder = job("rank-classes", tmp_path, model=made, min_score=1.0)
    assert not (folder / "particles.star").exists()
    assert "No class reaches a score of 1" in (folder / "run.out").read_text()
    for name in ("rank.star", "ranked_model.star"):
        kept = job("select", tmp_path, particles=str(made.parent / "run_it025_data.star"), model=folder / name, min_rank=0.5)
        assert len(read_star(kept / "particles.star")["particles"]) == 30


def test_next_best_classes_fill_up(tmp_path: Path, made: Path) -> None:
    folder = job("rank-classes", tmp_path, model=made, min_particles=35)
    assert len(read_star(folder / "particles.star")["particles"]) == 40


def test_doors(tmp_path: Path, made: Path) -> None:
    assert "4000 Å is 1000 px wide" in refused(tmp_path, model=made, mask_diameter=4000)
    assert "no block data_model_classes" in refused(tmp_path, model=made.parent / "run_it025_data.star")
    few = tmp_path / "few.star"
    write_star(few, {"particles": Table({"rlnImageName": text_column(["1@a.mrcs"]), "rlnClassNumber": np.array([9])})})
    assert "_rlnClassNumber is 9, but the model has classes 1 to 6" in refused(tmp_path, model=made, particles=few)
    maps = tmp_path / "maps_model.star"
    write_star(maps, {"model_classes": Table({"rlnReferenceImage": text_column(["run_class001.mrc"])})})
    assert "maps of 3D classes cannot be ranked" in refused(tmp_path, model=maps)
    (made.parent / "run_it025_classes.mrcs").unlink()
    assert "Class2D/run_it025_classes.mrcs are not there" in refused(tmp_path, model=made)


def test_real_classification(tmp_path: Path) -> None:
    """RELION's classes of 2,374 particles of beta-galactosidase, of which 1,400 are known to be good."""
    real = shared_data("bgal-relion5-class2d")
    known = set(read_star(shared_data("bgal-project/derived/particles_with_poses.star"))["particles"]["rlnImageName"])
    folder = job("rank-classes", tmp_path, model=real / "run_it090_model.star")
    found = set(read_star(folder / "particles.star")["particles"]["rlnImageName"])
    recall, precision = len(found & known) / len(known), len(found & known) / len(found)
    assert recall >= 0.80 and precision >= 0.66
