"""The whole fit of one spectrum: search, refine, judge; and once more with the thickness of the ice."""

from dataclasses import dataclass, replace

import numpy as np

from verglas.methods.ctffit.cells import Cells, cells
from verglas.methods.ctffit.lens import Aim, Lens
from verglas.methods.ctffit.profile import NOTHING, Profile, correlation, explained, ice_ring, profile, resolution
from verglas.methods.ctffit.refine import Fitted, refine
from verglas.methods.ctffit.search import Range, search
from verglas.methods.ctffit.spectrum import Spectrum
from verglas.methods.ctffit.thickness import Thickness, thickness

STARTS = 8
"""Places of the search that are refined."""
SEARCHED = 5.0
"""Å: the search does not look at finer rings (their defocus grid would have to be finer too); the refinement does."""
SHOWN = 2.9
"""Å: how far the curves go."""
_FAINT = 30.0
"""Log likelihood ratio below which rings cannot be told from noise: noise alone reaches 20 to 25 somewhere on the grid."""
_FREE_PHASE = 8.0
"""How much more it has to be when the phase shift is searched too: noise then has more to choose from."""
_RIVAL, _MARGIN = 1.1, 8.0
"""How much better than the next best defocus the best has to be: by a factor (no model is quite right), and by more than noise."""
_EXPLAINED = 0.75
"""Part of what stands out of the background that the rings have to explain: 0.9 to 1 in good fits, less than 0.7 where discs, spheres or
rings of a defocus outside of the search are taken for rings."""
_UNSURE = 50.0
"""Å: the largest standard error of the mean defocus; beyond it, errors of 150 Å are no longer rare."""


@dataclass(frozen=True)
class CtfFit:
    """The fit of a spectrum. `score`: log likelihood ratio to no rings; `rival`: that of the best other defocus; `correlation`: figure of merit;
    `resolution` Å; `ice`: see `profile.ice_ring`; `explained`: see there; `errors`: of mean, a1, a2 (Å)[, phase (rad)]; `fault`: why the fit is not
    to be trusted, or "".
    """

    aim: Aim
    score: float
    rival: float
    correlation: float
    resolution: float
    ice: float | None
    explained: float
    errors: tuple[float, ...]
    curves: Profile
    fault: str


def estimate(spectrum: Spectrum, lens: Lens, wanted: Range) -> CtfFit:
    """Rings between wanted.coarsest and wanted.finest; with one phase the phase shift stays that, with more it is fitted too."""
    data = cells(spectrum, wanted.coarsest, min(SHOWN, wanted.finest))
    best, rival = _best(data, lens, wanted)
    return _judged(spectrum, data, lens, best, rival, wanted)


def estimate_thickness(spectrum: Spectrum, lens: Lens, fit: CtfFit, wanted: Range) -> tuple[CtfFit, Thickness]:
    """The thickness of the ice, and the fit with rings that it turns over; the fit as it was where the thickness does not show."""
    data = cells(spectrum, wanted.coarsest, min(SHOWN, wanted.finest))
    for _ in range(2):
        found = thickness(data, lens, fit.aim, wanted.finest)
        if found.value is None:
            break
        start = replace(fit.aim, thickness=found.value)
        best = refine(data, lens, start, wanted.finest, wanted.expected, len(wanted.phases) > 1)
        fit = _judged(spectrum, data, lens, best, fit.rival, wanted)
    return fit, found


def _judged(spectrum: Spectrum, data: Cells, lens: Lens, best: Fitted, rival: float, wanted: Range) -> CtfFit:
    curves = profile(data, lens, best.aim, best.strength)
    fit = CtfFit(best.aim, best.score, rival, correlation(data, lens, best.aim, wanted.finest), resolution(curves, lens, best.aim.mean),
                 ice_ring(spectrum), explained(data, curves), tuple(map(float, best.errors)), curves, "")
    return replace(fit, fault=fault(fit, wanted))


def _best(data: Cells, lens: Lens, wanted: Range) -> tuple[Fitted, float]:
    """The best of the refined starts, and the score of the best that ended at another defocus."""
    phase_free = len(wanted.phases) > 1
    coarse = max(SEARCHED, wanted.finest)
    starts = search(data, lens, replace(wanted, finest=coarse), STARTS)
    ends = [refine(data, lens, one.aim, coarse, wanted.expected, phase_free) for one in starts]
    ends.sort(key=lambda one: -one.score)
    rivals = [one.score for one in ends[1:] if abs(one.aim.mean - ends[0].aim.mean) > 0.05 * ends[0].aim.mean]
    best = refine(data, lens, ends[0].aim, wanted.finest, wanted.expected, phase_free)
    return best, max(rivals, default=0.0) * best.score / max(ends[0].score, 1e-6)


def fault(fit: CtfFit, wanted: Range) -> str:
    """Why the fit cannot be trusted, in words; empty when it can."""
    needed = _FAINT + (_FREE_PHASE if len(wanted.phases) > 1 else 0.0)
    if fit.score < needed:
        return f"no Thon rings stand out of the noise (log likelihood ratio {fit.score:.0f}, needed {needed:.0f})"
    if fit.resolution >= NOTHING:
        return "the fit does not follow the Thon rings anywhere"
    if fit.score < _RIVAL * fit.rival + _MARGIN:
        return f"two defocus values fit almost equally well (log likelihood ratios {fit.score:.0f} and {fit.rival:.0f})"
    if not wanted.low <= fit.aim.mean <= wanted.high:
        return f"the best defocus, {fit.aim.mean:.0f} Å, is outside of the range that was searched ({wanted.low:.0f} to {wanted.high:.0f} Å)"
    if fit.explained < _EXPLAINED:
        return f"the rings explain only {100 * fit.explained:.0f} % of what stands out of the background ({100 * _EXPLAINED:.0f} % needed)"
    if fit.errors[0] > _UNSURE:
        return f"the defocus is uncertain (standard error {fit.errors[0]:.0f} Å, allowed {_UNSURE:.0f} Å)"
    return ""


def phase_grid(low: float, high: float, step: float) -> tuple[float, ...]:
    """Phase shifts from low to high, without the end when it is the start again (a half turn)."""
    grid = np.arange(low, high + 1e-6, step)
    return tuple(float(one) for one in grid if one - low < np.pi - 1e-6)
