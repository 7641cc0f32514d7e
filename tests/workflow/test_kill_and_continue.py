"""The command line end to end: refine, kill -9 at a random moment, continue, and the same bits as without."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verglas.io.mrc import read_map
from verglas.methods.reconstruct.solve import map_fsc
from verglas.testing.particle_sets import ParticleSet, blobs, write_set

OPTIONS = (
    "--particles", "particles.star", "--reference", "map.mrc", "--symmetry", "D2", "--mask-diameter", "140", "--initial-lowpass", "40",
    "--healpix-order", "1", "--offset-range", "3", "--max-iterations", "5", "--threads", "1", "--deterministic", "--seed", "3",
)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "verglas", "refine3d", *arguments], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    shown, complaint = process.communicate(timeout=240)
    assert process.returncode == code, complaint
    return shown + complaint


def kill_when(process: "subprocess.Popen[str]", path: Path, delay: float) -> None:
    """SIGKILL some time after `path` has appeared."""
    until = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, process.stderr.read() if process.stderr else ""
        time.sleep(0.01)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ParticleSet:
    return write_set(tmp_path_factory.mktemp("project"), blobs(32, 5.0), 60)


@pytest.fixture(scope="module")
def whole(data: ParticleSet) -> Path:
    shown = finish(start(data.folder, *OPTIONS))
    folder = data.folder / "Refine3D" / "job001"
    assert "iteration 2:" in shown and (folder / "RELION_JOB_EXIT_SUCCESS").exists()
    return folder


@pytest.mark.parametrize(("appeared", "delay"), [("run_it002_half1_class001.mrc", 0.0), ("run_it001_optimiser.star", 0.25)])
def test_killed_and_continued_is_the_same_as_never_killed(data: ParticleSet, whole: Path, tmp_path: Path, appeared: str, delay: float) -> None:
    folder = tmp_path / "job"
    process = start(data.folder, *OPTIONS, "--output", str(folder))
    kill_when(process, folder / appeared, delay)
    assert not (folder / "run_class001.mrc").exists()
    assert not list(folder.glob("RELION_JOB_EXIT_*"))
    shown = finish(start(data.folder, "--continue", str(folder)))
    assert "going on after iteration" in shown
    for name in ("run_class001.mrc", "run_half1_class001_unfil.mrc", "run_half2_class001_unfil.mrc", "run_data.star"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob(".run*part*"))


def test_what_came_out_is_the_structure(data: ParticleSet, whole: Path) -> None:
    assert map_fsc(read_map(whole / "run_class001.mrc"), data.volume)[:8].min() > 0.7
    assert "<html" in (whole / "report.html").read_text()[:2000]


def test_a_polite_stop_and_a_continuation(data: ParticleSet, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    process = start(data.folder, *OPTIONS, "--output", str(folder))
    until = time.monotonic() + 120
    while not (folder / "run_it001_optimiser.star").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    process.terminate()
    finish(process, 130)
    assert (folder / "RELION_JOB_EXIT_ABORTED").exists()
    finish(start(data.folder, "--continue", str(folder)))
    assert (folder / "run_class001.mrc").read_bytes() == (whole / "run_class001.mrc").read_bytes()


def test_bad_input_ends_quickly_with_code_2(data: ParticleSet, tmp_path: Path) -> None:
    begun = time.monotonic()
    options = ["500" if one == "140" else one for one in OPTIONS]
    text = finish(start(data.folder, *options, "--output", str(tmp_path / "job")), 2)
    assert time.monotonic() - begun < 10.0  # 5 s on a machine that does nothing else
    assert "mask diameter 500" in text and not (tmp_path / "job").exists()
