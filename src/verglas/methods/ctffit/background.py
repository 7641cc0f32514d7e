"""The smooth background of a spectrum on a polar grid: splines of the radius, and wider ones times waves of the direction."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

_KNOT = 0.035
"""1/Å between knots of the round part."""
_WIDER = 3
"""How many times as far apart the knots of the turned parts are."""


@dataclass(frozen=True)
class Background:
    """weight (A, R) of the cells; waves (5, A): 1, cos 2t, sin 2t, cos 4t, sin 4t; fine (R, m), wide (R, q) splines; inverse: of the normal
    equations.

    Products are written as einsum, which stays on one thread: they are small, and fits of many micrographs run side by side.
    """

    weight: np.ndarray
    waves: np.ndarray
    fine: np.ndarray
    wide: np.ndarray
    inverse: np.ndarray

    def part(self, values: np.ndarray) -> np.ndarray:
        """What the background can follow of values (A, R): their weighted least-squares projection."""
        sums = np.einsum("ta,ar->tr", self.waves, self.weight * values)
        right = np.r_[np.einsum("rm,r->m", self.fine, sums[0]), np.einsum("rq,tr->tq", self.wide, sums[1:]).ravel()]
        weights = np.einsum("ij,j->i", self.inverse, right)
        m = self.fine.shape[1]
        curves = np.vstack((np.einsum("rm,m->r", self.fine, weights[:m])[None],
                            np.einsum("rq,tq->tr", self.wide, weights[m:].reshape(len(self.waves) - 1, -1))))
        projection: np.ndarray = np.einsum("ta,tr->ar", self.waves, curves.astype(np.float32))
        return projection


def background(k: np.ndarray, angle: np.ndarray, weight: np.ndarray) -> Background:
    """For shells k (R,) 1/Å, sectors at angle (A,) rad and weight (A, R)."""
    fine, wide = splines(k, _KNOT), splines(k, _WIDER * _KNOT)
    waves = np.stack([np.ones_like(angle), *(wave(n * angle) for n in (2, 4) for wave in (np.cos, np.sin))])
    mixed = np.einsum("ta,ua,ar->tur", waves, waves, weight)
    first = np.einsum("rm,r,rn->mn", fine, mixed[0, 0], fine)
    cross = np.einsum("rm,tr,rq->mtq", fine, mixed[0, 1:], wide).reshape(fine.shape[1], -1)
    size = (len(waves) - 1) * wide.shape[1]
    second = np.einsum("rp,tur,rq->tpuq", wide, mixed[1:, 1:], wide).reshape(size, size)
    normal = np.block([[first, cross], [cross.T, second]])
    return Background(weight.astype(np.float32), waves.astype(np.float32), fine, wide, np.linalg.pinv(normal, rcond=1e-10, hermitian=True))


def splines(k: np.ndarray, knot: float) -> np.ndarray:
    """(R, m) cubic B-splines on [k[0], k[-1]]."""
    pieces = max(2, round((k[-1] - k[0]) / knot))
    inner = np.linspace(k[0], k[-1] * (1 + 1e-9), pieces + 1)
    dense: np.ndarray = BSpline.design_matrix(k, np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3], 3).toarray()
    return dense
