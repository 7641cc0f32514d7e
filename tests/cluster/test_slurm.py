"""Jobs through a real Slurm: workers, a lost worker, the time limit, cancelling, GPUs, torchrun; then motion correction and CTF."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from verglas.jobs.folder import MARKERS
from verglas.jobs.registry import ENTRIES
from verglas.project.queued import entry_of, outcome
from verglas.testing.slurm import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
HERE, SOURCE = Path(__file__).parent, Path(__file__).parents[2] / "src"
LONG = 900.0
"""Seconds of patience: a busy machine takes a minute to start a process with torch."""


@pytest.fixture
def project(tmp_path: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder with an awkward name, in whose jobs verglas has the job `squares`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import squares_job\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path / "site", HERE, SOURCE))))
    folder = tmp_path / "my project's $(x)"
    (folder / "marks").mkdir(parents=True)
    monkeypatch.chdir(folder)
    yield folder
    subprocess.run(["scancel", "--user", str(os.getuid())], capture_output=True)


def verglas(*words: object) -> str:
    done = subprocess.run([sys.executable, "-m", "verglas", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(folder: Path) -> str:
    wait_for(f"the end of {folder}", lambda: outcome(folder) is not None, LONG)
    wait_for("the end of its script", lambda: "ended" in queue_state(folder), 60)
    return str(outcome(folder))


def queue_state(folder: Path) -> str:
    from verglas.cluster.queue import state

    entry = entry_of(folder)
    return state(entry.queue, entry.job)


def told(folder: Path) -> str:
    return "\n".join(f"== {path.name}\n{path.read_text()}" for path in (folder / "run.err", folder / "queue.log") if path.exists())


def workers_of(folder: Path) -> list[psutil.Process]:
    """The nannies of the dask workers of a job."""
    return [one for one in psutil.process_iter(["cmdline"]) if (words := one.info["cmdline"]) and "worker" in words
            and str(folder.absolute() / "scheduler.json") in words and "dask" in " ".join(words) and "srun" not in words[0]]


def test_two_workers_of_which_one_is_killed(project: Path) -> None:
    shown = verglas("submit", "--tasks", 2, "--memory-gb", 1, "--time", "1:00:00", "--", "squares", "--number", 8, "--seconds", 2, "--marks", "marks")
    folder = Path("Squares/job001")
    assert "job 1" in shown or entry_of(folder).job in shown
    assert "waiting" in (state := verglas("queue", "status", folder)) or "running" in state
    wait_for("two items at work", lambda: len(list(Path("marks").iterdir())) >= 2, LONG)
    nannies = workers_of(folder)
    assert len(nannies) == 2
    for one in (*nannies[0].children(recursive=True), nannies[0]):
        one.kill()
    assert ended(folder) == "SUCCESS", told(folder)
    assert json.loads((folder / "squares.json").read_text()) == [n**2 for n in range(8)]
    begun = sorted(len(path.read_text()) for path in Path("marks").iterdir())
    assert begun == [1] * 7 + [2], begun
    assert not (folder / "scheduler.json").exists() and not (folder / ".keys").exists()
    assert "finished" in verglas("queue", "status", folder)


def test_nobody_else_can_talk_to_the_scheduler(project: Path) -> None:
    from distributed import Client

    verglas("submit", "--tasks", 2, "--", "squares", "--number", 30, "--seconds", 5, "--marks", "marks")
    folder = Path("Squares/job001")
    wait_for("an item at work", lambda: list(Path("marks").iterdir()), LONG)
    address = json.loads((folder / "scheduler.json").read_text())["address"]
    assert address.startswith("tls://") and (folder / ".keys").stat().st_mode & 0o077 == 0
    for one in (address, address.replace("tls", "tcp")):
        with pytest.raises((OSError, TypeError)):
            Client(one, timeout=3)
    assert len(workers_of(folder)) == 2
    assert "stop" in verglas("queue", "cancel", folder)
    assert ended(folder) == "ABORTED", told(folder)
    assert (folder / "rows.jsonl").exists() or len(list(Path("marks").iterdir())) <= 2


def test_a_waiting_job_is_cancelled(project: Path) -> None:
    verglas("submit", "--extra=--hold", "--", "squares", "--number", 1, "--marks", "marks")
    folder = Path("Squares/job001")
    assert "waiting" in verglas("queue", "status", folder)
    refused = subprocess.run([sys.executable, "-m", "verglas", "submit", "--", "squares", "--number", "1", "--marks", "marks", "--output", folder],
                             capture_output=True, text=True)
    assert refused.returncode == 2 and "works here" in refused.stderr
    assert "stopped on request" in verglas("queue", "cancel", folder)
    assert outcome(folder) == "ABORTED"


def test_the_time_limit_is_told_and_the_job_goes_on(project: Path) -> None:
    limit = "--extra=--signal=B:USR1@15"
    verglas("submit", "--time", "1", limit, "--", "squares", "--number", 200, "--seconds", 1, "--marks", "marks")
    folder = Path("Squares/job001")
    assert ended(folder) == "FAILURE"
    assert "time limit" in (folder / "run.err").read_text()
    done = len((folder / "rows.jsonl").read_text().split())
    assert done > 0
    verglas("submit", "--", "squares", "--continue", folder, "--number", 200, "--seconds", 0)
    assert ended(folder) == "SUCCESS", told(folder)
    assert sum(len(path.read_text()) for path in Path("marks").iterdir()) <= 201


def test_a_job_that_is_killed_with_its_script(project: Path) -> None:
    verglas("submit", "--", "squares", "--number", 100, "--seconds", 1, "--marks", "marks")
    folder = Path("Squares/job001")
    wait_for("an item at work", lambda: list(Path("marks").iterdir()), LONG)
    script = next(one for one in psutil.process_iter(["cmdline"]) if any("slurm_script" in word for word in one.info["cmdline"] or ()))
    for one in (script, *script.children(recursive=True)):
        one.kill()
    wait_for("its end", lambda: queue_state(folder) == "ended", 60)
    assert "failed" in verglas("queue", "status", folder)
    assert outcome(folder) == "FAILURE" and "left no reason" in (folder / "run.err").read_text()


def test_each_worker_has_a_gpu(project: Path) -> None:
    """Two devices that only look like GPUs to Slurm."""
    template = project / "gpus.sh"
    template.write_text((SOURCE / "verglas/cluster/slurm/workers.sh").read_text().replace("{worker} &", "bash -c 'echo $CUDA_VISIBLE_DEVICES' &")
                        .replace("run {command}", "wait $!; run touch \"$output/RELION_JOB_EXIT_SUCCESS\""))
    verglas("submit", "--gpus", 2, "--template", template, "--", "squares", "--number", 1, "--marks", "marks")
    folder = Path("Squares/job001")
    assert ended(folder) == "SUCCESS", told(folder)
    assert {"0", "1"} <= set((folder / "queue.log").read_text().split())


def test_torchrun_under_srun(project: Path) -> None:
    verglas("simulate", "particles", "--phantom", "--number", 60, "--box", 32, "--pixel-size", 6, "--output", "data", "--threads", 1)
    verglas("submit", "--tasks", 2, "--", "class2d", "--particles", "data/truth.star", "--classes", 2, "--algorithm", "em", "--iterations", 1,
            "--mask-diameter", 120)
    folder = Path("Class2D/job001")
    assert ended(folder) == "SUCCESS", told(folder)
    assert json.loads((folder / "job.json").read_text())["processes"] == 2


def drifting_movie(path: Path, seed: int) -> None:
    """Counts of 8 frames of 512 px at 1 Å: noise with the Thon rings of 1.5 µm (300 kV, 2.7 mm), drifting by (1, -0.5) px per frame."""
    rng, side, frames = np.random.default_rng(seed), 512, 8
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    squared, wavelength = x**2 + y**2, 0.0197
    phase = np.pi * wavelength * 15000 * squared - 0.5 * np.pi * 2.7e7 * wavelength**3 * squared**2
    specimen = np.fft.fft2(rng.normal(size=(side, side))) * np.sin(phase + 0.07)
    shifted = [np.fft.ifft2(specimen * np.exp(-2j * np.pi * n * (x - 0.5 * y))).real for n in range(frames)]
    tifffile.imwrite(path, rng.poisson(np.clip(4 + 2 * np.stack(shifted), 0, None)).astype(np.uint8), compression="zlib")


MOVIES = """data_optics
loop_
_rlnOpticsGroupName
_rlnOpticsGroup
_rlnMicrographOriginalPixelSize
_rlnVoltage
_rlnSphericalAberration
_rlnAmplitudeContrast
mine 1 1.0 300 2.7 0.07

