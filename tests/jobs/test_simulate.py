"""simulate particles: the truth is written beside the blind set, and RELION can use both."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.mrc import MrcStack, read_map
from verglas.io.particles_star import read_particles
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.runtime.resources import Resources
from verglas.testing.data import relion_program
from verglas.types import Map

Save = Callable[..., Path]


def simulate(project: Path, seed: int = 0, **options: object) -> Path:
    job = find("simulate particles")
    return run_job(job, parse(job.params, options), Request(Resources(seed=seed), project=project, quiet=True))


def test_truth_blind_set_images_and_map(tmp_path: Path, volume: Map, saved: Save) -> None:
    folder = simulate(tmp_path, map=saved("map.mrc", volume), number=30, snr=0.5, per_micrograph=10)
    truth, blind = (read_particles(folder / name, tmp_path) for name in ("truth.star", "particles.star"))
    assert len(truth) == len(blind) == 30
    assert np.ptp(truth.poses.angles[:, 0]) > 1 and not blind.poses.angles.any() and not blind.poses.origin.any()
    assert np.allclose(truth.defocus.u, blind.defocus.u)
    assert truth.images.stacks == ("Simulate/job001/particles.mrcs",)
    with MrcStack(folder / "particles.mrcs") as stack:
        assert stack.shape == (30, 32, 32)
        assert stack.pixel_size == pytest.approx(3.0)
    assert np.allclose(read_map(folder / "map.mrc").data, volume.data, atol=1e-5)


def test_the_same_seed_gives_the_same_images(tmp_path: Path, volume: Map, saved: Save) -> None:
    path = saved("map.mrc", volume)
    first, same, other = (simulate(tmp_path, seed, map=path, number=8) for seed in (1, 1, 2))
    images = [(folder / "particles.mrcs").read_bytes() for folder in (first, same, other)]
    assert images[0] == images[1] != images[2]


def test_given_poses_are_kept(tmp_path: Path, volume: Map, saved: Save) -> None:
    path = saved("map.mrc", volume)
    first = simulate(tmp_path, map=path, number=12)
    again = simulate(tmp_path, seed=9, map=path, poses=first / "truth.star")
    poses = [read_particles(folder / "truth.star", tmp_path).poses for folder in (first, again)]
    assert np.allclose(poses[0].angles, poses[1].angles)
    assert np.allclose(poses[0].origin, poses[1].origin)


def test_optics_groups_have_their_own_stacks(tmp_path: Path, volume: Map, saved: Save) -> None:
    folder = simulate(tmp_path, map=saved("map.mrc", volume), number=40, optics_groups=2, per_micrograph=10, float16=True)
    truth = read_particles(folder / "truth.star", tmp_path)
    assert len(truth.optics) == 2
    for name, index in zip(truth.images.stacks, range(2)):
        with MrcStack(tmp_path / name) as stack:
            assert stack.shape[0] == (truth.optics_index == index).sum()
            assert stack.header.mode == 12


def test_relion_reconstructs_the_map_from_the_exact_images(tmp_path: Path, volume: Map, saved: Save) -> None:
    program = relion_program("relion_reconstruct")
    folder = simulate(tmp_path, map=saved("map.mrc", volume), number=400, noise="none", offset_sd=3)
    command = [program, "--i", str(folder / "truth.star"), "--o", "rec.mrc", "--ctf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = read_map(tmp_path / "rec.mrc").data
    assert np.corrcoef(result.ravel(), volume.data.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"number": 5}, "0 sources"),
        ({"phantom": True, "map": "m.mrc", "number": 5}, "2 sources"),
        ({"phantom": True, "number": 5, "box": 64}, "--box and --pixel-size"),
        ({"phantom": True, "number": 5, "box": 63, "pixel_size": 3}, "must be even"),
        ({"phantom": True, "box": 64, "pixel_size": 3}, "--number is required"),
        ({"model": "no.cif", "number": 5, "box": 64, "pixel_size": 3}, "not an atomic model"),
        ({"phantom": True, "number": 5, "box": 64, "pixel_size": 3, "defocus_min": 30000}, "--defocus-min 30000"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(VerglasError, match=words):
        simulate(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
