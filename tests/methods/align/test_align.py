"""Maps in any orientation are brought into their frame and onto each other; the poses go with them."""

from functools import lru_cache

import mrcfile
import numpy as np
import pytest
import torch

from verglas.core.band import make_band
from verglas.core.filters import lowpass
from verglas.core.projection import prepare_reference, project
from verglas.core.rotations import angular_distance, euler_to_matrix, matrix_to_euler, random_rotations
from verglas.core.shifts import phases
from verglas.core.symmetry import operators
from verglas.methods import align, mapops
from verglas.methods.align.frames import equivalents, frames
from verglas.methods.simulate import phantom
from verglas.testing.data import shared_data
from verglas.types import Map, Poses
from verglas.units import DEGREE

SMALL = {"C3": (48, 5.0, 200), "D2": (48, 5.0, 250), "D3": (48, 5.0, 250), "T": (48, 5.0, 350), "O": (48, 5.0, 350), "I1": (48, 8.0, 1500)}


@lru_cache
def molecule(symmetry: str) -> Map:
    box, pixel, mass = SMALL.get(symmetry, (48, 5.0, 250))
    return phantom(box, pixel, symmetry, mass)


def rotation(seed: int) -> np.ndarray:
    return random_rotations(1, torch.Generator().manual_seed(seed))[0].numpy()


def noisy(source: Map, snr: float, resolution: float, seed: int = 0) -> Map:
    """With white noise of that signal to noise ratio before both are filtered."""
    noise = np.random.default_rng(seed).normal(0, source.data.std() / np.sqrt(snr), source.data.shape)
    return Map(lowpass(torch.from_numpy((source.data + noise).astype(np.float32)), source.pixel_size, resolution).numpy(), source.pixel_size)


def error(symmetry: str, turned: np.ndarray) -> float:
    """Degrees between a rotation of the standard frame and the nearest that leaves the group's axes where they are."""
    r = torch.from_numpy(turned)
    if symmetry[0] == "C":
        return float(torch.acos(r[2, 2].abs().clamp(max=1.0))) / DEGREE
    return float(angular_distance(r[None], equivalents(symmetry)).min()) / DEGREE


def test_a_map_turned_twice_is_turned_by_the_product() -> None:
    source = molecule("C1")
    a, b, s, t = rotation(1), rotation(2), np.array([4.0, -7.0, 2.5]), np.array([-3.0, 5.0, 1.0])
    twice = align.rotate_map(align.rotate_map(source, a, s), b, t)
    once = align.rotate_map(source, a @ b, a @ t + s)
    assert mapops.compare_maps(twice, once).correlation > 0.995
    back = align.rotate_map(align.rotate_map(source, a, s), a.T, -a.T @ s)
    assert mapops.compare_maps(source, back).fsc[1:16].min() > 0.999


@pytest.mark.parametrize("box", [32, 33])
def test_whole_voxels_and_quarter_turns_are_exact(box: int) -> None:
    data = np.zeros((box,) * 3, np.float32)
    data[box // 2 - 6 : box // 2 + 7, 10:22, 8:20] = np.random.default_rng(0).normal(size=(13, 12, 12))
    source = Map(data, 2.0)
    moved = align.rotate_map(source, np.eye(3), np.array([4.0, -2.0, 6.0]))
    assert np.abs(moved.data - np.roll(data, (-3, 1, -2), (0, 1, 2))).max() < 1e-4
    turned = align.rotate_map(source, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])).data  # V'(x, y) = V(-y, x)
    c = box // 2
    assert turned[c, c + 3, c - 2] == pytest.approx(data[c, c - 2, c - 3], abs=1e-4)
    assert align.rotate_map(source, np.eye(3)) is source


def test_turned_poses_show_the_turned_map_as_the_old_ones_showed_the_old() -> None:
    source, q, t = molecule("C1"), rotation(3), np.array([6.0, -9.0, 4.0])
    angles = matrix_to_euler(random_rotations(20, torch.Generator().manual_seed(4)))
    old = Poses(angles.numpy(), np.random.default_rng(0).normal(0, 5, (20, 2)))
    images = [
        views(volume, poses) for volume, poses in ((source, old), (align.rotate_map(source, q, t), align.turn_poses(old, q, t)))
    ]
    agreement = (images[0] * images[1].conj()).real.sum(1) / (images[0].abs().square().sum(1) * images[1].abs().square().sum(1)).sqrt()
    assert agreement.min() > 0.999


