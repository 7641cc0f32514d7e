"""Motion of the whole frame and of its parts fitted together, with priors that are learned from the movie itself."""

from dataclasses import dataclass

import numpy as np

from verglas.core.local_motion import SPACE, TIME, basis
from verglas.methods.motion.steps import Steps, learned, usual
from verglas.methods.motion.steps import covariance as covariance_of_steps

LEARNING = 3
"""Rounds of learning the expected steps and local motion from one set of equations."""
EXPECTED, BELIEF = 0.5, 3.0
"""Local motion expected before anything is seen, px at the end of the movie, and how many patterns of motion that belief is worth."""


@dataclass(frozen=True)
class Design:
    """s = design @ theta for each axis, theta = (global shifts of F frames, 3 (6 - 1) coefficients of the local model, time in movie lengths).

    matrix (P, F, M); times (F,): of the frames or groups, from 0.
    The local model has no term that is constant over the field: it is 0 at the centre, whose motion is the global one.
    """

    matrix: np.ndarray
    times: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.times)

    @property
    def size(self) -> int:
        return self.matrix.shape[2]


def make_design(centres: np.ndarray, times: np.ndarray, length: float, local: bool) -> Design:
    """centres (P, 2): u, v of the patches; times (F,): of the frames or groups, from 0; length: of the movie, in frames."""
    eye = np.broadcast_to(np.eye(len(times)), (len(centres), len(times), len(times)))
    if not local:
        return Design(np.array(eye), times)
    terms = basis(centres[:, None, 0], centres[:, None, 1], times[None] / length)[..., TIME:]
    return Design(np.concatenate([eye, terms], axis=2), times)


@dataclass(frozen=True)
class Priors:
    """steps: of the global shift from frame to frame; local (3, 3): covariance of the time coefficients of a spatial term."""

    steps: Steps
    local: np.ndarray


def first_priors(times: np.ndarray) -> Priors:
    return Priors(usual(times[-1] + 1), _belief())


def _belief() -> np.ndarray:
    """Covariance of the coefficients of z, z², z³ (z to 1) of a motion of EXPECTED px with any smooth course."""
    z = np.linspace(0.0, 1.0, 50)[:, None] ** np.arange(1, TIME + 1)
    return np.asarray(EXPECTED**2 * np.linalg.inv(z.T @ z / 50) / TIME)


@dataclass(frozen=True)
class Equations:
    """Log-likelihood sum over the axes of linear · theta - 1/2 theta · curvature theta: linear (2, M), curvature (M, M)."""

    linear: np.ndarray
    curvature: np.ndarray


def equations(design: Design, theta: np.ndarray, gradient: np.ndarray, curvature: np.ndarray, information: np.ndarray) -> Equations:
    """From gradient (P, F, 2) at theta (2, M) and curvature (P,) of each patch and the share of each frame in it (F,).

    The likelihood is a sum over pairs of frames, so its curvature over the frames of a patch is h_p (diag a - a aᵀ): only differences count.
    """
    pairs = np.diag(information) - np.outer(information, information)
    whole = np.einsum("p,pfm,fg,pgn->mn", curvature, design.matrix, pairs, design.matrix, optimize=True)
    return Equations(np.einsum("pfm,pfc->cm", design.matrix, gradient) + theta @ whole, whole)


def solve(eq: Equations, design: Design, priors: Priors) -> tuple[np.ndarray, Priors, np.ndarray]:
    """Newton step under priors that are learned on the way: theta (2, M), priors, covariance (M, M) of an axis.

    A shift of all frames together is nobody's motion: the solution has none of it.
    """
    frames = design.frames
    gauge = np.zeros(design.size)
    gauge[:frames] = 1.0
    gauge = np.outer(gauge, gauge) * np.trace(eq.curvature) / design.size
    for _ in range(LEARNING):
        priors = Priors(_learned_steps(eq, design, priors), priors.local)
        covariance = np.linalg.inv(eq.curvature + _precision(design, priors) + gauge)
        new = eq.linear @ covariance
        if design.size == frames:
            break
        priors = Priors(priors.steps, _learned_local(new, covariance, design))
    return new, priors, covariance


def _learned_steps(eq: Equations, design: Design, priors: Priors) -> Steps:
    """From the equations of the global shifts alone, the local model averaged over, as equations of their steps."""
    frames, linear, curvature = design.frames, eq.linear, eq.curvature
    if design.size > frames:
        inner = curvature[frames:, frames:] + np.kron(np.eye(SPACE - 1), np.linalg.inv(priors.local))
        through = np.linalg.solve(inner, curvature[frames:, :frames])
        linear = linear[:, :frames] - linear[:, frames:] @ through
        curvature = curvature[:frames, :frames] - curvature[:frames, frames:] @ through
    after = np.tri(frames, frames - 1, -1)  # shifts = after @ steps
    return learned(priors.steps, design.times, after.T @ curvature @ after, after.T @ linear.T)


def _precision(design: Design, priors: Priors) -> np.ndarray:
    """(M, M) of one axis."""
    frames = design.frames
    out = np.zeros((design.size, design.size))
    difference = np.diff(np.eye(frames), axis=0)
    out[:frames, :frames] = difference.T @ np.linalg.solve(covariance_of_steps(priors.steps, design.times), difference)
    if design.size > frames:
        out[frames:, frames:] = np.kron(np.eye(SPACE - 1), np.linalg.inv(priors.local))
    return out


def _learned_local(theta: np.ndarray, covariance: np.ndarray, design: Design) -> np.ndarray:
    """(3, 3): expected squares of what was found, its uncertainty included, over the spatial terms of both axes."""
    local, terms = BELIEF * _belief(), BELIEF
    for start in range(design.frames, design.size, TIME):
        part = slice(start, start + TIME)
        for axis in theta:
            local = local + np.outer(axis[part], axis[part]) + covariance[part, part]
            terms += 1
    return np.asarray(local / terms)
