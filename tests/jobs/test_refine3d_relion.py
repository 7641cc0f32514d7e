"""Refinements that change hands: RELION reads what refine3d writes, refine3d goes on with what RELION left."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.mrc import read_map
from verglas.io.particles_star import read_particles
from verglas.io.star import read_star
from verglas.jobs.common import continued, parse
from verglas.jobs.refine3d_adopt import last_iteration, options_of_relion, read_state
from verglas.jobs.refine3d_input import make_plan
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.reconstruct.solve import map_fsc
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program, shared_data
from verglas.testing.particle_sets import ParticleSet, blobs, write_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ParticleSet:
    return write_set(tmp_path_factory.mktemp("project"), blobs(32, 5.0), 80)


@pytest.fixture(scope="module")
def refined(data: ParticleSet) -> Path:
    """The job folder, with paths relative to the project as on the command line."""
    job = find("refine3d")
    options = {"particles": data.star, "reference": data.map_file, "symmetry": "D2", "mask_diameter": 140, "initial_lowpass": 40,
               "healpix_order": 1, "offset_range": 3, "max_iterations": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(data.folder)
        run_job(job, parse(job.params, options), Request(Resources(seed=1), Path("Refine3D/job001"), quiet=True))
    return data.folder / "Refine3D" / "job001"


def relion(name: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run([relion_program(name), *arguments], cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_relion_reconstructs_from_our_data_star(data: ParticleSet, refined: Path) -> None:
    relion("relion_reconstruct", data.folder, "--i", "Refine3D/job001/run_data.star", "--o", "again.mrc", "--ctf", "--sym", "D2", "--skip_gridding")
    assert map_fsc(read_map(data.folder / "again.mrc"), read_map(refined / "run_class001.mrc"))[:8].min() > 0.95


@pytest.mark.slow
def test_relion_continues_our_refinement(data: ParticleSet, refined: Path) -> None:
    """RELION 3.1 reads our optimiser, models, sampling and data, and does an iteration (both halves need MPI)."""
    launcher = shutil.which("mpirun")
    if launcher is None:
        pytest.skip("mpirun is not installed")
    program = relion_program("relion_refine_mpi")
    command = [launcher, "--allow-run-as-root", "--oversubscribe", "-n", "3", program, "--continue", "Refine3D/job001/run_it003_optimiser.star",
               "--o", "Refine3D/relion", "--iter", "4", "--dont_combine_weights_via_disc"]
    done = subprocess.run(command, cwd=data.folder, capture_output=True, text=True, timeout=250)
    made = data.folder / "Refine3D" / "relion_it004_data.star"
    assert made.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    theirs = read_star(made)["particles"]
    assert len(theirs) == len(data.truth)


@pytest.mark.slow
def test_relion_starts_from_our_data_star(data: ParticleSet, refined: Path) -> None:
    """One iteration of a local refinement around our poses, without halves, keeps them."""
    relion("relion_refine", data.folder, "--i", "Refine3D/job001/run_data.star", "--ref", "Refine3D/job001/run_class001.mrc",
           "--o", "Refine3D/second", "--ini_high", "20", "--ctf", "--particle_diameter", "140", "--sym", "D2", "--iter", "1", "--sigma_ang", "5",
           "--healpix_order", "3",
           "--offset_range", "2", "--offset_step", "1", "--flatten_solvent", "--zero_mask", "--norm", "--scale", "--K", "1", "--tau2_fudge", "2",
           "--oversampling", "1")
    theirs, ours = (read_particles(data.folder / "Refine3D" / name) for name in ("second_it001_data.star", "job001/run_data.star"))
    order = np.argsort(theirs.images.index)
    away = np.hypot(*(theirs.poses.origin[order] - ours.poses.origin).T)
    assert np.median(away) < 5.0


@pytest.fixture
def relions(tmp_path: Path) -> Path:
    """Iterations 3 and 8 of RELION 5's refinement of beta-galactosidase; the newer one lacks a map."""
    folder = tmp_path / "relion"
    folder.mkdir()
    for path in sorted(shared_data("bgal-relion5-refine").glob("run_it00[38]_*")):
        if path.name != "run_it008_half2_class001.mrc":
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_options_of_relions_refinement(relions: Path) -> None:
    assert last_iteration(relions) == 3
    options = options_of_relion(relions)
    assert options["symmetry"] == "D2" and options["mask_diameter"] == 200.0 and options["low_resolution_join"] == 40.0
    assert options["particles"] == relions / "run_it003_data.star" and options["mask"] is None
    params = parse(find("refine3d").params, options)
    assert continued(find("refine3d"), relions)[0] == options
    assert params.model_dump()["padding"] == 2.0


def test_relions_state_is_read_whole(relions: Path) -> None:
    options = options_of_relion(relions)
    particles = read_particles(relions / "run_it003_data.star")
    state = read_state(relions, 3, particles, make_plan(parse(find("refine3d").params, options), 64, 3.54, 1))  # type: ignore[arg-type]
    model = read_star(relions / "run_it003_half2_model.star")
    assert state.iteration == 3 and state.box == 64 and len(state.alignment.norm) == 1400
    assert state.resolution == pytest.approx(model["model_general"].values()["rlnCurrentResolution"], rel=1e-4)
    assert np.allclose(state.models[1].tau2, model["model_class_1"]["rlnReferenceTau2"])
    assert np.allclose(state.models[1].sigma2[0, 1:], model["model_optics_group_1"]["rlnSigma2Noise"][1:])
    assert state.models[1].direction_prior.sum() == pytest.approx(1.0, abs=1e-4)
    names = dict(zip(model["model_groups"]["rlnGroupName"], model["model_groups"]["rlnGroupScaleCorrection"]))
    assert sorted(np.round(state.models[1].scale, 5)) == sorted(np.round(list(names.values()), 5))


@pytest.mark.slow
def test_relions_refinement_goes_on_here(tmp_path: Path) -> None:
    """From RELION's iteration 8 two more; RELION itself ended at 7.31 Å."""
    folder = tmp_path / "relion"
    folder.mkdir()
    for path in sorted(shared_data("bgal-relion5-refine").glob("run_it008_*")):
        (folder / path.name).write_bytes(path.read_bytes())
    job = find("refine3d")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shared_data("bgal-project"))
        options = continued(job, folder)[0] | {"max_iterations": 10}
        run_job(job, parse(job.params, options), Request(Resources(), folder, continuing=True, quiet=True))
    golden = read_map(shared_data("bgal-relion5-refine/run_class001.mrc"))
    assert map_fsc(read_map(folder / "run_class001.mrc"), golden)[:22].min() > 0.9


def test_a_folder_without_a_refinement_is_explained(tmp_path: Path) -> None:
    with pytest.raises(VerglasError, match="complete iteration"):
        continued(find("refine3d"), tmp_path)


def test_a_classification_is_not_continued(tmp_path: Path, relions: Path) -> None:
    path = relions / "run_it003_optimiser.star"
    path.write_text(re.sub(r"(_rlnDoAutoRefine\s+)1", r"\g<1>0", path.read_text()))
    with pytest.raises(VerglasError, match="not a gold-standard"):
        options_of_relion(relions)
