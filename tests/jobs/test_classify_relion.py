"""Classifications that change hands: RELION goes on with our folders, our jobs begin with what RELION left."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.cli.demo import pose_errors
from verglas.io.model_star import read_model
from verglas.io.mrc import MrcStack
from verglas.io.particles_star import read_particles
from verglas.io.star import read_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data
from verglas.testing.particle_sets import ParticleSet, blobs, write_set

FLAT: dict[str, object] = {"classes": 3, "mask_diameter": 140, "offset_range": 2, "psi_step": 12}
SOLID: dict[str, object] = {
    "classes": 2, "iterations": 2, "symmetry": "D2", "mask_diameter": 140, "initial_lowpass": 40, "healpix_order": 1, "offset_range": 2}
FIXED: dict[str, object] = {
    "classes": 2, "target_resolution": 16, "initial_lowpass": 25, "mask_diameter": 140, "start_reconstructions": 8, "start_particles": 40,
    "start_components": 1, "batch": 20, "epochs": 0.5, "symmetry": "D2", "max_iterations": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ParticleSet:
    return write_set(tmp_path_factory.mktemp("project"), blobs(32, 5.0), 80)


def run(data: ParticleSet, name: str, output: str, **options: object) -> Path:
    """A job in the project folder, with relative paths as on the command line."""
    job = find(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(data.folder)
        run_job(job, parse(job.params, options), Request(Resources(seed=1, threads=1), Path(output), quiet=True))
    return data.folder / output


def relion(folder: Path, name: str, *arguments: str) -> None:
    done = subprocess.run([relion_program(name), *arguments], cwd=folder, capture_output=True, text=True, timeout=250,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def go_on(data: ParticleSet, folder: str, iteration: int, *more: str) -> Path:
    """RELION's next iteration after ours: the root of its files."""
    relion(data.folder, "relion_refine", "--continue", f"{folder}/run_it{iteration:03d}_optimiser.star", "--o", f"{folder}/relion", "--iter",
           str(iteration + 1), "--j", "1", *more)
    return data.folder / folder / f"relion_it{iteration + 1:03d}"


@pytest.mark.parametrize(("algorithm", "last"), [("em", 3), ("vdam", 10)])
def test_relion_goes_on_with_class2d(data: ParticleSet, algorithm: str, last: int) -> None:
    relion_program("relion_refine")
    name = f"Class2D/{algorithm}"
    folder = run(data, "class2d", name, particles=data.star, algorithm=algorithm, iterations=last, **FLAT)
    root = go_on(data, name, last)
    model = read_model(f"{root}_model.star")
    assert len(model.classes) == 3 and MrcStack(f"{root}_classes.mrcs").shape == (3, 32, 32)
    ours, theirs = read_particles(folder / f"run_it{last:03d}_data.star"), read_particles(f"{root}_data.star")
    assert (ours.class_number == theirs.class_number).mean() > 0.6
    again = run(data, "class2d", f"{name}-again", particles=Path(f"{root}_data.star"), alignment=False, algorithm="em", iterations=2, **FLAT)
    kept = read_particles(again / "run_it002_data.star")
    assert np.allclose(kept.poses.angles[:, 2], theirs.poses.angles[:, 2], atol=1e-5)


def test_relion_goes_on_with_class3d_and_we_with_relions_maps(data: ParticleSet) -> None:
    relion_program("relion_refine")
    folder = run(data, "class3d", "Class3D/ours", particles=data.star, reference=data.map_file, **SOLID)
    root = go_on(data, "Class3D/ours", 2)
    ours, theirs = read_particles(folder / "run_it002_data.star"), read_particles(f"{root}_data.star")
    assert np.median(pose_errors(ours.poses.angles, theirs.poses.angles, "D2")) < 0.35
    assert float(read_model(f"{root}_model.star").general["rlnAveragePmax"]) > 0.05  # type: ignore[arg-type]
    ours = run(data, "class3d", "Class3D/second", particles=Path(f"{root}_data.star"), reference=Path(f"{root}_model.star"),
               **SOLID | {"iterations": 1, "local_search": 5, "absolute_greyscale": True})
    after = read_particles(ours / "run_it001_data.star")
    assert np.median(pose_errors(after.poses.angles, theirs.poses.angles, "D2")) < 0.3
    assert set(after.class_number) <= {1, 2}


def test_relion_goes_on_with_fixed_poses(data: ParticleSet) -> None:
    relion_program("relion_refine")
    folder = run(data, "class3d-fixed", "Class3D/fixed", particles=data.truth_star, **FIXED)
    last = max(int(path.name[6:9]) for path in folder.glob("run_it*_optimiser.star"))
    root = go_on(data, "Class3D/fixed", last, "--skip_align")
    ours, theirs = read_particles(folder / "run_data.star"), read_particles(f"{root}_data.star")
    assert np.allclose(ours.poses.angles, theirs.poses.angles, atol=1e-4)
    model = read_model(folder / "run_model.star")
    assert model.classes["rlnAccuracyRotations"].min() < 30 and model.classes["rlnAccuracyTranslationsAngst"].min() < 100
    assert sum(one.sum() for one in model.pdf_orient) == pytest.approx(1.0)


def test_relions_star_tools_select_a_class(data: ParticleSet) -> None:
    relion_program("relion_star_handler")
    folder = run(data, "class2d", "Class2D/tools", particles=data.star, algorithm="em", iterations=1, **FLAT)
    table = f"{folder}/run_it001_data.star"
    relion(data.folder, "relion_star_handler", "--i", table, "--select", "rlnClassNumber", "--minval", "1", "--maxval", "1", "--o", "one.star")
    assert len(read_star(data.folder / "one.star")["particles"]) == int((read_particles(table).class_number == 1).sum()) > 0


@pytest.mark.slow
def test_classes_of_relion_5_are_read_and_classified_again(tmp_path: Path) -> None:
    """The data.star of RELION 5's class2d with 30 classes, its images in the project of the tutorial."""
    source = shared_data("bgal-relion5-class2d/run_it090_data.star")
    job = find("class2d")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shared_data("bgal-project"))
        params = parse(job.params, {"particles": source, "classes": 5, "algorithm": "em", "iterations": 1, "mask_diameter": 200, "alignment": False})
        run_job(job, params, Request(Resources(), tmp_path / "out", quiet=True))
    theirs, ours = read_particles(source), read_particles(tmp_path / "out" / "run_it001_data.star")
    assert np.allclose(ours.poses.angles, theirs.poses.angles, atol=1e-5) and set(ours.class_number) <= set(range(1, 6))
