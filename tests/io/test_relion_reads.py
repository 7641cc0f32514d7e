"""RELION 3.1.3 reads what we write, and converts RELION 3.0's files to the same thing as we do."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import starfile

from verglas.io.image_source import ImageSource
from verglas.io.model_star import read_model, with_group_noise, write_model
from verglas.io.mrc import StackWriter, read_map, write_map
from verglas.io.optimiser_star import OptimiserStar, read_optimiser, write_optimiser
from verglas.io.particles_star import project_root, read_particles, write_particles
from verglas.io.sampling_star import read_sampling, write_sampling
from verglas.io.star import read_star
from verglas.io.star_rows import text_column
from verglas.testing.data import relion_program, shared_data
from verglas.types import ImageRefs, Particles

POSES = "bgal-project/derived/particles_with_poses.star"
ITERATION = "run_it001"


def relion(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def some_particles(folder: Path, count: int) -> Particles:
    """Real particles with their images in one float32 stack that we wrote (RELION 3.1 cannot read float16)."""
    path = shared_data(POSES)
    particles = read_particles(path)
    rows = np.linspace(0, len(particles) - 1, count).astype(int)
    with StackWriter(folder / "all.mrcs", particles.optics[0].pixel_size) as stack:
        stack.append(ImageSource(particles, project_root(path)).read(rows))
    return replace(
        particles.take(rows), images=ImageRefs(("all.mrcs",), np.zeros(count, dtype=int), np.arange(count)),
        optics=tuple(replace(group, mtf_file="") for group in particles.optics),
    )


def test_printtable(tmp_path: Path) -> None:
    particles = some_particles(tmp_path, 12)
    write_particles(tmp_path / "ours.star", particles)
    printed = relion(tmp_path, relion_program("relion_star_printtable"), "ours.star", "data_particles", "rlnDefocusU", "rlnImageName").split()
    assert printed[1::2] == [f"{k:06d}@all.mrcs" for k in range(1, 13)]
    assert [float(value) for value in printed[0::2]] == particles.defocus.u.tolist()


def test_reconstruct_gives_the_same_map_from_our_table_as_from_starfiles(tmp_path: Path) -> None:
    program = relion_program("relion_reconstruct")
    particles = some_particles(tmp_path, 60)
    particles = replace(particles, extra=particles.extra | {"rlnComment": text_column(["two words", "", "it's", "5", *["x"] * 56])})
    write_particles(tmp_path / "ours.star", particles)
    source = starfile.read(shared_data(POSES), always_dict=True)
    rows = np.linspace(0, len(source["particles"]) - 1, 60).astype(int)
    theirs = source["particles"].iloc[rows].assign(rlnImageName=[f"{k:06d}@all.mrcs" for k in range(1, 61)])
    optics = source["optics"].drop(columns="rlnMtfFileName", errors="ignore")
    starfile.write({"optics": optics, "particles": theirs}, tmp_path / "theirs.star", float_format="%.12f")
    for name in ("ours", "theirs"):
        relion(tmp_path, program, "--i", f"{name}.star", "--o", f"{name}.mrc", "--ctf", "--maxres", "15", "--iter", "1")
    ours, expected = read_map(tmp_path / "ours.mrc"), read_map(tmp_path / "theirs.mrc")
    assert ours.pixel_size == pytest.approx(3.54, rel=1e-5) and ours.data.std() > 0
    np.testing.assert_allclose(ours.data, expected.data, atol=1e-5 * np.abs(expected.data).max())


def test_old_files_become_what_relion_makes_of_them(tmp_path: Path) -> None:
    source = shared_data("particles-small/aspire/sample_particles_relion30.star")
    (tmp_path / "old.star").write_bytes(source.read_bytes())
    (tmp_path / "sample.mrcs").symlink_to(source.parent / "sample.mrcs")
    relion(tmp_path, relion_program("relion_convert_star"), "--i", "old.star", "--o", "new.star")
    ours, theirs = read_particles(tmp_path / "old.star"), read_particles(tmp_path / "new.star")
    np.testing.assert_array_equal(ours.optics_index, theirs.optics_index)
    np.testing.assert_allclose(ours.poses.origin, theirs.poses.origin, atol=1e-5)
    np.testing.assert_allclose(ours.poses.angles, theirs.poses.angles, atol=1e-6)
    for one, other in zip(ours.optics, theirs.optics):
        assert (one.voltage_kv, one.cs_mm, one.amplitude_contrast, one.box) == (other.voltage_kv, other.cs_mm, other.amplitude_contrast, other.box)
        assert one.pixel_size == pytest.approx(other.pixel_size, abs=1e-6)
    write_particles(tmp_path / "ours.star", ours)
    kept = {"rlnCoordinateX", "rlnMicrographName", "rlnDefocusU", "rlnAngleRot", "rlnRandomSubset", "rlnLogLikeliContribution", "rlnOriginXAngst"}
    a, b = read_star(tmp_path / "ours.star")["particles"], read_star(tmp_path / "new.star")["particles"]
    assert kept <= set(a.columns) & set(b.columns) and set(b.columns) <= set(a.columns)


def iteration_written_by_us(folder: Path) -> None:
    """RELION 5's iteration, read and written by us, for 24 of its particles."""
    source = shared_data("bgal-relion5-refine")
    particles = some_particles(folder, 24)
    (folder / "ref").mkdir()
    write_particles(folder / "ref" / f"{ITERATION}_data.star", replace(particles, half=np.arange(24) % 2 + 1))
    for half in (1, 2):
        model = read_model(source / f"{ITERATION}_half{half}_model.star")
        write_model(folder / "ref" / f"{ITERATION}_half{half}_model.star", with_group_noise(model, np.zeros(len(model.groups), dtype=int)))
        write_map(folder / "ref" / f"{ITERATION}_half{half}_class001.mrc", read_map(source / f"{ITERATION}_half{half}_class001.mrc"))
    optimiser = read_optimiser(source / f"{ITERATION}_optimiser.star")
    write_optimiser(folder / "ref" / f"{ITERATION}_optimiser.star", OptimiserStar(optimiser.values))
    write_sampling(folder / "ref" / f"{ITERATION}_sampling.star", read_sampling(source / f"{ITERATION}_sampling.star"))


