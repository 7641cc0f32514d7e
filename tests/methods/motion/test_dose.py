"""The local model and the dose weights against their formulas."""

import numpy as np
import pytest

from verglas.core import local_motion
from verglas.methods.motion import dose
from verglas.methods.motion.sums import dose_basis


def test_local_model_by_hand() -> None:
    rng = np.random.default_rng(0)
    c, u, v, z = rng.normal(size=(2, 18)), 0.3, -0.2, 4.0
    phi = (1, u, u * u, v, v * v, u * v)
    by_hand = [sum(c[axis, 3 * a + b] * phi[a] * z ** (b + 1) for a in range(6) for b in range(3)) for axis in range(2)]
    np.testing.assert_allclose(local_motion.local_shift(c, np.array(u), np.array(v), np.array(z)), by_hand, rtol=1e-12)
    np.testing.assert_allclose((local_motion.spatial(c, 6)[4] * np.array(phi)).sum(-1), by_hand, rtol=1e-12)
    assert np.all(local_motion.local_shift(c, np.array(u), np.array(v), np.array(0.0)) == 0)


@pytest.mark.parametrize(("d", "expected"), [(3.0, 4.34), (5.0, 6.38), (10.0, 14.14), (20.0, 38.7)])
def test_critical_exposure_of_the_paper(d: float, expected: float) -> None:
    assert dose.critical_exposure(np.array([1 / d]), 300.0)[0] == pytest.approx(expected, rel=2e-3)
    assert dose.critical_exposure(np.array([1 / d]), 200.0)[0] == pytest.approx(0.8 * expected, rel=2e-3)


def test_dose_counts_from_the_first_frame_of_the_file() -> None:
    np.testing.assert_allclose(dose.dose_after(3, 2.0, 5.0, first_frame=1), [9.0, 11.0, 13.0])
    assert np.all(dose.attenuation(np.zeros(1), np.array([30.0]), 300.0) == 1.0)


@pytest.mark.parametrize(("frames", "rate", "px", "kv"), [(24, 1.277, 0.885, 200.0), (50, 1.0, 0.83, 300.0), (8, 4.0, 1.4, 100.0)])
def test_few_sums_stand_for_all_frames(frames: int, rate: float, px: float, kv: float) -> None:
    exposure = dose.dose_after(frames, rate, 0.0)
    basis = dose_basis(exposure, 0.75 / px, kv)
    w = dose.attenuation(basis.s, exposure, kv).T
    np.testing.assert_allclose(basis.shapes.T @ basis.weights, w / np.sqrt((w**2).sum(1, keepdims=True)), atol=1e-5)
    assert len(basis.weights) < 9
