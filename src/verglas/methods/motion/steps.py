"""What is expected of the motion of the whole frame from one frame to the next, learned from the movie by its evidence."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

BREADTH = 1.2
"""Standard deviation of the logarithm of each property before anything is seen: a factor of about three."""
LEAST = 1e-3
"""px; jitter is never expected to be smaller."""
ROUNDS = 12


@dataclass(frozen=True)
class Steps:
    """The velocity is jitter (sd `jitter`, px per frame) and smooth motion, remembered over `memory` frames, of sd sqrt(early² e^(-2 t / fading) +
    late²) px per frame at frame t: beam-induced motion that dies away and a stage that drifts."""

    jitter: float
    early: float
    fading: float
    late: float
    memory: float


def usual(frames: float) -> Steps:
    """Before anything is seen, of a movie of so many frames."""
    return Steps(0.2, 1.0, frames / 6, 0.1, frames / 2)


def covariance(steps: Steps, times: np.ndarray) -> np.ndarray:
    """(F - 1, F - 1) px²: of the steps between frames at `times` (F,), from 0."""
    gap, t = np.diff(times), (times[1:] + times[:-1]) / 2
    smooth = steps.early**2 * np.exp(-(t[:, None] + t) / steps.fading) + steps.late**2
    return np.asarray(np.diag((steps.jitter**2 + LEAST**2) * gap) + gap[:, None] * gap * smooth * np.exp(-abs(t[:, None] - t) / steps.memory))


def learned(start: Steps, times: np.ndarray, curvature: np.ndarray, linear: np.ndarray) -> Steps:
    """The most probable properties when the log-likelihood of the steps d (F - 1, 2), one column per axis, is sum (linear · d - 1/2 d · curvature d).

    log evidence of an axis = -1/2 log det(1 + Rᵀ H R) + 1/2 cᵀ R (1 + Rᵀ H R)⁻¹ Rᵀ c, with K = R Rᵀ the covariance, H = curvature, c = linear.
    """
    expected, one = _logs(usual(times[-1] + 1)), np.eye(len(curvature))

    def cost(logs: np.ndarray) -> float:
        r = cholesky(covariance(_steps(logs), times), lower=True, check_finite=False)
        inner = cholesky(one + r.T @ curvature @ r, lower=True, check_finite=False)
        seen = r.T @ linear
        explained = 0.5 * (seen * cho_solve((inner, True), seen, check_finite=False)).sum()
        return float(linear.shape[1] * np.log(np.diag(inner)).sum() - explained + 0.5 * (((logs - expected) / BREADTH) ** 2).sum())

    found = minimize(cost, _logs(start), method="L-BFGS-B", options={"maxiter": ROUNDS}, bounds=[(v - 8, v + 8) for v in expected])
    return _steps(found.x)


def _logs(steps: Steps) -> np.ndarray:
    return np.log([steps.jitter, steps.early, steps.fading, steps.late, steps.memory])


def _steps(logs: np.ndarray) -> Steps:
    return Steps(*(float(v) for v in np.exp(logs)))
