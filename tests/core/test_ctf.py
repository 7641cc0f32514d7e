"""The CTF against the formula written out, its limits and its flags."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from verglas.core.ctf import CtfOptions, evaluate
from verglas.types import Defocus, OpticsGroup

GROUP = OpticsGroup("one", 1, 300.0, 2.7, 0.1, 1.0, 256, 1.0)


def defocus(n: int = 20, seed: int = 0) -> Defocus:
    rng = np.random.default_rng(seed)
    u = rng.uniform(4e3, 4e4, n)
    return Defocus(
        u,
        u - rng.uniform(0, 2e3, n),
        rng.uniform(-3, 3, n),
        rng.uniform(0, 2, n),
        rng.uniform(0, 80, n),
        rng.uniform(0.5, 1.5, n),
    )


def plain(u: float, v: float | None = None, angle: float = 0.0) -> Defocus:
    one = np.ones(1)
    return Defocus(u * one, (u if v is None else v) * one, angle * one, 0 * one, 0 * one, one)


def half_plane(limit: float = 0.5, side: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    axis = torch.linspace(-limit, limit, side, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x.reshape(-1), y.reshape(-1)


def written_out(sx: np.ndarray, sy: np.ndarray, g: OpticsGroup, d: Defocus) -> tuple[np.ndarray, np.ndarray]:
    """gamma and envelope, particle by particle, with the matrix D of RELION's formula."""
    volts = g.voltage_kv * 1e3
    lam = 12.2643247 / np.sqrt(volts * (1 + 0.978466e-6 * volts))
    s = np.stack((sx, sy))
    gammas, envelopes = [], []
    for u, v, t, phase, b, scale in zip(d.u, d.v, d.angle, d.phase_shift, d.bfactor, d.scale):
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        matrix = -turn @ np.diag([u, v]) @ turn.T
        s2 = (s**2).sum(0)
        gamma = np.pi * lam * np.einsum("ip,ij,jp->p", s, matrix, s) + np.pi / 2 * g.cs_mm * 1e7 * lam**3 * s2**2
        gammas.append(gamma - np.arctan(g.amplitude_contrast / np.sqrt(1 - g.amplitude_contrast**2)) - phase)
        envelopes.append(np.exp(-b * s2 / 4) * scale)
    return np.array(gammas), np.array(envelopes)


@pytest.mark.parametrize("group", [GROUP, replace(GROUP, voltage_kv=120.0, cs_mm=0.01, amplitude_contrast=0.07)])
def test_formula(group: OpticsGroup) -> None:
    sx, sy = half_plane()
    gamma, envelope = written_out(sx.numpy(), sy.numpy(), group, defocus())
    assert np.abs(gamma).max() > 1000
    found = evaluate(sx, sy, group, defocus())
    assert found.dtype == torch.float32 and found.shape == (20, len(sx))
    np.testing.assert_allclose(found.numpy(), -np.sin(gamma) * envelope, atol=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    sx, sy = half_plane()
    whole = evaluate(sx, sy, GROUP, defocus())
    monkeypatch.setattr("verglas.core.ctf._BLOCK", 3 * len(sx))
    torch.testing.assert_close(evaluate(sx, sy, GROUP, defocus()), whole, atol=1e-7, rtol=0)
    some = np.array([3, 0, 11])
    torch.testing.assert_close(evaluate(sx, sy, GROUP, defocus().take(some)), whole[some], atol=1e-7, rtol=0)


def test_positive_at_low_frequency() -> None:
    """C(0) = +Q0, and with underfocus it rises from there: white particles need no other sign."""
    s = torch.linspace(0, 0.02, 50, dtype=torch.float64)
    c = evaluate(s, 0 * s, GROUP, plain(15000.0))[0]
    assert c[0].item() == pytest.approx(0.1, abs=1e-6)
    assert (c[:35].diff() > 0).all()


def test_first_zero_and_astigmatism() -> None:
    """Without Cs and Q0 the zeros are at s = sqrt(n / (lambda d)), d = u along the angle, v across it."""
    group = replace(GROUP, cs_mm=0.0, amplitude_contrast=0.0)
    lam, angle = 0.0196875, 0.4
    for d, turn in ((22000.0, angle), (18000.0, angle + np.pi / 2)):
        s = torch.tensor([np.sqrt(n / (lam * d)) for n in (1, 2, 5)], dtype=torch.float64)
        c = evaluate(s * np.cos(turn), s * np.sin(turn), group, plain(22000.0, 18000.0, angle))
        assert c.abs().max() < 1e-3


def test_phase_plate_of_a_quarter_turn() -> None:
    quarter = replace(plain(0.0), phase_shift=np.array([np.pi / 2]))
    c = evaluate(torch.zeros(1), torch.zeros(1), replace(GROUP, amplitude_contrast=0.0), quarter)
    assert c.item() == pytest.approx(1.0)


def test_centric_and_even_aberrations() -> None:
    sx, sy = half_plane()
    group = replace(GROUP, even_zernike=(0.3, 0.0, 1.1, 0.0, 2.0), magnification=(1.01, 0.002, 0.003, 0.98))
    c = evaluate(sx, sy, group, defocus())
    torch.testing.assert_close(c, evaluate(-sx, -sy, group, defocus()), atol=1e-6, rtol=0)
    # chi = 0.3 Z00 alone is a phase shift of the other sign, and magnification a change of frequency
    constant, d = replace(GROUP, even_zernike=(0.3,)), defocus()
    shifted = replace(d, phase_shift=d.phase_shift - 0.3)
    torch.testing.assert_close(evaluate(sx, sy, constant, d), evaluate(sx, sy, GROUP, shifted), atol=1e-6, rtol=0)
    scaled = replace(GROUP, magnification=(1.1, 0.0, 0.0, 1.1))
    torch.testing.assert_close(evaluate(sx, sy, scaled, d), evaluate(1.1 * sx, 1.1 * sy, GROUP, d), atol=1e-6, rtol=0)


def test_flags() -> None:
    sx, sy = half_plane()
    c = evaluate(sx, sy, GROUP, defocus())
    assert torch.equal(evaluate(sx, sy, replace(GROUP, phase_flipped=True), defocus()), c.abs())
    assert (evaluate(sx, sy, replace(GROUP, ctf_corrected=True), defocus()) == 1).all()
    assert (evaluate(sx, sy, GROUP, defocus(), CtfOptions(ignore=True)) == 1).all()
    assert torch.equal(evaluate(sx, sy, replace(GROUP, ctf_premultiplied=True), defocus()), c)


def test_intact_first_peak() -> None:
    """1 before damping where |gamma| < pi/2, unchanged elsewhere."""
    sx, sy = half_plane(0.2)
    d = replace(defocus(), phase_shift=np.zeros(20))
    gamma, envelope = written_out(sx.numpy(), sy.numpy(), GROUP, d)
    found = evaluate(sx, sy, GROUP, d, CtfOptions(intact_first_peak=True)).numpy()
    expected = np.where(np.abs(gamma) < np.pi / 2, envelope, -np.sin(gamma) * envelope)
    assert (np.abs(gamma) < np.pi / 2).any()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_never_zero() -> None:
    """Division is safe: |C| >= 1e-8 with the sign of C, + for exactly 0."""
    zero = evaluate(torch.zeros(2), torch.zeros(2), replace(GROUP, amplitude_contrast=0.0), plain(0.0))
    assert (zero == 1e-8).all()
    heavy = evaluate(*half_plane(0.5), GROUP, replace(defocus(), bfactor=np.full(20, 1e4)))
    assert (heavy.abs() >= 0.99e-8).all() and (heavy < 0).any()
