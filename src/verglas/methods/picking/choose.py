"""From score maps to picks: maxima kept apart, and a threshold set by how often the same micrograph answers with the wrong sign."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from verglas.methods.picking.peaks import climb, keep_apart, maxima
from verglas.methods.picking.scores import ScoreMaps
from verglas.types import Coordinates

LEAST_FOM = 0.5
"""Automatic threshold: what answers less than this part of a typical particle is none, even where it is no noise."""


@dataclass(frozen=True)
class Limits:
    """distance Å between picks; threshold on the figure of merit (1: as a typical particle) or auto; least and most standard deviations;
    false_rate: the share of false picks that the automatic threshold allows; border Å to keep free; relative: the figure of merit is the
    answer over that of a typical particle, else the answer itself."""

    distance: float
    threshold: float | Literal["auto"] = "auto"
    least_sd: float = 0.0
    most_sd: float = np.inf
    false_rate: float = 0.05
    border: float = 0.0
    relative: bool = True


@dataclass(frozen=True)
class Chosen:
    """picks (x, y in micrograph pixels); sd (N,) their answers in standard deviations; typical: that of fom 1; threshold as fom; expected false."""

    picks: Coordinates
    sd: np.ndarray
    typical: float
    threshold: float
    false: float


def choose_picks(maps: ScoreMaps, limits: Limits) -> Chosen:
    """The maxima of `best` that beat the decoys.

    Maxima of `best` and of `decoy` compete for their places, so that the shoulders of a particle are no decoys. The decoys' tail
    N(>z) = N0 exp(-(z^2 - z0^2) / (2 s^2)), that of maxima of a random field, tells how many false picks to expect above z; the automatic
    threshold is the lowest z where they are at most `false_rate` of the maxima found.
    """
    xy, z, index, decoys = contest(maps, limits.distance / maps.pixel)
    false = expected_false(decoys, z)
    good = accepted(false, limits.false_rate)
    typical = (float(np.median(z[:good])) if good else float("inf")) if limits.relative else 1.0
    fom = z / typical
    lowest = _automatic(fom, good) if limits.threshold == "auto" else float(limits.threshold)
    keep = (fom >= lowest) & (z >= limits.least_sd) & (z <= limits.most_sd) & _inside(xy, maps, limits.border / maps.pixel)
    y, x = index[keep].T
    xy = xy[keep] if maps.centre is None else climb(maps.centre, xy[keep], maps.reach / maps.pixel)
    picks = Coordinates(maps.to_micrograph(xy), fom[keep], maps.template[y, x].astype(np.int64) + 1, maps.psi[y, x].astype(np.float64), {})
    return Chosen(picks, z[keep], typical, lowest, float(false[keep][-1]) if keep.any() else 0.0)


def _automatic(fom: np.ndarray, good: int) -> float:
    """That of the last good one, no less than LEAST_FOM of the median of all good ones; without good ones nothing is picked."""
    return max(float(fom[good - 1]), LEAST_FOM * float(np.median(fom[:good]))) if good else float("inf")


def contest(maps: ScoreMaps, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Maxima of both signs kept `distance` px apart: xy (N, 2), z (N,), whole pixels (N, 2) as (y, x), best first; decoys (D,), best first."""
    xy, z = maxima(maps.best, 1e-3)
    wrong, height = maxima(maps.decoy, 1e-3)
    both, value = np.concatenate([xy, wrong]), np.concatenate([z, height])
    order = np.argsort(-value, kind="stable")
    order = order[keep_apart(both[order], distance)]
    ours = order[order < len(xy)]
    index = np.rint(xy[ours]).astype(int)[:, ::-1].clip(0, np.array(maps.best.shape) - 1)
    return xy[ours], z[ours], index, value[order[order >= len(xy)]]


def expected_false(decoys: np.ndarray, z: np.ndarray) -> np.ndarray:
    """How many false maxima lie above each z (N,): counted where decoys are many, by their tail beyond."""
    if len(decoys) < 4:
        return np.zeros_like(z)
    half = len(decoys) // 2
    start = float(decoys[half])
    width = float(np.mean(decoys[:half] ** 2 - start**2)) or 1e-6
    return half * np.exp(-np.maximum(z**2 - start**2, 0.0) / width)


def accepted(false: np.ndarray, rate: float) -> int:
    """The largest number n of best maxima of which at most `rate` are expected to be false: false[n-1] <= rate n."""
    fine = np.flatnonzero(false <= rate * np.arange(1, len(false) + 1))
    return int(fine[-1]) + 1 if len(fine) else 0


def _inside(xy: np.ndarray, maps: ScoreMaps, border: float) -> np.ndarray:
    last = np.array(maps.best.shape[::-1]) - 1
    return np.asarray(((xy >= border) & (xy <= last - border)).all(axis=1))
