"""One micrograph of the ctf job: read, fit, picture and curves, row."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.ctf_files import write_avrot, write_picture
from verglas.io.mrc import read_volume
from verglas.jobs.folder import named_in
from verglas.methods.ctffit import (
    CtfFit,
    Lens,
    Range,
    Spectrum,
    Thickness,
    Tilt,
    estimate,
    estimate_thickness,
    estimate_tilted,
    of_amplitudes,
    of_micrograph,
    picture,
    tiles,
)
from verglas.types import Micrographs
from verglas.units import DEGREE

_JOB = re.compile(r"^[^/]+/job\d+/")
_CURVE = 160
"""Points of the curves that are kept in the row."""


@dataclass(frozen=True)
class FitOne:
    """Fits micrograph `index`: its spectrum, or image, is inputs[index] (relative to the project); kind: spectra or images."""

    micrographs: Micrographs
    inputs: tuple[str, ...]
    kind: str
    told: str
    wanted: Range
    box: int
    tilted: bool
    thick: bool
    project: Path
    output: Path

    def __call__(self, index: int) -> dict[str, object]:
        image, pixel_size = self.image(index)
        lens = Lens.of(self.micrographs.optics[self.micrographs.optics_index[index]])
        tilted, thick = None, None
        if self.tilted:
            spectrum, fit, tilted = estimate_tilted(image, tiles(image, pixel_size, self.box), lens, self.wanted)
        else:
            spectrum = self._of_image(image, pixel_size)
            fit = estimate(spectrum, lens, self.wanted)
        if self.thick and not fit.fault:
            fit, thick = estimate_thickness(spectrum, lens, fit, self.wanted)
        root = self.output / beside(self.inputs[index])
        root.parent.mkdir(parents=True, exist_ok=True)
        shown = root.with_name(root.name + ".ctf")
        write_picture(shown, picture(spectrum, lens, fit), spectrum.pixel_size)
        curves = fit.curves
        noise = np.full(len(curves.k), 2.0 / np.sqrt(max(1.0, 0.012 / (curves.k[1] - curves.k[0]))))
        write_avrot(root.with_name(root.name + "_avrot.txt"),
                    (curves.k, curves.rotational, curves.average, curves.rings * curves.strength, curves.correlation, noise), self.inputs[index])
        return _row(fit, named_in(self.project, shown) + ":mrc") | (_tilt_row(tilted) if tilted else {}) | (_thickness_row(thick) if thick else {})

    def image(self, index: int) -> tuple[np.ndarray, float]:
        """Spectrum or micrograph (ny, nx) and its pixel size (Å): of the header for spectra (they were cut), of the optics table for micrographs."""
        path = self.project / self.inputs[index]
        data, header = read_volume(path)
        image, where = data[0], str(path)
        if data.shape[0] != 1 or not np.isfinite(image).all() or image.min() == image.max():
            found = f"{data.shape[0]} sections" if data.shape[0] != 1 else "pixels that are not numbers, or all the same"
            raise DataError(found + ", expected one image", where=where, remedy="make it again")
        size = f"{image.shape[1]} x {image.shape[0]} px"
        if self.kind == "images":
            if min(image.shape) < 256:
                raise InputError(f"{size} is too small for a spectrum, expected 256 or more", where=where, remedy="give larger micrographs")
            return image, self.micrographs.optics[self.micrographs.optics_index[index]].pixel_size
        if image.shape[0] != image.shape[1] or header.pixel_size <= 0:
            raise DataError(f"{size} of {header.pixel_size:g} Å, expected a square spectrum with its pixel size", where=where,
                            remedy="make it again, or fit the micrographs: --no-use-power-spectra")
        return image, header.pixel_size

    def spectrum(self, index: int) -> Spectrum:
        """What is fitted where no tilt is asked for."""
        return self._of_image(*self.image(index))

    def _of_image(self, image: np.ndarray, pixel_size: float) -> Spectrum:
        return of_micrograph(image, pixel_size, self.box) if self.kind == "images" else of_amplitudes(image, pixel_size)

    def try_first(self) -> None:
        """For the door: the first micrograph can be read."""
        self.image(0)


def sources(micrographs: Micrographs, power_spectra: bool, no_dw: bool) -> tuple[tuple[str, ...], str, str]:
    """The files to fit, whether they are spectra or images, and in words why."""
    extra = micrographs.extra
    if power_spectra and L.POWER_SPECTRUM in extra:
        return tuple(map(str, extra[L.POWER_SPECTRUM])), "spectra", f"the power spectra of motion correction ({L.POWER_SPECTRUM})"
    why = f"there is no column {L.POWER_SPECTRUM}" if power_spectra else "as asked"
    if not no_dw:
        return tuple(map(str, micrographs.name)), "images", f"the micrographs ({why})"
    if L.MICROGRAPH_NO_DW not in extra:
        raise InputError(f"no column {L.MICROGRAPH_NO_DW}", where="block data_micrographs", remedy="leave --use-no-dw out")
    return tuple(map(str, extra[L.MICROGRAPH_NO_DW])), "images", f"the micrographs without dose weighting ({why})"


def beside(name: str) -> Path:
    """Where the files of an input go inside the job folder: its own folders without those of the job that made it, without its ending."""
    parts = [part for part in Path(_JOB.sub("", name)).parts if part not in ("..", "/")]
    return Path(*parts).with_suffix("")


def _row(fit: CtfFit, shown: str) -> dict[str, object]:
    step = -(-len(fit.curves.k) // _CURVE)
    whole = len(fit.curves.k) // step * step
    curves = {"k": fit.curves.k, "average": fit.curves.average, "rings": fit.curves.rings * fit.curves.strength, "agreement": fit.curves.correlation}
    return {
        "defocus_u": fit.aim.u, "defocus_v": fit.aim.v, "angle": fit.aim.angle / DEGREE, "phase_shift": fit.aim.phase / DEGREE,
        "merit": fit.correlation, "resolution": fit.resolution, "ice": fit.ice, "score": fit.score, "rival": fit.rival, "explained": fit.explained,
        "defocus_error": fit.errors[0], "fault": fit.fault, "image": shown,
        "curves": {name: np.round(one[:whole].reshape(-1, step).mean(1), 5).tolist() for name, one in curves.items()},
    }


def _tilt_row(found: Tilt) -> dict[str, object]:
    return {"tilt": found.angle / DEGREE, "tilt_axis": found.axis / DEGREE, "tilt_error": found.angle_error / DEGREE,
            "tilt_axis_error": found.axis_error / DEGREE}


def _thickness_row(found: Thickness) -> dict[str, object]:
    return {"thickness": found.value, "thickness_error": found.error, "thickness_below": found.below}
