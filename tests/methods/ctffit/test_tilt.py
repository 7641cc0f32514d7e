"""Tilt from local defocus."""

import numpy as np
import pytest

from verglas.methods.ctffit import Aim, Lens, Range, estimate, of_micrograph, tilt
from verglas.testing.thon_rings import Scene, micrograph
from verglas.units import DEGREE, MM, wavelength

WANTED = Range(5000, 50000, 2000, 1000, (0.0,), 30, 5)


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_tilt_about_the_y_axis(degrees: float) -> None:
    """Strips of one noise, seen with the defocus of the middle of each."""
    lens, pixel_size, side, strips = Lens(wavelength(300), 2.7 * MM, np.arcsin(0.07)), 1.4, 1536, 16
    width = side // strips
    image = np.empty((side, side), np.float32)
    for strip in range(strips if degrees else 1):
        x = ((strip + 0.5) * width - side / 2) * pixel_size * bool(degrees)
        seen = micrograph(lens, Aim(20000 + x * np.tan(degrees * DEGREE)), pixel_size, side, Scene(strength=2), 5)
        where = slice(strip * width, (strip + 1) * width) if degrees else slice(None)
        image[:, where] = seen[:, where]
    found = tilt(image, pixel_size, lens, estimate(of_micrograph(image, pixel_size), lens, WANTED), WANTED)
    assert found is not None
    assert found.angle / DEGREE == pytest.approx(degrees, abs=3)
    if degrees:
        assert abs(found.axis / DEGREE - 90) < 5
        assert found.slope[0] > 0
