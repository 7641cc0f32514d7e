"""Shift grids, their prior and the shift theorem."""

from math import pi

import numpy as np
import pytest
import torch

from verglas.core import shifts


@pytest.mark.parametrize(
    ("reach", "step", "count"), [(0.0, 2.0, 1), (2.0, 2.0, 5), (5.0, 2.0, 21), (6.0, 2.0, 29), (5.0, 1.0, 81)]
)
def test_grid_is_all_points_of_the_circle(reach: float, step: float, count: int) -> None:
    points = shifts.offset_grid(reach, step)
    assert points.shape == (count, 2)
    assert (points.norm(dim=1) <= reach + 1e-3).all() and len(points.unique(dim=0)) == count
    assert (points.norm(dim=1) == 0).sum() == 1
    torch.testing.assert_close(points / step, (points / step).round())


def test_points_on_the_circle_survive_rounding() -> None:
    """RELION's 5 px range and 1 px step at 1.77 A: the points (3, 4), (5, 0) stay although 1.77 is not exact."""
    assert len(shifts.offset_grid(5 * 1.77, 1.77)) == 81


@pytest.mark.parametrize("oversampling", [0, 1, 2])
def test_children_tile_the_cell(oversampling: int) -> None:
    points = shifts.offset_grid(6.0, 2.0)
    fine = shifts.offset_children(points, 2.0, oversampling)
    assert fine.shape == (29, 4**oversampling, 2)
    torch.testing.assert_close(fine.mean(1), points)
    assert (fine - points[:, None]).abs().max().item() == pytest.approx(1.0 - 1.0 / 2**oversampling)
    assert len(fine.reshape(-1, 2).unique(dim=0)) == 29 * 4**oversampling


def test_children_numbers() -> None:
    fine = shifts.offset_children(torch.tensor([[4.0, 0.0]], dtype=torch.float64), 2.0)
    assert sorted(map(tuple, fine[0].tolist())) == [(3.5, -0.5), (3.5, 0.5), (4.5, -0.5), (4.5, 0.5)]


def test_perturbation_moves_both_coordinates() -> None:
    points = shifts.offset_grid(4.0, 2.0)
    torch.testing.assert_close(shifts.perturb_offsets(points, -0.25, 2.0) - points, torch.full_like(points, -0.5))


def test_prior_is_a_gaussian_about_the_prior_offset() -> None:
    points = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    old = torch.tensor([[3.0, -1.0], [0.0, 0.0], [-1.0, -2.0]], dtype=torch.float64)
    prior = torch.tensor([[0.5, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    found = shifts.offset_log_prior(points, old, prior, 4.0)
    expected = [[-(3.5**2 + 1) / 8, -(2.5**2 + 1) / 8], [-5 / 8, 0], [0, -5 / 8]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(shifts.offset_log_prior(points, old, prior, 0.0), torch.zeros(3, 2, dtype=torch.float64))


def test_phases_move_content_by_plus_s() -> None:
    """Shift theorem against numpy.roll, and two half shifts are one."""
    box = 16
    image = torch.randn(box, box, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ky, kx = torch.meshgrid(torch.fft.fftfreq(box) * box, torch.fft.fftfreq(box) * box, indexing="ij")
    s = torch.tensor([[3.0, -2.0], [1.5, -1.0]])
    ramp = shifts.phases(s, kx.reshape(-1), ky.reshape(-1), box)
    assert ramp.shape == (2, box * box) and ramp.dtype == torch.complex64
    moved = torch.fft.ifft2(torch.fft.fft2(image) * ramp[0].reshape(box, box)).real
    torch.testing.assert_close(moved, torch.roll(image, (-2, 3), (0, 1)), atol=1e-6, rtol=0)
    torch.testing.assert_close(ramp[1] * ramp[1], ramp[0], atol=1e-6, rtol=0)


def test_phases_are_accurate_far_from_the_origin() -> None:
    kx, ky = torch.arange(-200, 200, dtype=torch.float32), torch.full((400,), 199.0)
    s = torch.tensor([[37.3, -41.7]], dtype=torch.float64)
    exact = np.exp(-2j * pi * (s[0, 0].item() * kx.double().numpy() + s[0, 1].item() * 199) / 400)
    assert np.abs(shifts.phases(s, kx, ky, 400)[0].numpy() - exact).max() < 1e-6
