"""Thickness from the node of the rings."""

import numpy as np
import pytest

from verglas.methods.ctffit import Aim, Lens, Range, Spectrum, estimate, estimate_thickness, of_micrograph
from verglas.methods.ctffit.lens import rings, slab
from verglas.testing.thon_rings import Scene, micrograph, power
from verglas.units import MM, wavelength

WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 3)
LENS = Lens(wavelength(300), 2.7 * MM, np.arcsin(0.07))


def test_slab_is_the_mean_over_layers_and_turns_over_at_the_node() -> None:
    k2 = np.linspace(0.0005, 0.1, 300)
    layers = np.mean([rings(LENS, Aim(15000.0 + z), k2) for z in (np.arange(400) + 0.5) / 400 * 1000 - 500], axis=0)
    np.testing.assert_allclose(rings(LENS, Aim(15000.0, thickness=1000.0), k2), layers, atol=1e-3)
    node = 1 / (LENS.wavelength * 1000)
    assert slab(LENS, 1000.0, np.array([node]))[0] == pytest.approx(0, abs=1e-12)
    assert slab(LENS, 1000.0, np.array([1.5 * node]))[0] < -0.2


@pytest.mark.parametrize("truth", [0.0, 300.0, 800.0, 1300.0, 2000.0])
def test_thickness_or_its_limit(truth: float) -> None:
    """Up to 3 Å rings reach the node of 450 Å."""
    aim = Aim(16000.0, 150.0, 60.0, 0.0, truth)
    spectrum = Spectrum(power(LENS, aim, 1.4, Scene(strength=0.6, bfactor=50), 40, 3), 1.4)
    plain = estimate(spectrum, LENS, WANTED)
    fit, found = estimate_thickness(spectrum, LENS, plain, WANTED)
    assert fit.fault == ""
    assert fit.aim.mean == pytest.approx(16000, abs=30)
    if truth < 450:
        assert found.value is None
        assert truth < found.below < 460
    else:
        assert found.value == pytest.approx(truth, abs=50)
        assert abs(found.value - truth) < 4 * found.error
        assert fit.score > plain.score


def test_layers_of_noise() -> None:
    image = micrograph(LENS, Aim(16000.0, thickness=1200.0), 1.4, 768, Scene(strength=2, bfactor=40), 2)
    spectrum = of_micrograph(image, 1.4)
    _, found = estimate_thickness(spectrum, LENS, estimate(spectrum, LENS, WANTED), WANTED)
    assert found.value == pytest.approx(1200, abs=60)
    assert found.error < 60
