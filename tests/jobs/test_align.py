"""align-symmetry and map align: files in, files out, doubts as warnings."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.core.rotations import random_rotations
from verglas.errors import VerglasError
from verglas.io.mrc import read_map
from verglas.io.particles_star import read_particles, write_particles
from verglas.io.star import read_star
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job
from verglas.methods import align, mapops
from verglas.methods.simulate import phantom
from verglas.runtime.resources import Resources
from verglas.types import Map

Save = Callable[..., Path]
TURN = random_rotations(1, torch.Generator().manual_seed(5))[0].numpy()
MOVE = np.array([7.0, -3.0, 5.0])


@lru_cache
def molecule(symmetry: str) -> Map:
    return phantom(48, 5.0, symmetry, 250)


def job(name: str, tmp_path: Path, **options: object) -> Path:
    found = find(name)
    return run_job(found, parse(found.params, options), Request(Resources(), project=tmp_path, quiet=True))


def event(folder: Path, name: str) -> dict[str, object]:
    return next(e for e in map(json.loads, (folder / "events.jsonl").read_text().splitlines()) if e["event"] == name)


def test_a_turned_map_comes_back_and_its_particles_with_it(tmp_path: Path, saved: Save) -> None:
    turned = align.rotate_map(molecule("D2"), TURN, MOVE)
    made = job("simulate particles", tmp_path, map=saved("turned.mrc", turned), number=250, noise="none", offset_sd=3)
    folder = job("align-symmetry", tmp_path, map=tmp_path / "turned.mrc", symmetry="d2", particles=made / "truth.star")
    assert folder.parent.name == "AlignSymmetry"
    aligned, stays = read_map(folder / "aligned.mrc"), read_map(folder / "aligned.mrc").data
    assert np.abs(mapops.symmetrise(aligned, "D2").data - stays).max() < 1e-4 * np.abs(stays).max()
    found = event(folder, "symmetry")
    assert found["convincing"] and float(str(found["score"])) > 0.98 and not (folder / "run.err").read_text()
    assert "random orientation" in (folder / "run.out").read_text()
    before, after = read_particles(made / "truth.star", tmp_path), read_particles(folder / "particles.star", tmp_path)
    assert after.images.stacks == before.images.stacks and np.allclose(after.defocus.u, before.defocus.u)
    again = job("reconstruct", tmp_path, particles=folder / "particles.star")
    result = read_map(next(again.glob("*.mrc")))
    assert mapops.compare_maps(result, aligned).correlation > 0.9 > 0.7 > mapops.compare_maps(turned, aligned).correlation


@pytest.mark.slow
def test_only_turned_and_not_averaged(tmp_path: Path, saved: Save) -> None:
    source = molecule("D2")
    noise = np.random.default_rng(0).normal(0, 0.3 * source.data.std(), source.data.shape).astype(np.float32)
    turned = align.rotate_map(replace(source, data=source.data + noise), TURN)
    folder = job("align-symmetry", tmp_path, map=saved("turned.mrc", turned), symmetry="D2", average=False, recentre=False)
    result = read_map(folder / "aligned.mrc")
    assert 0.8 < mapops.compare_maps(result, mapops.symmetrise(result, "D2")).correlation < 0.99
    assert event(folder, "symmetry")["shift"] == [0, 0, 0]


@pytest.mark.slow
def test_a_map_without_the_symmetry_is_warned_about(tmp_path: Path, saved: Save) -> None:
    folder = job("align-symmetry", tmp_path, map=saved("map.mrc", molecule("C1")), symmetry="C3")
    assert "does not seem to have C3 symmetry" in (folder / "run.err").read_text()


def test_maps_are_aligned_and_compared(tmp_path: Path, saved: Save) -> None:
    fixed = molecule("C1")
    moving = mapops.resize(align.rotate_map(mapops.flip_hand(fixed), TURN, MOVE), 40, 6.0)
    folder = job("map align", tmp_path, map=saved("a.mrc", moving), reference=saved("b.mrc", fixed), try_mirror=True)
    result = read_map(folder / "aligned.mrc")
    assert (result.box, result.pixel_size) == (48, pytest.approx(5.0))
    assert event(folder, "result")["mirrored"] and mapops.compare_maps(result, fixed).correlation > 0.97
    curve = read_star(folder / "fsc.star")["fsc"]["rlnFourierShellCorrelation"]
    assert np.asarray(curve)[:14].min() > 0.95
    assert "other hand" in (folder / "run.out").read_text()


def test_wrong_input_is_refused(tmp_path: Path, saved: Save) -> None:
    path = saved("map.mrc", molecule("C1"))
    made = job("simulate particles", tmp_path, map=path, number=4)
    blind = read_particles(made / "particles.star", tmp_path)
    write_particles(tmp_path / "p.star", blind)
    for options, words in (({"symmetry": "C1"}, "no axes"), ({"symmetry": "Q2"}, "Q2"), ({"symmetry": "D2", "radius": 500}, "half the box")):
        with pytest.raises(VerglasError, match=words) as error:
            job("align-symmetry", tmp_path, map=path, **options)
        assert error.value.remedy
    assert not (tmp_path / "AlignSymmetry").exists()
    folder = job("align-symmetry", tmp_path, map=path, symmetry="D2", particles=tmp_path / "p.star")
    assert "all angles" in (folder / "run.err").read_text()
