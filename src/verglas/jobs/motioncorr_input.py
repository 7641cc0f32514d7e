"""What motioncorr finds at its door: movies that are there, that fit their gain, and a forecast of memory."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import InputError, VerglasError
from verglas.io import labels as L
from verglas.io.movies import EerOptions, open_frames
from verglas.jobs.each import check_workers
from verglas.jobs.micrograph_door import absent, open_table, told_missing
from verglas.jobs.motioncorr import MotionParams
from verglas.jobs.spec import Context
from verglas.types import Frames, Micrographs

FEWEST = 3
"""Frames or groups that alignment needs."""
TRIED = 20
"""Movies that are opened to find a good one."""
PROGRAM = 0.5 * 2**30
"""Bytes of a worker before it has a movie."""
KNOWN_VOLTAGES = (100.0, 200.0, 300.0)
JOB_FOLDER = re.compile(r"^[^/]+/job\d+/")


@dataclass(frozen=True)
class FoundMovies:
    """movies; dose e/Å² of a frame and gain reference of all; shape (ny, nx), frames and memory (bytes while it is worked on) of the first;
    warnings; files besides the STAR file."""

    movies: Micrographs
    dose: float
    gain: Path | None
    shape: tuple[int, int]
    frames: int
    memory: float
    motion: str
    warnings: tuple[str, ...]
    inputs: tuple[Path, ...]


def eer_options(params: MotionParams) -> EerOptions:
    return EerOptions(params.eer_grouping, params.eer_upsampling)


def output_root(output: Path, movie: str) -> Path:
    """<output>/<folders of the movie without a job's>/<name without its ending, dots as underscores>."""
    path = Path(JOB_FOLDER.sub("", movie).lstrip("/"))
    name = path.name.removesuffix(".bz2").removesuffix(".xz").removesuffix(".zst")
    folders = [part for part in path.parent.parts if part not in ("..", "/")]
    return output.joinpath(*folders) / Path(name).stem.replace(".", "_")


def used_frames(params: MotionParams, frames: Frames) -> range:
    """Frames of this movie that are asked for, from 0; too few are refused."""
    last = frames.count if params.last_frame < 0 else params.last_frame
    if last > frames.count:
        raise InputError(f"{frames.count} frames, but --last-frame is {last}", where=str(frames.path), remedy="give a smaller --last-frame or -1")
    used = range(params.first_frame - 1, last)
    if len(used) // params.group_frames < FEWEST:
        raise InputError(f"{len(used)} frames to align in groups of {params.group_frames}, expected at least {FEWEST} groups", where=str(frames.path),
                         remedy="is this a movie? give smaller --group-frames or other first and last frames (EER: smaller --eer-grouping)")
    return used


def open_movies(params: MotionParams, context: Context) -> FoundMovies:
    """Read the STAR file, open its first movie and everything that belongs to it."""
    from verglas.io.defects import read_defects
    from verglas.io.gain import read_gain

    check_workers(params.workers)
    movies = open_table(params.movies, movies=True)
    missing = absent(movies, params.movies, context.project)
    roots = [str(output_root(context.output, str(name))) for name in movies.name]
    if len(set(roots)) < len(roots):
        twice = next(name for name, root in zip(movies.name, roots) if roots.count(root) > 1)
        raise InputError(f"two movies would be written as one file, {twice} is one of them", where=str(params.movies),
                         remedy="give movies different names")
    gone = set(missing)
    present = [str(name) for name in movies.name if str(name) not in gone]
    frames, used = _first_good(params, [context.project / name for name in present])
    dose, gain = _dose(params, movies), _gain(params, movies, context.project)
    if gain is not None:
        read_gain(gain, frames, params.gain_rotation, params.gain_flip)
    if params.defects is not None:
        read_defects(params.defects, frames.shape)
    pixels = float(np.prod(frames.shape))
    memory = pixels * (len(used) * (frames.read(used[0]).dtype.itemsize + 2.0) + 4 * 14) + PROGRAM
    patches = f"local, {params.patches_x} x {params.patches_y} patches" if min(params.patches_x, params.patches_y) > 2 else "whole frame"
    files = tuple(context.project / name for name in present)
    warnings = told_missing(missing, len(movies)) + _warnings(params, movies, (dose, gain))
    return FoundMovies(movies, dose, gain, frames.shape, frames.count, memory, patches, warnings, files)


def _first_good(params: MotionParams, files: list[Path]) -> tuple[Frames, range]:
    """The first movie that can be used, and its frames that are; broken ones before it will fail alone, but not all of the first TRIED may."""
    problem: VerglasError | None = None
    for path in files[:TRIED]:
        try:
            frames = open_frames(path, eer_options(params))
            return frames, used_frames(params, frames)
        except VerglasError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _dose(params: MotionParams, movies: Micrographs) -> float:
    """Of the option, or the one that import wrote for all movies."""
    if params.dose_per_frame is not None:
        return params.dose_per_frame
    known = {float(value) for value in movies.extra.get(L.DOSE_RATE, ())}
    if len(known) != 1:
        said = f"doses from {min(known):g} to {max(known):g} e/Å² per frame" if known else "no dose per frame"
        raise InputError(said, where=f"{params.movies}, _{L.DOSE_RATE}", remedy="give --dose-per-frame (0: not known), or import with --dose")
    return known.pop()


def _gain(params: MotionParams, movies: Micrographs, project: Path) -> Path | None:
    if params.gain is not None:
        return params.gain
    known = {str(value) for value in movies.extra.get(L.GAIN_NAME, ())}
    if len(known) > 1:
        raise InputError(f"{len(known)} gain references, expected one for all movies", where=f"{params.movies}, _{L.GAIN_NAME}",
                         remedy="give --gain, or correct the movies of each gain in a job of its own")
    return project / known.pop() if known else None


def _warnings(params: MotionParams, movies: Micrographs, known: tuple[float, Path | None]) -> tuple[str, ...]:
    found, (dose, gain) = [], known
    if dose == 0:
        found.append("The dose per frame is 0 (not known): no dose weighting, and early and late motion cannot be told apart.")
    odd = {group.voltage_kv for group in movies.optics if min(abs(group.voltage_kv - v) for v in KNOWN_VOLTAGES) > 2}
    for voltage in sorted(odd) if params.dose_weighting else ():
        found.append(f"Radiation damage at {voltage:g} kV is interpolated between the voltages at which it was measured (100, 200, 300 kV).")
    if gain is None:
        found.append("No gain reference: right only if the movies are gain-corrected already.")
    if params.save_power_spectrum is False and params.float16:
        found.append("Half-precision micrographs without power spectra: RELION's CTF jobs cannot use them; verglas's can.")
    return tuple(found)
