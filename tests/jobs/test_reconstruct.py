"""reconstruct: exact images give the map back, every kind of optics is honoured, RELION's half maps are matched."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import VerglasError
from verglas.io.mrc import MrcStack, StackWriter, read_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods.reconstruct.solve import map_fsc
from verglas.methods.simulate.images import NoNoise
from verglas.testing.data import relion_program, shared_data
from verglas.testing.particle_sets import ParticleSet, blobs, optics_group, write_set
from verglas.types import Map, OpticsGroup

PIXEL, BOX = 5.0, 32


def reconstruct(output: Path, **options: object) -> Path:
    job = find("reconstruct")
    return run_job(job, parse(job.params, options), Request(output=output, quiet=True))


def exact(folder: Path, optics: tuple[OpticsGroup, ...] = (), number: int = 300) -> ParticleSet:
    return write_set(folder, blobs(BOX, PIXEL), number, NoNoise(), optics)


def agreement(result: Path, truth: Map) -> np.ndarray:
    """FSC with the truth by shell."""
    return map_fsc(read_map(result / "reconstruct.mrc"), truth)


def test_exact_images_give_the_map_back(tmp_path: Path) -> None:
    data = exact(tmp_path)
    result = reconstruct(tmp_path / "out", particles=data.truth_star, symmetry="D2")
    assert agreement(result, data.volume)[:14].min() > 0.99
    assert not (result / "reconstruct_half1.mrc").exists()


def test_wrong_poses_do_not(tmp_path: Path) -> None:
    data = exact(tmp_path)
    result = reconstruct(tmp_path / "out", particles=data.star, symmetry="D2")
    assert agreement(result, data.volume)[3:].max() < 0.9


GROUP = optics_group(PIXEL, BOX)
OPTICS = {
    "beam tilt": replace(GROUP, beam_tilt_mrad=(25.0, -15.0)),
    "odd Zernikes": replace(GROUP, odd_zernike=(0.0, 0.0, 0.0, 0.0, 300.0, -200.0)),
    "even Zernikes": replace(GROUP, even_zernike=(0.3, 20.0, -30.0, 10.0)),
    "premultiplied": replace(GROUP, ctf_premultiplied=True),
    "magnification": replace(GROUP, magnification=(1.03, 0.01, 0.01, 0.98)),
}


@pytest.mark.parametrize("name", OPTICS)
def test_optics_are_honoured(tmp_path: Path, name: str) -> None:
    data = exact(tmp_path, (OPTICS[name],))
    result = reconstruct(tmp_path / "out", particles=data.truth_star, symmetry="D2")
    honoured = agreement(result, data.volume)[:13].min()
    plain = replace(data.truth, optics=(replace(GROUP, group=data.truth.optics[0].group),))
    write_particles(tmp_path / "plain.star", plain)
    ignored = agreement(reconstruct(tmp_path / "ignored", particles=tmp_path / "plain.star", symmetry="D2"), data.volume)[:13].min()
    assert honoured > 0.99
    assert ignored < honoured - 0.003


def brighten(stack: Path, factor: float) -> None:
    with MrcStack(stack) as images:
        pixels, pixel = images.read(np.arange(images.shape[0])), images.pixel_size
    with StackWriter(stack, pixel) as images:
        images.append(pixels * factor)


def test_groups_of_different_box_and_pixel_share_one_map(tmp_path: Path) -> None:
    """Normalised images of larger pixels show the same density 6/5 times as strong: the sum along z over sd per pixel."""
    other = replace(optics_group(6.0, 40, 2, 300.0, 2.7), name="other")
    data = exact(tmp_path, (GROUP, other), number=400)
    brighten(data.folder / data.truth.images.stacks[1], 6.0 / PIXEL)
    rows = np.flatnonzero(data.truth.optics_index == 1)
    assert 100 < len(rows) < 300
    result = reconstruct(tmp_path / "out", particles=data.truth_star, symmetry="D2")
    assert agreement(result, data.volume)[:12].min() > 0.99
    write_particles(tmp_path / "both.star", data.truth.take(np.r_[np.flatnonzero(data.truth.optics_index == 0)[:1], rows]))
    alone = reconstruct(tmp_path / "alone", particles=tmp_path / "both.star", symmetry="D2")
    one, two = (read_map(path / "reconstruct.mrc").data for path in (result, alone))
    assert np.vdot(one, two) / np.vdot(two, two) == pytest.approx(1.0, abs=0.03)


def test_halves_their_fsc_and_the_limit(tmp_path: Path) -> None:
    data = write_set(tmp_path, blobs(BOX, PIXEL), 200)
    result = reconstruct(tmp_path / "out", particles=data.truth_star, symmetry="D2", halves=True, max_resolution=20.0)
    halves = [read_map(result / f"reconstruct_half{half}.mrc") for half in (1, 2)]
    event = next(row for row in map(json.loads, (result / "events.jsonl").read_text().splitlines()) if row["event"] == "fsc")
    assert np.allclose(event["fsc"], map_fsc(*halves), atol=1e-4)
    free = reconstruct(tmp_path / "free", particles=data.truth_star, symmetry="D2")
    limited, full = (beyond(read_map(path / "reconstruct.mrc"), 11) for path in (result, free))
    assert limited < 0.03 * full
    alone = reconstruct(tmp_path / "half", particles=_half(tmp_path, data, 1), symmetry="D2", max_resolution=20.0)
    assert np.allclose(read_map(alone / "reconstruct.mrc").data, halves[0].data, atol=1e-4 * np.abs(halves[0].data).max())


def beyond(volume: Map, shell: int) -> float:
    """Power outside a shell."""
    axis = np.fft.fftfreq(volume.box, 1 / volume.box)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2)
    return float((np.abs(np.fft.fftn(volume.data)) ** 2)[radius >= shell].sum())


def _half(folder: Path, data: ParticleSet, half: int) -> Path:
    write_particles(folder / "half.star", data.truth.take(np.flatnonzero(data.truth.half == half)))
    return folder / "half.star"


def test_relion_reconstruct_gives_the_same_map(tmp_path: Path) -> None:
    program = relion_program("relion_reconstruct")
    data = write_set(tmp_path, blobs(BOX, PIXEL), 150)
    command = [program, "--i", "truth.star", "--o", "relion.mrc", "--ctf", "--sym", "D2", "--pad", "2", "--skip_gridding"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours = read_map(reconstruct(tmp_path / "out", particles=data.truth_star, symmetry="D2") / "reconstruct.mrc")
    theirs = read_map(tmp_path / "relion.mrc")
    assert map_fsc(ours, theirs)[:13].min() > 0.999
    assert np.vdot(ours.data, theirs.data) / np.vdot(theirs.data, theirs.data) == pytest.approx(1.0, abs=0.01)


def test_real_half_maps_correlate_as_relions(tmp_path: Path) -> None:
    """1,400 particles of beta-galactosidase at RELION's poses; relion_reconstruct --ctf --sym D2 made the maps compared with."""
    star = shared_data("bgal-project/derived/particles_with_poses.star")
    result = reconstruct(tmp_path / "out", particles=star, symmetry="D2", halves=True)
    ours = [read_map(result / f"reconstruct_half{half}.mrc") for half in (1, 2)]
    theirs = [read_map(shared_data(f"bgal-relion5-refine/reconstruct_half{half}.mrc")) for half in (1, 2)]
    assert np.abs(map_fsc(*ours) - map_fsc(*theirs)).max() < 0.005
    assert min(map_fsc(one, other).min() for one, other in zip(ours, theirs)) > 0.999


Change = Callable[[ParticleSet], dict[str, object]]


def _no_halves(data: ParticleSet) -> dict[str, object]:
    write_particles(data.folder / "none.star", replace(data.truth, half=np.zeros(len(data.truth), dtype=np.int64)))
    return {"particles": data.folder / "none.star", "halves": True}


def _no_stack(data: ParticleSet) -> dict[str, object]:
    (data.folder / data.truth.images.stacks[0]).unlink()
    return {"particles": data.truth_star}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_no_halves, "0 particles in half 1"),
        (_no_stack, "stack"),
        (lambda data: {"particles": data.truth_star, "symmetry": "Q7"}, "Q7"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, change: Change, words: str) -> None:
    data = exact(tmp_path, number=6)
    with pytest.raises(VerglasError, match=words):
        reconstruct(tmp_path / "out", **change(data))
    assert not (tmp_path / "out").exists()


def test_zero_angles_are_warned_of(tmp_path: Path) -> None:
    data = exact(tmp_path, number=6)
    result = reconstruct(tmp_path / "out", particles=data.star)
    assert "angles are 0" in (result / "run.err").read_text()
    assert len(read_particles(data.star)) == 6
