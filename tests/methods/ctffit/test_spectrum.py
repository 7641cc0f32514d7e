"""Spectra: laws of the tiles, and the background that is taken out."""

import numpy as np
import pytest

from verglas.methods.ctffit import of_amplitudes, of_micrograph
from verglas.methods.ctffit.background import background
from verglas.methods.ctffit.cells import cells
from verglas.methods.ctffit.profile import ice_ring


def waves(k: tuple[float, float], pixel_size: float, side: int) -> np.ndarray:
    y, x = np.mgrid[:side, :side] * pixel_size
    noise = np.random.default_rng(0).normal(0, 0.01, (side, side))
    return (np.cos(2 * np.pi * (k[0] * x + k[1] * y)) + noise).astype(np.float32)


@pytest.mark.parametrize("pixel_size", [0.5, 1.0, 1.7])
def test_a_wave_is_at_its_frequency_whatever_the_pixel_size(pixel_size: float) -> None:
    spectrum = of_micrograph(waves((0.11, -0.07), pixel_size, 1500), pixel_size)
    assert spectrum.pixel_size >= 1.39
    middle = len(spectrum.power) // 2
    power = spectrum.power.copy()
    power[:, :middle] = 0
    y, x = np.unravel_index(np.argmax(power), power.shape)
    np.testing.assert_allclose(np.array([x - middle, y - middle]) * spectrum.step, [0.11, -0.07], atol=spectrum.step)
    np.testing.assert_allclose(spectrum.power[1:, 1:], spectrum.power[1:, 1:][::-1, ::-1], rtol=1e-4)


def test_brightness_slope_and_dirt_do_not_matter() -> None:
    image = np.random.default_rng(1).normal(0, 1, (2048, 2048)).astype(np.float32)
    clean = of_micrograph(image, 1.4)
    spoilt = image + 100 + 20 * np.linspace(-1, 1, 2048, dtype=np.float32)
    spoilt[:250, :250] += 50 * np.random.default_rng(2).normal(0, 1, (250, 250)).astype(np.float32)
    found = of_micrograph(spoilt, 1.4)
    far = np.hypot(*(np.mgrid[:512, :512] - 256)) > 20
    assert np.median(found.power[far]) == pytest.approx(np.median(clean.power[far]), rel=0.2)


def test_background_is_a_projection() -> None:
    rng = np.random.default_rng(3)
    k, angle, weight = np.linspace(0.03, 0.25, 120), np.linspace(-1.5, 1.5, 30), rng.integers(0, 5, (30, 120)).astype(float)
    smooth = background(k, angle, weight)
    values, other = rng.normal(size=(2, 30, 120))
    once = smooth.part(values)
    np.testing.assert_allclose(smooth.part(once), once, atol=1e-4)
    assert (weight * smooth.part(values) * other).sum() == pytest.approx((weight * values * smooth.part(other)).sum(), rel=1e-3, abs=1e-3)


def test_a_smooth_spectrum_leaves_nothing_but_noise() -> None:
    y, x = np.mgrid[:512, :512] - 256
    k = np.hypot(x, y) / (512 * 1.4)
    rng = np.random.default_rng(4)
    shape = (1 + 5 * np.exp(-((k / 0.05) ** 2))) * (1 + 0.3 * np.cos(2 * np.arctan2(y, x)) * k / 0.3)
    spectrum = of_amplitudes(np.sqrt(shape * (1 + 0.1 * rng.standard_normal((512, 512)))), 1.4)
    found = cells(spectrum, 30, 3)
    radial = (found.weight * found.data).sum(0) / found.weight.sum(0)
    assert np.sqrt(found.variance) == pytest.approx(0.1, rel=0.05)
    assert radial.std() < 1.3 * np.sqrt(found.variance / found.weight.sum(0)).mean()


@pytest.mark.parametrize("height", [0.0, 0.5])
def test_ice_ring(height: float) -> None:
    y, x = np.mgrid[:512, :512] - 256
    k = np.hypot(x, y) / (512 * 1.4)
    ring = 1 + height * ((k > 0.25) & (k < 0.28))
    assert ice_ring(of_amplitudes(np.sqrt(np.exp(-2 * k) * ring), 1.4)) == pytest.approx(height, abs=0.03)
    assert ice_ring(of_amplitudes(np.ones((512, 512)), 2.0)) is None
