"""The command line under torchrun: as many processes as one likes, one result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from verglas.io.mrc import MrcStack, read_map
from verglas.io.particles_star import read_particles
from verglas.testing.mixtures import two_states, write_mixture
from verglas.testing.particle_sets import blobs, write_set

COMMON = ("--threads", "1", "--deterministic", "--seed", "3")
SEARCH = ("--particles", "particles.star", "--mask-diameter", "140", "--offset-range", "2")
MAP = ("--reference", "map.mrc", "--symmetry", "D2", "--initial-lowpass", "40", "--healpix-order", "1")
REFINE = ("refine3d", *SEARCH, *MAP, "--max-iterations", "4")
FIXED = ("class3d-fixed", "--particles", "particles.star", "--classes", "2", "--target-resolution", "16", "--initial-lowpass", "25",
         "--mask-diameter", "144", "--start-reconstructions", "8", "--start-particles", "60", "--start-components", "1", "--batch", "60",
         "--epochs", "0.5", "--max-iterations", "3", "--mask", "auto")
JOBS = {
    "refine3d": (REFINE, "run_class001.mrc", "run_data.star"),
    "class2d": (("class2d", *SEARCH, "--classes", "3", "--iterations", "10", "--psi-step", "12"), "run_it010_classes.mrcs", "run_it010_data.star"),
    "class2d, poses kept": (("class2d", "--particles", "truth.star", "--mask-diameter", "140", "--classes", "2", "--iterations", "10",
                             "--no-alignment"), "run_it010_classes.mrcs", "run_it010_data.star"),
    "class3d": (("class3d", *SEARCH, *MAP, "--classes", "2", "--iterations", "4"), "run_it004_class002.mrc", "run_it004_data.star"),
    "initialmodel": (("initialmodel", *SEARCH, "--symmetry", "D2", "--mini-batches", "10", "--no-run-in-c1-first"), "initial_model.mrc",
                     "run_it010_data.star"),
    "class3d-fixed": (FIXED, "run_class002.mrc", "run_data.star"),
}


def start(folder: Path, processes: int, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "WORLD_SIZE"} | {"OMP_NUM_THREADS": "1"}
    torchrun = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}") if processes > 1 else ()
    return subprocess.Popen([sys.executable, *torchrun, "-m", "verglas", *arguments], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[str]", well: bool = True) -> str:
    shown, complaint = process.communicate(timeout=240)
    assert (process.returncode == 0) == well, complaint
    return shown + complaint


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 200
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)


def pixels(path: Path) -> np.ndarray:
    if path.suffix == ".mrc":
        return np.asarray(read_map(path).data).ravel()
    stack = MrcStack(path)
    return stack.read(np.arange(stack.shape[0])).ravel()


def same(one: Path, other: Path, names: tuple[str, str]) -> None:
    """Maps correlate better than 0.99999; poses, and classes where there are any, are the same but for ties."""
    assert np.corrcoef(pixels(one / names[0]), pixels(other / names[0]))[0, 1] > 0.99999
    a, b = (read_particles(folder / names[1]) for folder in (one, other))
    alike = (np.abs(a.poses.angles - b.poses.angles).max(1) < 1e-3) & (np.abs(a.poses.origin - b.poses.origin).max(1) < 1e-2)
    assert alike.mean() > 0.95 and (a.class_number == b.class_number).mean() > 0.95


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_set(folder, blobs(32, 5.0), 60)
    return folder


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixture")
    write_mixture(folder, two_states(), 160)
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> Path:
    finish(start(folder, 1, *REFINE, *COMMON, "--output", "alone"))
    return folder / "alone"


def test_two_processes_refine_as_one(folder: Path, alone: Path) -> None:
    """Also the folder is chosen, and everything in it written, once."""
    shown = finish(start(folder, 2, *REFINE, *COMMON))
    out = folder / "Refine3D" / "job001"
    assert shown.count("iteration 2:") == 1
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in alone.iterdir())
    same(alone, out, JOBS["refine3d"][1:])
    rows = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows if row["event"] == "iteration"] == [1, 2, 3, 4]
    assert rows[0]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", list(JOBS))
def test_any_number_of_processes_gives_the_same(folder: Path, mixture: Path, tmp_path: Path, name: str) -> None:
    project, (arguments, *names) = mixture if name == "class3d-fixed" else folder, JOBS[name]
    for number in (1, 2, 3):
        finish(start(project, number, *arguments, *COMMON, "--output", str(tmp_path / f"{number}")))
    for number in (2, 3):
        same(tmp_path / "1", tmp_path / f"{number}", (names[0], names[1]))


@pytest.mark.slow
def test_killed_and_continued(folder: Path, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "job"
    process = start(folder, 2, *REFINE, *COMMON, "--output", str(out))
    wait_for(out / "run_it002_optimiser.star", process)
    record = json.loads((out / "job.json").read_text())
    os.kill(record["process"], signal.SIGKILL)
    finish(process, well=False)
    assert not (out / "run_class001.mrc").exists()
    shown = finish(start(folder, 2, "refine3d", "--continue", str(out)))
    assert shown.count("going on after iteration") == 1
    same(alone, out, JOBS["refine3d"][1:])


@pytest.mark.slow
def test_a_stop_is_heard_by_all(folder: Path, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "job"
    process = start(folder, 2, *REFINE, *COMMON, "--output", str(out))
    wait_for(out / "run_it001_optimiser.star", process)
    process.terminate()
    finish(process, well=False)
    assert (out / "RELION_JOB_EXIT_ABORTED").exists()
    finish(start(folder, 1, "refine3d", "--continue", str(out)))
    same(alone, out, JOBS["refine3d"][1:])


@pytest.mark.slow
def test_one_process_that_fails_ends_all(folder: Path, tmp_path: Path) -> None:
    """A part of the images disappears from under the second half, after the door."""
    out = tmp_path / "job"
    script = ("import os, verglas.jobs.refine3d_run as run\n"
              "make = run.make_source\n"
              "def broken(*a):\n    if os.environ['RANK'] == '1': raise OSError(5, 'Input/output error', 'particles.mrcs')\n    return make(*a)\n"
              "run.make_source = broken\n"
              "from verglas.cli.main import main\nmain()\n")
    (tmp_path / "broken.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(tmp_path / "broken.py"), *REFINE, *COMMON,
         "--output", str(out)], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    begun = time.monotonic()
    text = finish(process, well=False)
    assert time.monotonic() - begun < 120
    assert "process 1: unexpected OSError" in text and "another process of this job has ended" in text
    assert (out / "RELION_JOB_EXIT_FAILURE").exists()
    assert "Input/output error" in (out / "run.err").read_text()


def test_wrong_input_is_said_once(folder: Path) -> None:
    text = finish(start(folder, 2, *("500" if one == "140" else one for one in REFINE), "--output", "none"), well=False)
    assert text.count("mask diameter 500") == 1 and not (folder / "none").exists()


def test_a_job_without_iterations_stays_in_one_process(folder: Path) -> None:
    text = finish(start(folder, 2, "mask", "--map", "map.mrc", "--output", "none"), well=False)
    assert text.count("mask runs in one process, not in 2") == 1 and not (folder / "none").exists()