@pytest.mark.slow
def test_relion_continues_from_what_we_wrote(tmp_path: Path) -> None:
    """RELION reads all five kinds of files, writes its own copies of them and finishes the next iteration."""
    program, mpi = relion_program("relion_refine_mpi"), relion_program("mpirun")
    iteration_written_by_us(tmp_path)
    start = [mpi, "--allow-run-as-root", "--oversubscribe", "-n", "3", program]
    command = [*start, "--continue", f"ref/{ITERATION}_optimiser.star", "--o", "ref/ct", "--j", "1"]
    following = tmp_path / "ref" / "ct_it002_optimiser.star"
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True) as child:
        deadline = time.monotonic() + 240
        while child.poll() is None and not following.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
    assert following.exists(), (tmp_path / "log").read_text()[-3000:]
    ours = read_model(tmp_path / "ref" / f"{ITERATION}_half1_model.star")
    theirs = read_model(tmp_path / "ref" / "ct_it001_half1_model.star")
    for label in ("rlnGoldStandardFsc", "rlnReferenceTau2", "rlnSsnrMap"):
        np.testing.assert_allclose(theirs.class_shells[0][label], ours.class_shells[0][label], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(theirs.group_noise[0]["rlnSigma2Noise"], ours.group_noise[0]["rlnSigma2Noise"], rtol=1e-5)
    np.testing.assert_allclose(theirs.pdf_orient[0], ours.pdf_orient[0], atol=1e-6)
