"""Motion of the whole frame and of its parts fitted together, with priors that are learned from the movie itself."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.motion.model import SPACE, TIME, basis

LEAST_STEP = 0.02
"""px; steps from frame to frame are never expected to be smaller than this."""
LEARNING = 6
"""Rounds of learning the expected steps and local motion from one set of equations."""
NEIGHBOURS = 2
"""Steps on each side that are expected to be about as large."""
EXPECTED, BELIEF = 0.5, 3.0
"""Local motion expected before anything is seen, px at the end of the movie, and how many patterns of motion that belief is worth."""


@dataclass(frozen=True)
class Design:
    """s = design @ theta for each axis, theta = (global shifts of F frames, 3 (6 - 1) coefficients of the local model, time in movie lengths).

    patches (P, F, M); the local model has no term that is constant over the field: it is 0 at the centre, whose motion is the global one.
    """

    matrix: np.ndarray
    frames: int

    @property
    def size(self) -> int:
        return self.matrix.shape[2]


def make_design(centres: np.ndarray, times: np.ndarray, length: float, local: bool) -> Design:
    """centres (P, 2): u, v of the patches; times (F,): of the frames or groups, from 0; length: of the movie, in frames."""
    eye = np.broadcast_to(np.eye(len(times)), (len(centres), len(times), len(times)))
    if not local:
        return Design(np.array(eye), len(times))
    terms = basis(centres[:, None, 0], centres[:, None, 1], times[None] / length)[..., TIME:]
    return Design(np.concatenate([eye, terms], axis=2), len(times))


@dataclass(frozen=True)
class Priors:
    """steps (F - 1,): variance px² of the change of the global shift; local (3, 3): covariance of the time coefficients of a spatial term."""

    steps: np.ndarray
    local: np.ndarray


def first_priors(frames: int) -> Priors:
    return Priors(np.full(frames - 1, 4.0), _belief())


def _belief() -> np.ndarray:
    """Covariance of the coefficients of z, z², z³ (z to 1) of a motion of EXPECTED px with any smooth course."""
    z = np.linspace(0.0, 1.0, 50)[:, None] ** np.arange(1, TIME + 1)
    return np.asarray(EXPECTED**2 * np.linalg.inv(z.T @ z / 50) / TIME)


@dataclass(frozen=True)
class Equations:
    """Gradient (2, M) and curvature (2, M, 2, M) of the log-likelihood at theta (2, M)."""

    gradient: np.ndarray
    curvature: np.ndarray


def equations(design: Design, gradient: np.ndarray, curvature: np.ndarray, information: np.ndarray) -> Equations:
    """From gradient (P, F, 2) and curvature (P, 2, 2) of each patch and the share of each frame in it (F,).

    The likelihood is a sum over pairs of frames, so its curvature over the frames of a patch is h_p (diag a - a aᵀ): only differences count.
    """
    pairs = np.diag(information) - np.outer(information, information)
    inner = np.einsum("pfm,fg,pgn->pmn", design.matrix, pairs, design.matrix, optimize=True)
    return Equations(np.einsum("pfm,pfc->cm", design.matrix, gradient), np.einsum("pcd,pmn->cmdn", curvature, inner))


def solve(eq: Equations, theta: np.ndarray, design: Design, priors: Priors) -> tuple[np.ndarray, Priors, np.ndarray]:
    """Newton step under priors that are learned on the way: theta (2, M), priors, covariance (2 M, 2 M)."""
    m = design.size
    curvature, gradient = eq.curvature.reshape(2 * m, 2 * m), eq.gradient.reshape(-1)
    gauge = np.zeros(m)
    gauge[: design.frames] = 1.0  # a shift of all frames together is nobody's motion: the step has none of it
    gauge = np.kron(np.eye(2), np.outer(gauge, gauge)) * np.trace(curvature) / len(curvature)
    for _ in range(LEARNING):
        precision = np.kron(np.eye(2), _precision(design, priors))
        covariance = np.linalg.inv(curvature + precision + gauge)
        new = theta + (covariance @ (gradient - precision @ theta.reshape(-1))).reshape(2, m)
        priors = _learn(new, covariance.reshape(2, m, 2, m), design)
    return new, priors, covariance


def _precision(design: Design, priors: Priors) -> np.ndarray:
    """(M, M) of one axis."""
    frames = design.frames
    out = np.zeros((design.size, design.size))
    difference = np.diff(np.eye(frames), axis=0)
    out[:frames, :frames] = difference.T @ (difference / priors.steps[:, None])
    if design.size > frames:
        out[frames:, frames:] = np.kron(np.eye(SPACE - 1), np.linalg.inv(priors.local))
    return out


def _learn(theta: np.ndarray, covariance: np.ndarray, design: Design) -> Priors:
    """Expected squares of what was found, its uncertainty included: of the steps over their neighbours, of local motion over its terms."""
    frames = design.frames
    steps = np.zeros(frames - 1)
    local, terms = BELIEF * _belief(), BELIEF
    for axis in range(2):
        own = covariance[axis, :, axis]
        change = np.diff(theta[axis, :frames])
        c = own[:frames, :frames]
        steps += 0.5 * (change**2 + np.diag(c)[1:] + np.diag(c)[:-1] - 2 * np.diag(c, 1))
        for start in range(frames, design.size, TIME):
            part = slice(start, start + TIME)
            local = local + np.outer(theta[axis, part], theta[axis, part]) + own[part, part]
            terms += 1
    reach = min(NEIGHBOURS, len(steps) - 1)
    kernel = np.bartlett(2 * reach + 3)[1:-1]
    smooth = np.convolve(np.pad(steps, reach, mode="reflect"), kernel / kernel.sum(), mode="valid")
    return Priors(np.maximum(smooth, LEAST_STEP**2), local / terms)
