"""Radial filters: linear, flat on constants, right at chosen frequencies."""

import math

import pytest
import torch

from verglas.core import filters
from verglas.core.shells import shell_index, shell_mean


def test_lowpass_profile() -> None:
    """White noise through the filter: gain 1 inside, 0 outside, a half on the cut-off itself, of width two shells."""
    box, pixel, resolution = 32, 2.0, 8.0  # cut-off shell 8
    data = torch.randn(box, box, box, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gain = torch.fft.rfftn(filters.lowpass(data, pixel, resolution)) / torch.fft.rfftn(data)
    line = gain[0, 0].real
    torch.testing.assert_close(line[:8], torch.ones(8, dtype=torch.float64))
    assert float(line[8]) == pytest.approx(0.5)
    assert float(line[9:].abs().max()) < 1e-12
    assert float(gain[3, 4, 7].real) == pytest.approx(0.5 - 0.5 * math.cos(math.pi * (9 - math.sqrt(74)) / 2), abs=1e-6)


def test_images_and_maps_in_batches() -> None:
    images = torch.randn(3, 5, 16, 16)
    together = filters.lowpass(images, 1.0, 4.0, dims=2)
    torch.testing.assert_close(together[1, 2], filters.lowpass(images[1, 2], 1.0, 4.0, dims=2))
    maps = torch.randn(2, 12, 12, 12)
    torch.testing.assert_close(filters.lowpass(maps, 1.0, 4.0)[1], filters.lowpass(maps[1], 1.0, 4.0))


def test_bfactor_is_additive_and_gaussian() -> None:
    box, pixel = 24, 1.5
    data = torch.randn(box, box, box, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    twice = filters.bfactor(filters.bfactor(data, pixel, 30.0), pixel, -10.0)
    torch.testing.assert_close(twice, filters.bfactor(data, pixel, 20.0))
    gain = (torch.fft.rfftn(filters.bfactor(data, pixel, 50.0)) / torch.fft.rfftn(data))[0, 0].real
    s = torch.arange(13, dtype=torch.float64) / (box * pixel)
    torch.testing.assert_close(gain, torch.exp(-50.0 * s**2 / 4), atol=1e-6, rtol=1e-6)


def test_bfactor_of_a_gaussian_blob() -> None:
    """A Gaussian of variance v (Å^2) blurred by B is a Gaussian of variance v + B / (8 pi^2)."""
    box, pixel, v, b = 48, 1.0, 6.0, 200.0
    x = (torch.arange(box, dtype=torch.float64) - box // 2) * pixel
    r2 = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2
    def blob(var: float) -> torch.Tensor:
        return torch.exp(-r2 / (2 * var)) / (2 * math.pi * var) ** 1.5
    torch.testing.assert_close(filters.bfactor(blob(v), pixel, b), blob(v + b / (8 * math.pi**2)), atol=1e-7, rtol=1e-4)


def test_apply_shells_scales_each_shell() -> None:
    box = 20
    data, curve = torch.randn(box, box, box, dtype=torch.float64), torch.linspace(2, 0.1, 8, dtype=torch.float64)
    before, after = torch.fft.rfftn(data), torch.fft.rfftn(filters.apply_shells(data, curve))
    index = shell_index(box)
    power = [shell_mean(x.abs(), index, 11) for x in (before, after)]
    torch.testing.assert_close(power[1][:8], power[0][:8] * curve)
    assert float(power[1][8:].max()) < 1e-12
