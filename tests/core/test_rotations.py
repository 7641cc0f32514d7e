"""Laws of rotations and of RELION's Euler angles."""

from math import pi, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from verglas.core import rotations as rot
from verglas.core.symmetry import operators

angle = st.floats(-7.0, 7.0, allow_nan=False)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(angle, angle, angle)
def test_matrix_is_scipys_zyz_transposed(alpha: float, beta: float, gamma: float) -> None:
    ours = rot.euler_to_matrix(torch.tensor([alpha, beta, gamma], dtype=torch.float64))
    np.testing.assert_allclose(ours.numpy(), Rotation.from_euler("ZYZ", [alpha, beta, gamma]).as_matrix().T, atol=1e-14)


def test_known_numbers() -> None:
    """rot = 90: object y is seen along view x; tilt = 90: the view looks along object x; psi as rot."""
    quarter = pi / 2
    a = rot.euler_to_matrix(torch.tensor([[quarter, 0, 0], [0, quarter, 0], [0, 0, quarter]], dtype=torch.float64))
    turn_z = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    expected = torch.tensor([turn_z, [[0, 0, -1], [0, 1, 0], [1, 0, 0]], turn_z], dtype=torch.float64)
    torch.testing.assert_close(a, expected, atol=1e-15, rtol=0)


@given(st.floats(-3.14, 3.14), st.floats(1e-4, 3.141), st.floats(-3.14, 3.14))
def test_euler_round_trip(alpha: float, beta: float, gamma: float) -> None:
    angles = torch.tensor([alpha, beta, gamma], dtype=torch.float64)
    torch.testing.assert_close(rot.matrix_to_euler(rot.euler_to_matrix(angles)), angles, atol=1e-9, rtol=0)


@pytest.mark.parametrize("tilt", [0.0, pi, 1e-8, pi - 1e-8])
def test_degenerate_tilt_keeps_the_matrix(tilt: float) -> None:
    angles = torch.tensor([[a, tilt, g] for a in (-2.0, 0.3, 3.0) for g in (-1.0, 0.0, 2.5)], dtype=torch.float64)
    matrix = rot.euler_to_matrix(angles)
    back = rot.matrix_to_euler(matrix)
    assert (back[:, 0] == 0).all()
    torch.testing.assert_close(rot.euler_to_matrix(back), matrix, atol=1e-7, rtol=0)


def test_equivalent_poses_have_one_matrix() -> None:
    """(rot, tilt, psi) and (rot + 180, -tilt, psi + 180) are the same pose."""
    angles = torch.rand(50, 3, generator=generator(), dtype=torch.float64) * 3
    signs, half = torch.tensor([[1.0, -1.0, 1.0], [pi, 0.0, pi]], dtype=torch.float64)
    other = angles * signs + half
    torch.testing.assert_close(rot.euler_to_matrix(other), rot.euler_to_matrix(angles), atol=1e-14, rtol=0)


def test_third_row_is_the_direction() -> None:
    angles = torch.rand(50, 3, generator=generator(), dtype=torch.float64) * 3
    torch.testing.assert_close(
        rot.euler_to_matrix(angles)[:, 2], rot.direction_to_vector(angles[:, 0], angles[:, 1]), atol=1e-14, rtol=0
    )


def test_axis_rotation_is_scipys_rotation_vector() -> None:
    axis, turns = np.array([1.0, -2.0, 0.5]), np.linspace(-3, 3, 7)
    expected = Rotation.from_rotvec(turns[:, None] * axis / np.linalg.norm(axis)).as_matrix()
    np.testing.assert_allclose(rot.axis_rotation(torch.tensor(axis), torch.tensor(turns)).numpy(), expected, atol=1e-14)


def test_angular_distance() -> None:
    """A turn by t about any axis is t away, from 1e-9 rad to half a turn; the measure does not depend on the frame."""
    base, frame = rot.random_rotations(2, generator())
    for t in (0.0, 1e-9, 1e-3, 1.0, 3.0, pi):
        turned = base @ rot.axis_rotation((0.3, 1.0, -2.0), t)
        assert rot.angular_distance(base, turned).item() == pytest.approx(t, rel=1e-6, abs=1e-14)
        assert rot.angular_distance(frame @ base, frame @ turned).item() == pytest.approx(t, rel=1e-6, abs=1e-14)


def test_random_rotations_are_uniform() -> None:
    """Rotations are orthonormal; row and column means vanish; the turning angle has density (1 - cos t) / pi."""
    r = rot.random_rotations(20000, generator())
    torch.testing.assert_close(r @ r.mT, torch.eye(3, dtype=torch.float64).expand_as(r), atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(len(r), dtype=torch.float64))
    assert r.mean(0).abs().max() < 0.02
    t = rot.angular_distance(r, torch.eye(3, dtype=torch.float64)).sort().values
    quantile = (torch.arange(len(t)) + 0.5) / len(t)
    assert ((t - torch.sin(t)) / pi - quantile).abs().max() < 0.02
    assert torch.equal(r, rot.random_rotations(20000, generator()))


def test_mean_axis_distance() -> None:
    """A turn by t about z moves two axes by t and one not at all; symmetry mates are at distance 0."""
    a = rot.random_rotations(20, generator())
    group = operators("D3")
    torch.testing.assert_close(
        rot.mean_axis_distance(a, rot.axis_rotation((0, 0, 1), 0.3) @ a, operators("C1")),
        torch.full((20,), 0.2, dtype=torch.float64),
    )
    for operator in group:
        assert rot.mean_axis_distance(a, a @ operator, group).max() < 1e-7
        assert rot.mean_axis_distance(a @ operator, a, group).max() < 1e-7
    far = rot.mean_axis_distance(a, a @ group[1], operators("C1"))
    assert (far > 0.5).all()


def test_angular_distance_of_axes_equals_geodesic_mean() -> None:
    """Numbers by hand: (1,1,1) by 120 degrees permutes the axes, each 90 degrees away."""
    a = torch.eye(3, dtype=torch.float64)[None]
    b = rot.axis_rotation((1, 1, 1), 2 * pi / 3)[None]
    assert rot.mean_axis_distance(a, b, operators("C1")).item() == pytest.approx(pi / 2)
    assert rot.angular_distance(a, b).item() == pytest.approx(2 * pi / 3)
    assert torch.linalg.matrix_norm(a - b).item() == pytest.approx(sqrt(6.0))
