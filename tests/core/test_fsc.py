"""Fourier shell correlation: laws, the resolution rule, and phase randomisation."""

import math

import pytest
import torch

from verglas.core import fsc as F
from verglas.core.mask import soft_sphere
from verglas.core.shells import radius, shell_index


def noise(box: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(box, box, box, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_identity_sign_scale_and_symmetry() -> None:
    a, b = noise(16, 1), noise(16, 2)
    torch.testing.assert_close(F.fsc(a, 3 * a), torch.ones(9, dtype=torch.float64))
    torch.testing.assert_close(F.fsc(a, -a)[1:], -torch.ones(8, dtype=torch.float64))
    torch.testing.assert_close(F.fsc(a, b), F.fsc(b, a))
    torch.testing.assert_close(F.fsc(a, b), F.fsc(a.roll(3, 0), b.roll(3, 0)), atol=1e-6, rtol=1e-6)


def test_expected_value_for_known_signal_to_noise() -> None:
    """Two halves of one white signal with noise variance v each: FSC = 1 / (1 + v)."""
    signal, v = noise(48, 1), 1.5
    curve = F.fsc(signal + math.sqrt(v) * noise(48, 2), signal + math.sqrt(v) * noise(48, 3))
    assert float(curve[10:].mean()) == pytest.approx(1 / (1 + v), abs=0.01)


def test_resolution_rule() -> None:
    curve = torch.tensor([1.0, 0.9, 0.5, 0.143, 0.1, 0.9, 0.0])
    assert F.resolution_at(curve, 0.143, 12, 2.0) == 12 * 2.0 / 3
    assert F.resolution_at(curve, 0.5, 12, 2.0) == 12 * 2.0 / 2
    assert F.resolution_at(torch.ones(7), 0.143, 12, 2.0) == 4.0
    assert F.resolution_at(torch.zeros(7), 0.143, 12, 2.0) == math.inf


def test_randomising_keeps_amplitudes_and_low_resolution() -> None:
    data, shell = noise(20, 4, torch.float64), 4
    other = F.phase_randomise(data, shell, torch.Generator().manual_seed(5))
    r = radius(20)
    a, b = torch.fft.rfftn(data), torch.fft.rfftn(other)
    torch.testing.assert_close(a.abs(), b.abs())
    torch.testing.assert_close(a[r < shell], b[r < shell])
    curve = F.fsc(data, other)
    torch.testing.assert_close(curve[:shell], torch.ones(shell, dtype=torch.float64))
    assert float(curve[shell + 2 :].abs().max()) < 0.35
    phase = (b / a)[r >= shell].angle()
    assert float(phase.cos().mean()) == pytest.approx(0.0, abs=0.06)


def test_randomising_is_reproducible() -> None:
    data = noise(12, 4)
    a, b, c = (F.phase_randomise(data, 2, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_correction_formula() -> None:
    masked = torch.tensor([1.0, 0.9, 0.8, 0.7, 0.6, 0.1], dtype=torch.float64)
    random = torch.tensor([1.0, 0.9, 0.5, 0.2, 0.2, 0.2], dtype=torch.float64)
    true = F.corrected_fsc(masked, random, 1, clamp=False)
    expected = torch.tensor([1.0, 0.9, 0.8, 0.5 / 0.8, 0.4 / 0.8, -0.1 / 0.8], dtype=torch.float64)
    torch.testing.assert_close(true, expected)
    assert float(F.corrected_fsc(masked, random, 1, clamp=True)[-1]) == 0.0


def test_correction_removes_the_correlation_of_the_mask() -> None:
    """A common signal below shell 3 only: a tight hard mask spreads it outwards, and the correction takes that away."""
    box, shell = 40, 3
    low = shell_index(box) < shell
    common = torch.fft.rfftn(noise(box, 1)) * low * 30
    maps = [torch.fft.irfftn(torch.fft.rfftn(noise(box, s)) * ~low + common) for s in (2, 3)]
    mask = soft_sphere(box, 8, 0)
    random = [F.phase_randomise(m, shell, torch.Generator().manual_seed(7 + i)) for i, m in enumerate(maps)]
    unmasked, masked = F.fsc(*maps), F.fsc(maps[0] * mask, maps[1] * mask)
    randomised = F.fsc(random[0] * mask, random[1] * mask)
    true = F.corrected_fsc(masked, randomised, shell, clamp=False)
    assert float(unmasked[6:].abs().mean()) < 0.06
    assert float(masked[6:].mean()) > 0.2
    assert abs(float(true[6:].mean())) < 0.2 * float(masked[6:].mean())
