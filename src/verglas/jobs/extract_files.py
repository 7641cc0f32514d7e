"""What extract writes besides the stacks: the plan for its workers, particles.star and extractpick.star."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.atomic import atomic_path
from verglas.io.coordinates import write_coordinate_files, write_coordinates
from verglas.io.optics_star import optics_table
from verglas.io.particles_star import particles_table
from verglas.io.star import Table, write_star
from verglas.jobs.each import Outcome
from verglas.jobs.extract_input import Wanted, rows_of_each, xy_of
from verglas.jobs.extract_one import Windows, read_windows
from verglas.jobs.folder import named_in
from verglas.jobs.spec import Context
from verglas.types import Coordinates, Defocus, ImageRefs, Particles

if TYPE_CHECKING:
    from verglas.jobs.extract import ExtractParams

PLAN = "windows.npz"


def write_plan(wanted: Wanted, params: "ExtractParams", context: Context) -> Path:
    """Where the windows are, in a file that all workers can read."""
    stacks = stack_names(wanted.names.tolist())
    bounds = np.r_[0, np.bincount(wanted.particles.images.stack, minlength=len(stacks)).cumsum()]
    defocus = np.stack([getattr(wanted.particles.defocus, name) for name in Defocus.__dataclass_fields__], axis=1)
    names, group = wanted.names.astype(str), wanted.particles.optics_index
    windows = Windows(names, np.array(stacks), wanted.pixels, bounds, xy_of(wanted.particles), group, defocus)
    with atomic_path(context.output / PLAN) as path:
        np.savez(path, **{name: getattr(windows, name) for name in Windows.__dataclass_fields__})
    return context.output / PLAN


def stack_names(micrographs: list[str]) -> list[str]:
    """Stacks in the job folder: the path of the micrograph without its own job, ending in .mrcs."""
    names = [re.sub(r"^([^/]+/job\d+/|/)", "", re.sub(r"(^|/)\.\.(?=/)", "", name)) for name in micrographs]
    names = [str(Path(name).with_suffix(".mrcs")) for name in names]
    taken: dict[str, str] = {}
    for name, micrograph in zip(names, micrographs):
        if taken.setdefault(name, micrograph) != micrograph:
            raise InputError(f"{taken[name]} and {micrograph} would both be written to {name}", remedy="extract them in two jobs")
    return names


def kept(wanted: Wanted, outcomes: list[Outcome], plan: Path) -> Wanted:
    """Without the micrographs that failed."""
    windows = read_windows(plan)
    for number, one in enumerate(outcomes):
        if one.row is not None and one.row["checksum"] != windows.checksum(number):
            raise InputError(f"{one.key} was extracted here at other coordinates", where=str(plan.parent),
                             remedy="start a new job instead of --continue")
    good = np.array([one.row is not None for one in outcomes])
    return replace(wanted, particles=wanted.particles.take(good[wanted.particles.images.stack]))


def write_results(wanted: Wanted, params: "ExtractParams", context: Context) -> None:
    """particles.star; after extraction again also the new places as coordinate files, with their list extractpick.star."""
    output, project = context.output.resolve(), context.project.resolve()
    folder = Path(named_in(project, output))
    images = wanted.particles.images
    stacks = tuple(str(folder / name) for name in stack_names(wanted.names.tolist()))
    particles = replace(wanted.particles, images=ImageRefs(stacks, images.stack, images.index))
    write_star(context.output / "particles.star", {"optics": optics_table(particles.optics), "particles": _table(particles, wanted.has_ctf)})
    if params.particles is not None:
        _write_places(particles, folder, context)
    context.log(f"particles.star: {len(particles)} particles of {particles.optics[0].box} px at {particles.optics[0].pixel_size:.4f} Å")


def _write_places(particles: Particles, folder: Path, context: Context) -> None:
    """One table of coordinates for each micrograph."""
    files: dict[str, str] = {}
    xy, zero = xy_of(particles), np.zeros(len(particles))
    places = Coordinates(xy, zero, particles.class_number, particles.poses.angles[:, 2], {})
    for number, rows in rows_of_each(particles.images.stack):
        name = Path(particles.images.stacks[number]).relative_to(folder).with_suffix("")
        file = Path(f"{name}_extractpick.star")
        write_coordinates(context.output / file, places.take(rows))
        files[str(particles.extra[L.MICROGRAPH_NAME][rows[0]])] = str(folder / file)
    write_coordinate_files(context.output / "extractpick.star", list(files), list(files.values()))


def _table(particles: Particles, has_ctf: bool) -> Table:
    """Without defocus where none is known: zeros would be taken for it."""
    unknown = () if has_ctf else tuple(column.label for column in L.DEFOCUS.values())
    return Table({label: column for label, column in particles_table(particles).columns.items() if label not in unknown})
