"""From a start to the maximum of the likelihood: Gauss-Newton in (mean, a1, a2[, phase])."""

from dataclasses import dataclass, replace
from math import pi

import numpy as np
from scipy.ndimage import gaussian_filter1d

from verglas.methods.ctffit.cells import Cells
from verglas.methods.ctffit.lens import Aim, Lens, gamma, rings, slab

_BLUR = 0.012
"""1/Å: width over which the strength of the rings is smooth."""


@dataclass(frozen=True)
class Fitted:
    """`aim`, its log likelihood ratio to no rings, the strength of the rings (R,) and the standard errors of (mean, a1, a2[, phase])."""

    aim: Aim
    score: float
    strength: np.ndarray
    errors: np.ndarray


def refine(cells: Cells, lens: Lens, start: Aim, finest: float, expected: float, phase_free: bool = False, rounds: int = 12) -> Fitted:
    """Maximise sum of weight (data m C - m^2 C^2 / 2) / variance - (a1^2 + a2^2) / (expected^2 / 2) with C the rings, flattened.

    m (R,) >= 0 is the strength of the rings, smooth in radius, shrunk to 0 where they do not stand out of the noise: high
    frequencies count for as much as they show. Shells beyond `finest` (Å) do not count. Levenberg damping; the phase (rad) only if `phase_free`.
    """
    prior = np.array([0.0, 4.0 / expected**2, 4.0 / expected**2, 0.0])[:4 if phase_free else 3]
    limit = (cells.k <= 1.0 / finest).astype(np.float64)
    aim, damping = start, 1e-3
    model, slopes = _model(cells, lens, aim, phase_free)
    strength, score = _judge(cells, model, limit)
    score -= 2.0 * (aim.a1**2 + aim.a2**2) / expected**2
    for _ in range(rounds):
        weight = cells.weight / cells.variance
        jacobian = slopes * strength.astype(np.float32)
        curvature = np.einsum("iar,jar->ij", jacobian * weight, jacobian).astype(np.float64) + np.diag(prior)
        push = np.einsum("iar,ar->i", jacobian, weight * (cells.data - strength.astype(np.float32) * model)).astype(np.float64)
        push -= prior * np.array([0.0, aim.a1, aim.a2, 0.0])[:len(prior)]
        for _ in range(4):
            move = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)) + 1e-12 * np.eye(len(prior)), push)
            trial = _moved(aim, move)
            new_model, new_slopes = _model(cells, lens, trial, phase_free)
            new_strength, new_score = _judge(cells, new_model, limit)
            new_score -= 2.0 * (trial.a1**2 + trial.a2**2) / expected**2
            if new_score >= score:
                break
            damping *= 10
        else:
            break
        gain, damping = new_score - score, max(damping / 10, 1e-6)
        aim, model, slopes, strength, score = trial, new_model, new_slopes, new_strength, new_score
        if gain < 1e-3:
            break
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(curvature)), 0.0))
    return Fitted(aim, score, strength, errors)


def _moved(aim: Aim, move: np.ndarray) -> Aim:
    """A step in (mean, a1, a2[, phase]), not more than 1000 Å and 0.5 rad at once; the phase stays in [0, pi)."""
    size = max(np.abs(move[:3]).max() / 1000.0, abs(move[3]) / 0.5 if len(move) > 3 else 0.0, 1.0)
    move = move / size
    phase = (aim.phase + move[3]) % pi if len(move) > 3 else aim.phase
    return replace(aim, mean=aim.mean + move[0], a1=aim.a1 + move[1], a2=aim.a2 + move[2], phase=float(phase))


def _model(cells: Cells, lens: Lens, aim: Aim, phase_free: bool) -> tuple[np.ndarray, np.ndarray]:
    """The rings C (A, R) flattened, and their derivatives (3 or 4, A, R): slab sin(2 gamma) times those of gamma."""
    twice = 2.0 * (gamma(lens, aim, cells.k2.astype(np.float64), cells.cos2, cells.sin2) % pi).astype(np.float32)
    by_phase = np.sin(twice) * slab(lens, aim.thickness, cells.k2).astype(np.float32)
    by_defocus = by_phase * (pi * lens.wavelength * cells.k2)
    parts = [by_defocus, by_defocus * cells.cos2, by_defocus * cells.sin2] + ([by_phase] if phase_free else [])
    return cells.flat(rings(lens, aim, cells.k2, cells.cos2, cells.sin2)), np.stack([cells.flat(one) for one in parts])


def _judge(cells: Cells, model: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, float]:
    """The strength m (R,) of a model (A, R), and the log likelihood ratio."""
    n = (cells.weight * cells.data * model).sum(0).astype(np.float64)
    d = (cells.weight * model * model).sum(0).astype(np.float64)
    blur = _BLUR / (cells.k[1] - cells.k[0])
    smooth_n, smooth_d = (gaussian_filter1d(one, blur, mode="nearest") for one in (n, d))
    window = 2 * np.sqrt(pi) * blur
    chi2 = window * np.maximum(smooth_n, 0.0) ** 2 / np.maximum(smooth_d * cells.variance, 1e-12)
    shrink = np.maximum(0.0, 1.0 - 2.0 / np.maximum(chi2, 1e-12))
    strength = limit * shrink * np.maximum(smooth_n, 0.0) / np.maximum(smooth_d, 1e-12)
    return strength, float(((strength * n - 0.5 * strength**2 * d) / cells.variance).sum())
