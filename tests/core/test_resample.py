"""Change of box and pixel: identity, round trip, the centre, and agreement of the two ways."""

import numpy as np
import pytest
import torch

from verglas.core import resample
from verglas.core.filters import lowpass


def blob(box: int, pixel: float, sigma: float = 6.0) -> torch.Tensor:
    """A Gaussian at (5, -3, 2) Å from voxel B//2, sampled exactly."""
    c = (torch.arange(box, dtype=torch.float64) - box // 2) * pixel
    x, y, z = (torch.exp(-((c - m) ** 2) / (2 * sigma**2)) for m in (5.0, -3.0, 2.0))
    return z[:, None, None] * y[:, None] * x


@pytest.mark.parametrize(("old", "new"), [(16, 24), (16, 17), (15, 20), (15, 23), (16, 30)])
def test_growing_and_shrinking_back_is_the_identity(old: int, new: int) -> None:
    data = torch.randn(old, old, old, dtype=torch.float64)
    torch.testing.assert_close(resample.resize_map(resample.resize_map(data, new), old), data)


@pytest.mark.parametrize("new", [40, 25, 48, 33])
def test_resize_of_a_blob_is_the_blob_on_the_new_grid(new: int) -> None:
    field = 96.0
    out = resample.resize_map(blob(32, field / 32), new)
    torch.testing.assert_close(out, blob(new, field / new), atol=2e-4, rtol=0)


@pytest.mark.parametrize(("pixel", "box"), [(2.51, 40), (3.54, 28), (1.7, 60), (2.0, 31), (3.9, 20)])
def test_resample_of_a_blob_is_the_blob_at_any_pixel(pixel: float, box: int) -> None:
    out = resample.resample(blob(40, 2.3, 7.0), 2.3, pixel, box)
    expected = blob(box, pixel, 7.0)
    torch.testing.assert_close(out, expected, atol=1e-3 if pixel > 3.5 else 2e-5, rtol=0)


@pytest.mark.parametrize("new", [24, 20, 36, 27])
def test_both_ways_agree(new: int) -> None:
    """At the same field of view `resample` is `resize_map`."""
    data = lowpass(torch.randn(24, 24, 24, dtype=torch.float64), 1.0, 3.0)
    other = resample.resample(data, 1.0, 24 / new, new)
    torch.testing.assert_close(other, resample.resize_map(data, new), atol=1e-9, rtol=1e-9)


def test_shrinking_noise_agrees_too() -> None:
    data = torch.randn(24, 24, 24, dtype=torch.float64)
    other = resample.resample(data, 1.0, 2.0, 12)
    torch.testing.assert_close(other, resample.resize_map(data, 12), atol=1e-9, rtol=1e-9)


def test_images_in_batches() -> None:
    images = torch.randn(3, 18, 18)
    out = resample.resize_images(images, 26)
    assert out.shape == (3, 26, 26)
    torch.testing.assert_close(out[2], resample.resize_images(images[2], 26))
    torch.testing.assert_close(out.mean((1, 2)), images.mean((1, 2)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(resample.resample(images, 1.0, 18 / 26, 26, dims=2), out, atol=1e-5, rtol=1e-5)


def test_outside_of_the_old_box_is_zero_and_the_default_box_even() -> None:
    out = resample.resample(torch.ones(16, 16, 16), 1.0, 1.0, 32)
    assert float(out.sum()) == pytest.approx(16**3, rel=1e-5) and float(out[0].abs().max()) == 0.0
    assert resample.resample(torch.ones(16, 16, 16), 1.0, 1.45).shape[-1] == 12
    assert [resample.nearest_even(v) for v in (10.9, 11.1, 13.0, 0.3)] == [10, 12, 14, 2]
    assert np.isfinite(out.numpy()).all()
