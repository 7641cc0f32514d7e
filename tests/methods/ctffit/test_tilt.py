"""Tilt from the rings of the tiles, and the spectrum that is corrected for it."""

import numpy as np
import pytest

from verglas.methods.ctffit import Aim, Lens, Range, estimate, estimate_tilted, of_micrograph, tiles
from verglas.methods.ctffit.lens import gamma, stretched
from verglas.methods.ctffit.tilt import corrected
from verglas.testing.thon_rings import Scene, micrograph, tilted
from verglas.units import DEGREE, MM, wavelength

WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 4)
LENS = Lens(wavelength(300), 2.7 * MM, np.arcsin(0.07))


@pytest.mark.parametrize("cs_mm", [0.0, 2.7])
@pytest.mark.parametrize("higher", [-1500.0, 0.0, 900.0])
def test_stretched_rings_have_the_same_phase(cs_mm: float, higher: float) -> None:
    lens, k2 = Lens(0.0251, cs_mm * MM, 0.1), np.linspace(0.001, 0.08, 50)
    there = stretched(lens, np.full(50, 12000.0), higher, k2)
    np.testing.assert_allclose(gamma(lens, Aim(12000 + higher), there), gamma(lens, Aim(12000), k2), atol=1e-6)
    if not higher:
        np.testing.assert_allclose(there, k2)


def test_without_slope_the_corrected_spectrum_is_the_plain_one() -> None:
    aim = Aim(15000, 200, -300)
    image = micrograph(LENS, aim, 1.4, 1024, Scene(), 1)
    plain, other = of_micrograph(image, 1.4).power, corrected(image, tiles(image, 1.4), LENS, aim, (0.0, 0.0)).power
    assert np.corrcoef(plain[1:, 1:].ravel(), other[1:, 1:].ravel())[0, 1] > 0.999
    np.testing.assert_allclose(other[1:, 1:], other[1:, 1:][::-1, ::-1], rtol=1e-4)


@pytest.mark.parametrize(("degrees", "axis"), [(0.0, 0.0), (35.0, 40.0)])
def test_tilt_angle_and_axis(degrees: float, axis: float) -> None:
    steep, across = np.tan(degrees * DEGREE), axis * DEGREE - np.pi / 2
    slope = (float(steep * np.cos(across)), float(steep * np.sin(across)))
    image = tilted(LENS, Aim(18000, 150, 100), 1.4, 1024, slope, Scene(), 5)
    _, fit, found = estimate_tilted(image, tiles(image, 1.4), LENS, WANTED)
    assert found is not None
    assert fit.fault == ""
    assert fit.aim.mean == pytest.approx(18000, abs=50)
    assert np.hypot(found.slope[0] - slope[0], found.slope[1] - slope[1]) < 4 * found.angle_error + 0.02
    if degrees:
        assert found.angle / DEGREE == pytest.approx(degrees, abs=3)
        assert found.axis / DEGREE == pytest.approx(axis, abs=5)
        assert found.gain > 50
        plain = estimate(of_micrograph(image, 1.4), LENS, WANTED)
        assert fit.score > 1.3 * plain.score
        assert fit.resolution < plain.resolution
    else:
        assert found.gain < 10


def test_noise_has_no_tilt() -> None:
    image = micrograph(Lens(0.02, 0.0, np.pi / 2), Aim(0.0), 1.4, 1024, Scene(), 3)
    _, fit, found = estimate_tilted(image, tiles(image, 1.4), LENS, WANTED)
    assert found is None
    assert "no Thon rings" in fit.fault