data_movies
loop_
_rlnMicrographMovieName
_rlnOpticsGroup
""" + "".join(f"movies/{n}.tiff 1\n" for n in range(12))


@pytest.mark.skipif(not {"motioncorr", "ctf"} <= set(ENTRIES), reason="there are no jobs motioncorr and ctf yet")
def test_motion_correction_and_ctf_while_a_worker_is_killed(project: Path) -> None:
    from verglas.io.micrographs_star import read_micrographs

    (project / "movies").mkdir()
    for n in range(12):
        drifting_movie(project / "movies" / f"{n}.tiff", n)
    (project / "movies.star").write_text(MOVIES)
    verglas("submit", "--tasks", 2, "--", "motioncorr", "--movies", "movies.star", "--dose-per-frame", 1, "--patches-x", 1, "--patches-y", 1,
            "--output", "motion")
    wait_for("a finished movie", lambda: Path("motion/rows.jsonl").exists() and Path("motion/rows.jsonl").read_text().strip(), LONG)
    nanny = workers_of(Path("motion"))[0]
    for one in (*nanny.children(recursive=True), nanny):
        one.kill()
    assert outcome(Path("motion")) is None
    assert ended(Path("motion")) == "SUCCESS", told(Path("motion"))
    assert len(read_micrographs("motion/corrected_micrographs.star")) == 12
    verglas("submit", "--tasks", 2, "--", "ctf", "--micrographs", "motion/corrected_micrographs.star", "--output", "ctf")
    assert ended(Path("ctf")) == "SUCCESS", told(Path("ctf"))
    found = read_micrographs("ctf/micrographs_ctf.star").defocus
    assert found is not None and np.allclose(found.u, 15000, atol=500)


def test_markers_have_the_names_that_the_script_uses() -> None:
    guard = (SOURCE / "verglas/cluster/guard.sh").read_text()
    assert all(marker in guard for marker in MARKERS.values())
