"""Door checks of a continuation: what may change, and whether there is anything left to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.errors import InputError
from verglas.jobs.folder import JOB_FILE, MARKERS
from verglas.jobs.provenance import read_record
from verglas.jobs.refine3d_adopt import last_iteration
from verglas.jobs.refine3d_state import newest, state_path
from verglas.jobs.spec import JobParams, options
from verglas.types import Particles

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams

FIXED = ("particles", "reference", "symmetry", "initial_lowpass", "absolute_greyscale", "healpix_order", "offset_range", "offset_step",
         "keep_offsets", "padding")
"""Options that only tell how a refinement begins, or without which its state means something else."""


def check_unchanged(params: JobParams, folder: Path, fixed: Sequence[str], what: str) -> dict[str, Any]:
    """The options that `what` (refinement, classification) in `folder` was begun with; InputError when one of `fixed` is another now."""
    before: dict[str, Any] = read_record(folder)["params"]
    now = params.model_dump(mode="json")
    flags = {one.name: one.flag for one in options(type(params))}
    for name in fixed:
        if name in before and now[name] != before[name]:
            raise InputError(f"{flags[name]} {now[name]} on a {what} that was begun with {before[name]}", where=str(folder),
                             remedy="it cannot be changed on the way: leave it out, or start a new job")
    return before


def check_continuation(params: "Refine3dParams", folder: Path, particles: Particles) -> None:
    """Raise when options changed that must not, when the particles are others, or when nothing is left to do."""
    if not (folder / JOB_FILE).exists():
        if (folder / MARKERS["SUCCESS"]).exists():
            raise nothing_left(folder, "it has converged")
        return
    before = check_unchanged(params, folder, FIXED, "refinement")
    number = newest(folder)
    if number is not None:
        check_rows(folder, number, particles)
    if (folder / MARKERS["SUCCESS"]).exists():
        check_extension(params.max_iterations, int(before.get("max_iterations", 0)), folder)
    if 0 < params.max_iterations <= (last_iteration(folder) or 0):
        raise InputError(f"--max-iterations {params.max_iterations}, but iteration {last_iteration(folder)} is done", where=str(folder),
                         remedy="give a larger number, or 0 for no limit")


def check_rows(folder: Path, number: int, particles: Particles) -> None:
    """The state must belong to this many particles."""
    path = state_path(folder, number)
    with np.load(path, allow_pickle=False) as columns:
        count = len(columns["half"])
    if count != len(particles):
        raise InputError(f"{len(particles)} particles, but the refinement was begun with {count}", where=str(path),
                         remedy="restore the particle file it was begun with, or start a new job")


def check_extension(limit: int, before: int, folder: Path) -> None:
    """A finished refinement goes on only where its limit ended it and is now raised or lifted."""
    if before == 0:
        raise nothing_left(folder, "it has converged")
    if limit == before:
        raise nothing_left(folder, f"it ended at --max-iterations {before}; give a larger number, or 0 for no limit")


def nothing_left(folder: Path, why: str) -> InputError:
    return InputError(f"this folder holds a finished refinement: {why}", where=str(folder), remedy="start a new job from its results")