def views(source: Map, poses: Poses) -> torch.Tensor:
    """Projections as they are in images: the particle is at minus the origin."""
    band = make_band(source.box, 12)
    seen = project(prepare_reference(torch.from_numpy(source.data)), euler_to_matrix(torch.from_numpy(poses.angles)).float(), band)
    return seen * phases(torch.from_numpy(-poses.origin / source.pixel_size), band.k[:, 0], band.k[:, 1], source.box)


@pytest.mark.parametrize("symmetry", ["C2", "C5", "D1", "D2", "D5", "T", "O", "I1", "I3"])
def test_equivalent_frames_keep_the_group_and_the_grid_leaves_none_out(symmetry: str) -> None:
    group = operators(symmetry)
    for n in equivalents(symmetry)[:40]:
        mates = (n @ group @ n.T).reshape(-1, 9)
        assert torch.cdist(mates, group.reshape(-1, 9)).min(1).values.max() < 1e-6
    grid = frames(symmetry)
    for seed in range(5):
        wanted = torch.from_numpy(rotation(seed)) @ equivalents(symmetry)
        nearest = min(float(angular_distance(grid, one).min()) for one in wanted)
        assert nearest < 11 * DEGREE


@pytest.mark.parametrize("symmetry", [s if s in ("C3", "D2") else pytest.param(s, marks=pytest.mark.slow) for s in SMALL])
def test_axes_are_found_in_any_orientation_and_place(symmetry: str) -> None:
    source, seed = molecule(symmetry), sum(map(ord, symmetry))
    q, u = rotation(seed), np.random.default_rng(seed).uniform(-10, 10, 3)
    frame = align.find_symmetry_axes(noisy(align.rotate_map(source, q, u), 0.5, 3 * source.pixel_size), symmetry)
    assert error(symmetry, q @ frame.rotation) < 0.7
    off = q @ frame.shift + u
    assert np.linalg.norm(off[:2] if symmetry[0] == "C" else off) < 0.2 * source.pixel_size
    assert frame.convincing and frame.score > frame.runner_up > 0 and frame.score > frame.before and frame.score > frame.chance


def test_a_map_in_its_frame_stays_there() -> None:
    frame = align.find_symmetry_axes(molecule("D3"), "D3")
    assert np.abs(frame.rotation - np.eye(3)).max() < 2e-3 and np.abs(frame.shift).max() < 0.3
    assert frame.score == pytest.approx(frame.before, abs=0.01) and frame.with_average(1.0) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("has", "asked"), [("C1", "D2"), ("C1", "C3"), ("D2", "T")])
def test_a_symmetry_that_is_not_there_does_not_convince(has: str, asked: str) -> None:
    assert not align.find_symmetry_axes(noisy(molecule(has), 1.0, 15.0), asked).convincing


@pytest.mark.slow
def test_without_recentring_the_axes_go_through_the_middle_of_the_box() -> None:
    q = rotation(8)
    frame = align.find_symmetry_axes(align.rotate_map(molecule("D2"), q), "D2", recentre=False)
    assert not frame.shift.any() and error("D2", q @ frame.rotation) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_are_laid_on_each_other_and_the_hand_is_told(mirrored: bool) -> None:
    fixed = molecule("C1")
    moving = align.rotate_map(mapops.flip_hand(fixed) if mirrored else fixed, rotation(12), np.array([9.0, -4.0, 6.0]))
    moving = mapops.resize(moving, 44, 5.4)
    found = align.align_maps(noisy(moving, 1.0, 14.0, 1), noisy(fixed, 1.0, 14.0, 2), hand=True)
    assert found.mirrored == mirrored and found.correlation > (found.other_hand or 1.0) + 0.1
    aligned = align.apply_alignment(moving, found, fixed)
    assert mapops.compare_maps(aligned, fixed).correlation > 0.97


@pytest.mark.slow
def test_symmetry_of_the_reference_gives_the_same_alignment() -> None:
    fixed, q = molecule("D2"), rotation(21)
    found = align.align_maps(align.rotate_map(fixed, q), fixed, symmetry="D2")
    assert float(angular_distance(torch.from_numpy(q @ found.rotation)[None], operators("D2")).min()) < 0.2 * DEGREE
    assert found.correlation > 0.99 and found.other_hand is None


@pytest.mark.slow
def test_beta_galactosidase_at_20_angstrom() -> None:
    source = Map(mrcfile.read(shared_data("maps/betaGal.mrc")).astype(np.float32), 3.54)
    q, u = rotation(33), np.array([8.0, -5.0, 11.0])
    frame = align.find_symmetry_axes(noisy(align.rotate_map(source, q, u), 0.1, 18.0), "D2")
    assert error("D2", q @ frame.rotation) < 1.0
    assert np.linalg.norm(q @ frame.shift + u) < 2.0
    assert frame.convincing
