"""One movie: read, align, add up, write. Runs in any process."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.jobs.folder import named_in
from verglas.jobs.motioncorr import FAR, MotionParams
from verglas.jobs.motioncorr_input import eer_options, output_root, used_frames
from verglas.runtime.resources import Resources, torch_threads
from verglas.types import Frames, Micrographs, OpticsGroup

if TYPE_CHECKING:
    from verglas.methods.motion.conditioning import Movie
    from verglas.types.motion import MotionTrack

EARLY_DOSE = 4.0
"""e/Å² up to which motion counts as early."""


@dataclass(frozen=True)
class MotionWork:
    """Movie `index` of `movies`: its files under `output`, its row for corrected_micrographs.star and the report."""

    params: MotionParams
    output: Path
    project: Path
    resources: Resources
    movies: Micrographs
    dose: float
    gain: Path | None

    def __call__(self, index: int) -> dict[str, object]:
        with torch_threads(1 if self.resources.device == "cpu" else self.resources.threads):
            return self._done(index)

    def _done(self, index: int) -> dict[str, object]:
        from verglas.io.motion_star import write_motion
        from verglas.methods.motion import Exposure, align

        name = str(self.movies.name[index])
        optics = self.movies.optics[self.movies.optics_index[index]]
        path = self.project / name
        if not path.is_file():
            raise InputError("the movie is not there", where=str(path), remedy="copy it there and run again with --continue")
        frames = open_frames_of(self.params, path)
        used = used_frames(self.params, frames)
        exposure = Exposure(optics.original_pixel_size, optics.voltage_kv, self.dose, self.params.pre_exposure, used[0])
        movie = conditioned(self, frames, used, index, optics.original_pixel_size)
        motion = align(movie, exposure, (self.params.patches_x, self.params.patches_y), self.params.bfactor, self.params.group_frames,
                       self.resources.device)
        root = output_root(self.output, name)
        root.parent.mkdir(parents=True, exist_ok=True)
        upsampling, grouping = self._eer(path)
        track = replace(motion.track, movie=name, frames=frames.count, shape=frames.shape, binning=self.params.binning,
                        gain=str(self.gain or ""), defects=str(self.params.defects or ""), hot=movie.hot,
                        eer_upsampling=upsampling, eer_grouping=grouping)
        row = self._write_pictures(movie, track, root, optics)
        write_motion(root.with_suffix(".star"), track)
        row |= {"rlnMicrographMetadata": named_in(self.project, root.with_suffix(".star"))} | accumulated(track)
        report = {"shifts": np.round(track.shifts, 3).tolist(), "hot": len(movie.hot), "bad": len(movie.bad), "iterations": motion.iterations,
                  "error": motion.error, "local_rms": motion.local_rms, "warnings": [*motion.warnings, *far(track), *damage(frames)]}
        return {"star": row, "report": report}

    def _eer(self, path: Path) -> tuple[int, int]:
        eer = path.suffix.lower() == ".eer"
        return (self.params.eer_upsampling, self.params.eer_grouping) if eer else (0, 0)

    def _write_pictures(self, movie: "Movie", track: "MotionTrack", root: Path, optics: OpticsGroup) -> dict[str, object]:
        """Sums and spectrum; names for the STAR file."""
        from verglas.methods.motion import power, sums
        from verglas.methods.motion.dose import dose_after

        weighted = self.params.dose_weighting and self.dose > 0
        px = optics.original_pixel_size
        wanted = sums.Wanted(weighted, self.params.save_unweighted or not weighted, self.params.save_halves, self.params.binning)
        dose = dose_after(len(movie.raw), track.dose_rate, track.pre_exposure, track.first_frame)
        basis = sums.dose_basis(dose, 0.75 / px, optics.voltage_kv) if weighted else None
        added = sums.sums(movie, sums.motion_polynomials(track.shifts, track.local), basis, px, wanted, self.resources.device)
        row: dict[str, object] = {}
        binned = px * self.params.binning
        micrograph = added.weighted if weighted else added.plain
        assert micrograph is not None
        pictures = {"rlnMicrographName": ("", micrograph),
                    "rlnMicrographNameNoDW": ("_noDW", added.plain if weighted and self.params.save_unweighted else None),
                    "rlnMicrographNameEven": ("_EVN", added.even), "rlnMicrographNameOdd": ("_ODD", added.odd)}
        if self.params.save_power_spectrum:
            spectrum = power.power_spectrum(micrograph, binned, self.resources.device)
            row["rlnCtfPowerSpectrum"] = self._write(root, "_PS", spectrum.picture, spectrum.pixel_size, "float32")
        for label, (ending, picture) in pictures.items():
            if picture is not None:
                row[label] = self._write(root, ending, picture, binned, "float16" if self.params.float16 else "float32")
        return row

    def _write(self, root: Path, ending: str, picture: np.ndarray, pixel_size: float, kind: str) -> str:
        from verglas.io.mrc import StackWriter

        path = root.with_name(root.name + ending + ".mrc")
        with StackWriter(path, pixel_size, kind) as image:
            image.append(picture[None])
        return named_in(self.project, path)


def open_frames_of(params: MotionParams, path: Path) -> Frames:
    from verglas.io.movies import open_frames

    return open_frames(path, eer_options(params))


def conditioned(work: MotionWork, frames: Frames, used: range, seed: int, pixel_size: float) -> "Movie":
    """The frames `used`, gain-corrected, bad pixels replaced; decoded while the one before is taken in."""
    from verglas.io.defects import read_defects
    from verglas.io.gain import read_gain
    from verglas.io.movies import read_ahead
    from verglas.methods.motion import condition, small_bin

    params, resources = work.params, work.resources
    gain = np.ones(frames.shape, np.float32) if work.gain is None else read_gain(work.gain, frames, params.gain_rotation, params.gain_flip)
    defects = None if params.defects is None else read_defects(params.defects, frames.shape)
    eer = frames.path.suffix.lower() == ".eer"
    stream: Iterator[np.ndarray] = read_ahead(frames, used, max(1, resources.threads))
    return condition(stream, len(used), gain, defects, 4 if eer else 2, small_bin(frames.shape, pixel_size), resources.seed + seed)


def accumulated(track: "MotionTrack") -> dict[str, object]:
    """Path length in Å of the whole-frame track: all of it, up to EARLY_DOSE, and after."""
    steps = np.hypot(*np.diff(track.shifts, axis=0).T) * track.pixel_size
    number = track.first_frame + 1 + np.arange(1, len(steps) + 1)  # of the frame that a step leads to, from 1
    early = number <= (EARLY_DOSE - track.pre_exposure) / track.dose_rate if track.dose_rate > 0 else np.zeros(len(steps), bool)
    return {"rlnAccumMotionTotal": float(steps.sum()), "rlnAccumMotionEarly": float(steps[early].sum()),
            "rlnAccumMotionLate": float(steps[~early].sum())}


def far(track: "MotionTrack") -> list[str]:
    moved = float(np.hypot(*(track.shifts - track.shifts[0]).T).max()) * track.pixel_size
    return [f"moved by {moved:.0f} Å"] if moved > FAR else []


def damage(frames: Frames) -> list[str]:
    """Hardware frames of an EER movie that could not be used."""
    numbers = sorted(getattr(frames, "damaged", ()))
    shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return [f"{len(numbers)} of its hardware frames are damaged and left out ({shown})"] if numbers else []
