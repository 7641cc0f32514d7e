"""Zernike polynomials, their numbering, beam tilt and magnification."""

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import torch

from verglas.core import aberrations as ab
from verglas.types import OpticsGroup
from verglas.units import MM, wavelength

GROUP = OpticsGroup("one", 1, 300.0, 2.7, 0.1, 1.0, 64, 1.0)


def frequencies(n: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    s = (torch.rand(2, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5) * 0.7
    return s[0], s[1]


def test_indices_enumerate_all_polynomials_of_their_parity() -> None:
    even, odd = [ab.even_index(i) for i in range(25)], [ab.odd_index(i) for i in range(30)]
    assert even == [(n, m) for n in range(0, 9, 2) for m in range(-n, n + 1, 2)]
    assert odd == [(n, m) for n in range(1, 10, 2) for m in range(-n, n + 1, 2)]


@pytest.mark.parametrize(
    ("n", "m", "formula"),
    [
        (0, 0, lambda r, t: 1 + 0 * r), (1, -1, lambda r, t: r * np.sin(t)), (1, 1, lambda r, t: r * np.cos(t)),
        (2, 0, lambda r, t: 2 * r**2 - 1), (2, -2, lambda r, t: r**2 * np.sin(2 * t)),
        (2, 2, lambda r, t: r**2 * np.cos(2 * t)),
        (3, 1, lambda r, t: (3 * r**3 - 2 * r) * np.cos(t)), (3, -3, lambda r, t: r**3 * np.sin(3 * t)),
        (4, 0, lambda r, t: 6 * r**4 - 6 * r**2 + 1), (4, 2, lambda r, t: (4 * r**4 - 3 * r**2) * np.cos(2 * t)),
        (5, -1, lambda r, t: (10 * r**5 - 12 * r**3 + 3 * r) * np.sin(t)),
        (6, 0, lambda r, t: 20 * r**6 - 30 * r**4 + 12 * r**2 - 1),
    ],
)  # fmt: skip
def test_textbook_polynomials(n: int, m: int, formula) -> None:
    x, y = frequencies()
    r, t = np.hypot(x.numpy(), y.numpy()), np.arctan2(y.numpy(), x.numpy())
    np.testing.assert_allclose(ab.zernike(n, m, x, y).numpy(), formula(r, t), atol=1e-13)


@pytest.mark.parametrize("n", range(1, 9))
def test_polynomials_are_one_at_the_rim_and_orthogonal(n: int) -> None:
    """R_n^m(1) = 1; different n with the same m are orthogonal on the unit disc (Gauss quadrature)."""
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    r = torch.tensor((nodes + 1) / 2)
    for m in range(n % 2, n + 1, 2):
        assert ab.zernike(n, m, one, zero).item() == pytest.approx(1.0, abs=1e-12)
        for other in range(m, n, 2):
            product = ab.zernike(n, m, r, 0 * r) * ab.zernike(other, m, r, 0 * r) * r
            assert abs((product.numpy() * weights).sum()) < 1e-13


def test_nothing_to_correct_is_zero() -> None:
    x, y = frequencies()
    assert not ab.odd_phase(x, y, GROUP).any() and not ab.even_phase(x, y, GROUP).any()
    assert ab.magnified_frequencies(x, y, GROUP) == (x, y)


def test_symmetry_of_the_two_phases() -> None:
    x, y = frequencies()
    rng = np.random.default_rng(0)
    group = replace(
        GROUP,
        odd_zernike=tuple(rng.normal(size=12)),
        even_zernike=tuple(rng.normal(size=9)),
        beam_tilt_mrad=(0.2, -0.1),
    )
    torch.testing.assert_close(ab.odd_phase(-x, -y, group), -ab.odd_phase(x, y, group))
    torch.testing.assert_close(ab.even_phase(-x, -y, group), ab.even_phase(x, y, group))
    assert ab.odd_phase(x, y, group).abs().max() > 0.1 and ab.even_phase(x, y, group).abs().max() > 0.1


def test_beam_tilt_is_coma() -> None:
    """-2 pi Cs lambda^2 |s|^2 (tilt . s), and it adds to the file's own coefficients."""
    x, y = frequencies()
    tilt = (0.31, -0.12)
    coma = -2 * pi * 2.7 * MM * wavelength(300.0) ** 2 * (x * x + y * y) * (tilt[0] * x + tilt[1] * y) * 1e-3
    torch.testing.assert_close(ab.odd_phase(x, y, replace(GROUP, beam_tilt_mrad=tilt)), coma)
    both = replace(GROUP, beam_tilt_mrad=tilt, odd_zernike=(0.0, 0.0, 1.5, 0.0, 0.0, 0.0, 0.7))
    trefoil = replace(GROUP, odd_zernike=both.odd_zernike)
    torch.testing.assert_close(ab.odd_phase(x, y, both), coma + ab.odd_phase(x, y, trefoil))


def test_magnification_multiplies_the_frequencies() -> None:
    x, y = frequencies()
    matrix = (1.02, 0.003, -0.004, 0.99)
    group = replace(GROUP, even_zernike=(0.0, 0.4, 0.0, 0.0, 1.0), magnification=matrix)
    mx, my = ab.magnified_frequencies(x, y, group)
    torch.testing.assert_close(
        torch.stack((mx, my)), torch.tensor(matrix, dtype=torch.float64).reshape(2, 2) @ torch.stack((x, y))
    )
    plain = replace(group, magnification=GROUP.magnification)
    torch.testing.assert_close(ab.even_phase(x, y, group), ab.even_phase(mx, my, plain))
