"""Soft masks."""

import numpy as np
import pytest
import torch

from verglas.core import mask


@pytest.mark.parametrize(("dims", "box"), [(2, 32), (3, 24), (2, 21)])
def test_sphere_values(dims: int, box: int) -> None:
    m = mask.soft_sphere(box, 6.0, 3.0, dims)
    centre = (box // 2,) * (dims - 1)
    line = m[centre]
    c = box // 2
    assert line[c : c + 7].tolist() == [1.0] * 7
    torch.testing.assert_close(line[c + 7 : c + 9], torch.tensor([0.75, 0.25]))
    assert line[c + 9].item() == 0.0


def test_background_mean_is_the_weighted_mean_of_the_outside() -> None:
    images = torch.randn(4, 20, 20) + torch.arange(4.0)[:, None, None]
    out = mask.apply_soft_sphere(images, 5, 4, "background mean", dims=2)
    w = 1 - mask.soft_sphere(20, 5, 4, 2)
    for before, after in zip(images, out):
        mean = (before * w).sum() / w.sum()
        assert float(after[0, 0]) == pytest.approx(float(mean), rel=1e-5)
        assert float(after[10, 10]) == pytest.approx(float(before[10, 10]))
        torch.testing.assert_close(after, (1 - w) * before + w * mean)


def test_constant_images_stay_and_masking_a_map_keeps_the_inside() -> None:
    flat = torch.full((2, 16, 16), 3.0)
    torch.testing.assert_close(mask.apply_soft_sphere(flat, 4, 2, "background mean", dims=2), flat)
    volume = torch.randn(12, 12, 12)
    out = mask.apply_soft_sphere(volume, 3, 2)
    assert float(out[0].abs().max()) == 0.0
    torch.testing.assert_close(out[6, 6, 4:8], volume[6, 6, 4:8])


def test_extend_is_a_strict_ball_and_shrink_its_dual() -> None:
    point = np.zeros((15, 15, 15), dtype=bool)
    point[7, 7, 7] = True
    z, y, x = np.mgrid[:15, :15, :15] - 7
    r2 = z**2 + y**2 + x**2
    assert np.array_equal(mask.extend(point, 3), r2 < 9)
    assert np.array_equal(mask.extend(~point, -3), ~(r2 < 9))
    assert np.array_equal(mask.extend(point, 0), point)
    assert not mask.extend(np.zeros_like(point), 3).any()


def test_soft_edge_falls_as_a_cosine() -> None:
    half = np.zeros((9, 9, 21), dtype=bool)
    half[:, :, :8] = True
    line = mask.soften(half, 4)[4, 4]
    np.testing.assert_allclose(line[7:12], 0.5 + 0.5 * np.cos(np.arange(5) * np.pi / 4), atol=1e-6)
    assert mask.soften(half, 0).sum() == half.sum()
    assert line.dtype == np.float32


def test_largest_component() -> None:
    both = np.zeros((10, 10, 10), dtype=bool)
    both[1:3, 1:3, 1:3] = True
    both[5:9, 5:9, 5:9] = True
    assert mask.largest_component(both).sum() == 64
    assert not mask.largest_component(np.zeros((4, 4, 4), dtype=bool)).any()
