"""The power spectrum of one micrograph, its rotational average, CTFs of the ends of the search, and the fit of the job."""

from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.report.pictures import data_uri
from verglas.web.data.answers import known, stamp
from verglas.web.places import file_in
from verglas.web.wizards.asked import Asked, params_of
from verglas.web.wizards.recent import Recent

if TYPE_CHECKING:
    from verglas.jobs.ctf import CtfParams
    from verglas.jobs.ctf_work import FitOne
    from verglas.methods.ctffit import CtfFit, Lens, Spectrum

COARSEST, FINEST = 50.0, 2.9
"""Å: how far the rotational average is shown."""
POINTS = 700
"""Of the curves of CTFs."""
_spectra: "Recent[Spectrum]" = Recent(6)


def look(project: Project, asked: Asked) -> dict[str, Any]:
    """With `fit` also what the job would find in this range."""
    from verglas.jobs.ctf import check_range
    from verglas.methods.ctffit import Lens, estimate

    params = params_of(asked)
    check_range(params)
    work = _work(project, params)
    if asked.row >= len(work.inputs):
        raise InputError(f"micrograph {asked.row + 1} of {len(work.inputs)}", where=str(params.micrographs))
    path = file_in(project, work.inputs[asked.row])
    spectrum = _spectra.get((*stamp(path), work.kind, params.box), lambda: work.spectrum(asked.row))
    group = work.micrographs.optics[work.micrographs.optics_index[asked.row]]
    lens = Lens.of(group)
    fit = estimate(spectrum, lens, work.wanted) if asked.fit else None
    k, average = _average(spectrum)
    return {
        "micrographs": len(work.inputs), "row": asked.row, "file": work.inputs[asked.row], "told": work.told.partition(" (")[0],
        "optics": f"{group.voltage_kv:g} kV, Cs {group.cs_mm:g} mm, amplitude contrast {group.amplitude_contrast:g}, {group.pixel_size:.4g} Å/px",
        "picture": data_uri(_picture(spectrum, lens, fit)), "edge": len(spectrum.power) / 2 * spectrum.step,
        "k": np.round(k, 6).tolist(), "average": np.round(average, 5).tolist(),
        "curves": [_curve(lens, defocus) for defocus in (params.min_defocus, params.max_defocus)], "shown": [1 / COARSEST, float(k[-1])],
        "step": 1 / FINEST / (POINTS - 1),
        "fit": None if fit is None else _fitted(fit),
    }


def _fitted(fit: "CtfFit") -> dict[str, Any]:
    """Numbers and curves of the job; the average is along lines of equal phase."""
    curves = {name: np.round(getattr(fit.curves, name), 5).astype(float).tolist() for name in ("k", "average", "rings", "strength")}
    numbers = {"defocus": float(fit.aim.mean), "astigmatism": float(fit.aim.u - fit.aim.v), "resolution": known(fit.resolution)}
    return curves | numbers | {"fault": fit.fault}


def _work(project: Project, params: "CtfParams") -> "FitOne":
    """What the job does to each micrograph, without tilt and thickness, which take long."""
    from verglas.jobs.ctf import wanted
    from verglas.jobs.ctf_work import FitOne, sources
    from verglas.jobs.pick_one import table_of

    table = table_of(params.micrographs)
    inputs, kind, told = sources(table, params.use_power_spectra, params.use_no_dw)
    return FitOne(table, inputs, kind, told, wanted(params), params.box, False, False, project.root, project.root)


def _average(spectrum: "Spectrum") -> tuple[np.ndarray, np.ndarray]:
    """k (R,) 1/Å and power over background - 1, as the fit sees it."""
    from verglas.methods.ctffit.cells import cells

    data = cells(spectrum, COARSEST, FINEST)
    weight = data.weight.sum(0)
    return data.k, (data.weight * data.data).sum(0) / np.maximum(weight, 1e-6)


def _curve(lens: "Lens", defocus: float) -> list[float]:
    """|CTF|^2 at POINTS places from 0 to 1 / FINEST, as far as its rings are wider than the places are apart."""
    from verglas.methods.ctffit.lens import Aim, gamma, rings

    k = np.linspace(0.0, 1.0 / FINEST, POINTS)
    turn = np.abs(np.diff(gamma(lens, Aim(defocus), k * k)))
    end = int(np.argmax(turn > 1.0)) if (turn > 1.0).any() else POINTS
    return np.round(rings(lens, Aim(defocus), k * k) + 0.5, 4)[:end].astype(float).tolist()


def _picture(spectrum: "Spectrum", lens: "Lens", fit: "CtfFit | None") -> np.ndarray:
    """(N, N) uint8: the spectrum; with a fit its rings on the right half."""
    from verglas.methods.ctffit.picture import flattened, picture

    shown = flattened(spectrum) if fit is None else picture(spectrum, lens, fit)
    return np.clip(127.5 + shown * 42.5, 0, 255).astype(np.uint8)
