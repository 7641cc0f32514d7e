"""The shaded surface: right hand, right place, smooth enlargement."""

import numpy as np
import pytest

from verglas.report.surface import central, contour_level, enlarged, reach, surface, surfaces


def ball(box: int, radius: float, centre: tuple[float, float, float] | None = None) -> np.ndarray:
    """A soft ball, 0.5 at its radius; centre (z, y, x)."""
    at = np.array(centre if centre is not None else (box // 2,) * 3, dtype=float)
    distance = np.sqrt(np.sum((np.indices((box,) * 3) - at[:, None, None, None]) ** 2, axis=0))
    return (1 / (1 + np.exp(2 * (distance - radius)))).astype(np.float32)


def test_outline_is_the_contour() -> None:
    seen = surface(ball(48, 12.0), 0, 0.5)[..., 3] > 0
    assert seen.sum() == pytest.approx(np.pi * 12.0**2, rel=0.05)


@pytest.mark.parametrize(("axis", "front", "behind", "up", "right"), [
    (0, (30, 16, 16), (4, 16, 16), 1, 2), (1, (16, 4, 16), (16, 30, 16), 0, 2), (2, (16, 16, 30), (16, 16, 4), 0, 1),
])
def test_views_keep_the_hand(
    axis: int, front: tuple[int, ...], behind: tuple[int, ...], up: int, right: int
) -> None:
    """right x up points to the viewer, the near ball is brighter than the far one at the same height, up is up."""
    towards = np.sign(np.array(front) - 16.0)
    xyz = np.eye(3)[::-1]
    assert np.allclose(np.cross(xyz[right], xyz[up]), towards[::-1])
    near, far = np.array(front), np.array(behind)
    near[right], far[right] = 24, 8
    data = ball(34, 4.0, tuple(near)) + ball(34, 4.0, tuple(far))
    data += ball(34, 2.0, tuple(np.where(np.arange(3) == up, 28, 16)))
    picture = surface(data, axis, 0.5).astype(int)
    red = np.where(picture[..., 3] > 0, picture[..., 0], 0)
    assert red[12:21, 20:29].max() > 1.3 * red[12:21, 4:13].max() > 0
    assert picture[28, 16, 3] == 255 and picture[4, 16, 3] == 0


def test_enlarging_keeps_the_values_on_the_old_grid() -> None:
    data = ball(24, 6.0)
    fine = enlarged(data, 3)
    assert fine.shape == (72, 72, 72)
    assert np.abs(fine[::3, ::3, ::3] - data).max() < 0.01


def test_only_the_density_is_shown_and_noise_or_nothing_does_no_harm() -> None:
    data = ball(64, 6.0)
    assert len(central(data, reach(data, 0.5))) < 24
    width, pictures = surfaces(data)
    assert width < 24 and all(picture.shape == pictures[0].shape for picture in pictures)
    for odd in (np.zeros((16, 16, 16), np.float32), np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)):
        assert len(surfaces(odd)[1]) == 3
    assert contour_level(np.ones((4, 4, 4), np.float32)) == 1.0


def test_an_empty_map_has_no_surface() -> None:
    _, views = surfaces(np.zeros((16, 16, 16), np.float32))
    assert all((view[..., 3] == 0).all() for view in views)
