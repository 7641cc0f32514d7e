"""2D class averages: maps of one plane."""

import numpy as np
import torch

from verglas import kernels
from verglas.core import fourier, projection, reconstruct
from verglas.core.band import make_band
from verglas.core.sampling import InPlane, children, in_plane, rotations
from verglas.core.symmetry import operators
from verglas.kernels import reference


def _picture(box: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(box) - box // 2.0, torch.arange(box) - box // 2.0, indexing="ij")
    return torch.exp(-((x - 4) ** 2 + (y + 2) ** 2) / 8) + 0.6 * torch.exp(-((x + 5) ** 2 + (y - 3) ** 2) / 5)


def test_a_slice_of_a_plane_is_its_transform() -> None:
    box = 32
    picture = _picture(box)
    band = make_band(box, box // 2 - 1)
    cut = projection.project(projection.prepare_reference(picture[None]), torch.eye(3)[None].double(), band)[0]
    exact = band.gather(fourier.forward(picture[None]))[0]
    assert float((cut * exact.conj()).real.sum() / (cut.norm() * exact.norm())) > 0.9995
    assert abs(float(cut.norm() / exact.norm()) - 1) < 0.04  # the gridding correction is exact on average only


def test_planes_come_back_from_their_rotated_copies() -> None:
    box = 32
    picture, band = _picture(box), make_band(box, box // 2 - 1)
    turns = in_plane(torch.rand(200, generator=torch.Generator().manual_seed(0)).double() * 2 * np.pi)
    values = projection.project(projection.prepare_reference(picture[None]), turns, band)
    sums = reconstruct.empty_sums(box, 2.0, box // 2 - 1, flat=True)
    reconstruct.accumulate(sums, values, torch.ones(values.shape), turns, band)
    reconstruct.complete(sums, operators("C1"))
    again = reconstruct.solve(sums)[0]
    assert np.corrcoef(again.ravel(), picture.ravel())[0, 1] > 0.995
    assert abs(float((again * picture).sum() / (picture**2).sum()) - 1) < 0.02


def test_kernels_of_planes_follow_their_definitions() -> None:
    generator = torch.Generator().manual_seed(3)
    volume = torch.randn(1, 21, 11, dtype=torch.complex64, generator=generator)
    axes = torch.randn(5, 2, 3, generator=generator)
    k = torch.randint(-4, 5, (17, 2), generator=generator).float()
    torch.testing.assert_close(kernels.cut(volume, axes, k), reference.plane.cut(volume, axes, k), rtol=1e-4, atol=1e-5)
    values, weights = torch.randn(5, 17, dtype=torch.complex64, generator=generator), torch.rand(5, 17, generator=generator)
    ours, theirs = ([torch.zeros_like(volume), torch.zeros(1, 21, 11)] for _ in range(2))
    kernels.insert(*ours, values, weights, axes, k)
    reference.plane.add(*theirs, values, weights, axes, k)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_children_in_the_plane_surround_their_parent() -> None:
    grid = InPlane(30)
    parent, fine = rotations(grid, torch.tensor([7]), 0.2), children(grid, torch.tensor([7]), 1, 0.2)
    assert fine.shape == (1, 2, 3, 3)
    mean = fine[0].mean(0)
    torch.testing.assert_close(mean / mean[0, :2].norm(), (parent / parent[0, 0, :2].norm())[0], rtol=0, atol=0.02)
