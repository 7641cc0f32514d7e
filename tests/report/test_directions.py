"""Laws of the direction statistics, and agreement with the point groups of core."""

import numpy as np
import pytest

from verglas.report.directions import (
    binned,
    density,
    fourier_coverage,
    half_sphere,
    point_group,
    viewing_directions,
    with_mates,
)
from verglas.report.plots_views import auxiliary, mollweide_points

GROUPS = ["C1", "C3", "D2", "D7", "T", "O", "I1", "I2", "I3", "I4", "I"]


def even_angles(count: int) -> np.ndarray:
    d = half_sphere(count)
    return np.stack([np.arctan2(d[:, 1], d[:, 0]), np.arccos(d[:, 2]), np.zeros(count)], axis=1)


@pytest.mark.parametrize("symbol", GROUPS)
def test_point_group_equals_that_of_core(symbol: str) -> None:
    symmetry = pytest.importorskip("verglas.core.symmetry")
    ours, theirs = point_group(symbol), symmetry.operators(symbol).numpy()
    assert len(ours) == len(theirs)
    gap = np.abs(ours[:, None] - theirs[None]).max(axis=(2, 3)).min(axis=1)
    assert gap.max() < 1e-6
    assert np.allclose(ours[0], np.eye(3))


def test_directions_are_the_third_row_of_the_pose_matrix() -> None:
    rotations = pytest.importorskip("verglas.core.rotations")
    import torch

    angles = np.random.default_rng(1).uniform(-3, 3, (20, 3))
    matrices = rotations.euler_to_matrix(torch.from_numpy(angles)).numpy()
    assert np.allclose(viewing_directions(angles), matrices[:, 2], atol=1e-9)


def test_binning_keeps_every_direction_near_its_bin_centre() -> None:
    d = viewing_directions(np.random.default_rng(2).uniform(-3, 3, (5000, 3)))
    centres, shares = binned(d)
    assert shares.sum() == pytest.approx(1.0)
    assert np.degrees(np.arccos(np.clip((d @ centres.T).max(axis=1), -1, 1))).max() < 6.0


def test_even_views_have_density_one_and_full_coverage() -> None:
    angles = even_angles(20_000)
    d = with_mates(viewing_directions(angles), point_group("D1"))
    centres, shares = binned(np.concatenate([d, -d]))
    assert np.allclose(density(half_sphere(200), centres, shares, 0.15), 1.0, atol=0.06)
    cover = fourier_coverage(angles, "C1")
    assert cover.evenness > 0.97 and cover.lowest > 0.8 and cover.empty == 0


def test_side_views_alone_still_fill_fourier_space_and_top_views_do_not() -> None:
    rng = np.random.default_rng(3)
    top = np.stack([rng.uniform(-3, 3, 2000), np.abs(rng.normal(0, 0.05, 2000)), np.zeros(2000)], axis=1)
    side = top + np.array([0, np.pi / 2, 0])
    assert fourier_coverage(top, "C1").evenness < 0.2
    assert fourier_coverage(top, "C1").empty > 0.5
    assert fourier_coverage(side, "C1").empty == 0


def test_symmetry_fills_the_gaps_of_coverage() -> None:
    one_spot = np.tile([0.3, 0.6, 0.0], (500, 1)) + np.random.default_rng(4).normal(0, 0.03, (500, 3))
    assert fourier_coverage(one_spot, "O").evenness > 2 * fourier_coverage(one_spot, "C1").evenness


def test_mollweide_map_is_equal_area() -> None:
    points, _ = mollweide_points(400, 200)
    share = [np.mean((points[:, 2] > low) & (points[:, 2] <= low + 0.25)) for low in np.arange(-1, 1, 0.25)]
    assert np.allclose(share, 0.125, atol=0.004)


@pytest.mark.parametrize("lat", [-1.5, -0.7, 0.0, 0.4, 1.3])
def test_auxiliary_angle_solves_its_equation(lat: float) -> None:
    t = auxiliary(lat)
    assert 2 * t + np.sin(2 * t) == pytest.approx(np.pi * np.sin(lat), abs=1e-8)
