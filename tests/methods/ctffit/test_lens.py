"""The phase of the rings is RELION's, and the variables of the fit have no singular point."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verglas.core.ctf import evaluate
from verglas.methods.ctffit import Aim, Lens
from verglas.methods.ctffit.lens import gamma, turning_point
from verglas.types import Defocus, OpticsGroup

GROUP = OpticsGroup("a", 1, 200.0, 1.4, 0.1, 1.0, 0, 1.0)


@given(u=st.floats(5000, 40000), astigmatism=st.floats(0, 2000), angle=st.floats(-1.57, 1.57), phase=st.floats(0, 3.1))
def test_rings_are_the_square_of_the_ctf_of_the_package(u: float, astigmatism: float, angle: float, phase: float) -> None:
    half = 0.5 * astigmatism
    aim = Aim(u - half, half * np.cos(2 * angle), half * np.sin(2 * angle), phase)
    x, y = np.random.default_rng(1).uniform(-0.3, 0.3, (2, 200))
    defocus = Defocus(*(np.array([value]) for value in (aim.u, aim.v, aim.angle, phase, 0.0, 1.0)))
    ctf = evaluate(torch.as_tensor(x), torch.as_tensor(y), GROUP, defocus).numpy()[0]
    k2 = x * x + y * y
    rings = np.sin(gamma(Lens.of(GROUP), aim, k2, (x * x - y * y) / k2, 2 * x * y / k2)) ** 2
    np.testing.assert_allclose(rings, ctf**2, atol=2e-4)


def test_u_is_the_larger_and_the_angle_is_its_own() -> None:
    aim = Aim(10000.0, 100.0 * np.cos(2 * 1.2), 100.0 * np.sin(2 * 1.2))
    assert (aim.u, aim.v, aim.angle) == pytest.approx((10100.0, 9900.0, 1.2))
    assert Aim(10000.0).u == Aim(10000.0).v == 10000.0


def test_gamma_grows_up_to_the_turning_point() -> None:
    lens = Lens.of(GROUP)
    top = turning_point(lens, 5000.0)
    turns = gamma(lens, Aim(5000.0), np.linspace(0, 2 * top, 201))
    assert np.argmax(turns) == 100
    assert turning_point(Lens(0.02, 0.0, 0.1), 5000.0) == np.inf
