"""What a classification with fixed poses reads: particles, masks, first maps, scales; and the options in the units of the method."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.io.image_check import validate_images
from verglas.io.particles_star import project_root, read_particles
from verglas.io.star import read_star
from verglas.jobs.doors import open_map, open_mask
from verglas.jobs.refine3d_input import DIAMETER_SHARE, Mtf, fit_map, read_mtfs
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.jobs.class3d_fixed import Class3dFixedParams
    from verglas.methods.fixedposes.images import Grid
    from verglas.methods.fixedposes.plan import Plan

REFERENCE = "rlnReferenceImage"
COARSEST = 0.75
"""Of the diameter of the image mask: nothing coarser is compared unless it is asked for."""


@dataclass(frozen=True)
class Inputs:
    """`root`: the folder that image names are relative to; masks and first maps on the grid of optics group 1; `scale` (N,) to begin with."""

    particles: Particles
    root: Path
    mask: Map | None
    focus: Map | None
    first: tuple[Map, ...]
    scale: np.ndarray
    mtf: tuple[Mtf | None, ...]
    stacks: tuple[Path, ...]
    warnings: tuple[str, ...]

    @property
    def box(self) -> int:
        return self.particles.optics[0].box

    @property
    def pixel_size(self) -> float:
        return self.particles.optics[0].pixel_size


def open_inputs(params: "Class3dFixedParams") -> Inputs:
    """Read tables, headers and maps (no images)."""
    particles = read_particles(params.particles)
    root = project_root(params.particles)
    warnings = validate_images(particles, root, str(params.particles))
    group = particles.optics[0]
    like = Map(np.broadcast_to(np.float32(0), (group.box,) * 3), group.pixel_size)
    mask, focus = (open_mask(path, like, "the particles' grid") if isinstance(path, Path) else None for path in (params.mask, params.focus_mask))
    first = () if params.initial_maps is None else first_maps(params.initial_maps, params.classes, group.box, group.pixel_size)
    mtf, missing = read_mtfs(particles, root)
    stacks = tuple(root / name for name in particles.images.stacks)
    scale = input_scales(params, particles)
    doubts = (*scale_doubts(params, scale), *pose_doubts(particles))
    return Inputs(particles, root, mask, focus, first, scale, mtf, stacks, (*warnings, *missing, *doubts))


def first_maps(path: Path, classes: int, box: int, pixel: float) -> tuple[Map, ...]:
    """The maps that a STAR file names, relative to its own folder, the folder above, or the current one."""
    tables = read_star(path)
    named = [table for table in tables.values() if REFERENCE in table]
    if not named:
        raise InputError(f"no column _{REFERENCE}", where=str(path), remedy="give a STAR file with one map per row, such as a run_model.star")
    names = [str(name) for name in named[0][REFERENCE].tolist()]
    if len(names) != classes:
        raise InputError(f"{len(names)} maps for --classes {classes}", where=str(path), remedy=f"give --classes {len(names)}, or another file")
    files = [next((one for one in (Path(name), path.parent / name, path.parent / Path(name).name) if one.is_file()), None) for name in names]
    for name, file in zip(names, files):
        if file is None:
            raise InputError(f"there is no map {name}", where=str(path), remedy=f"put it into {path.parent}, or correct the name")
    return tuple(fit_map(open_map(file), file, box, pixel)[0] for file in files if file is not None)


def input_scales(params: "Class3dFixedParams", particles: Particles) -> np.ndarray:
    """(N,) of mean 1: those of the file, or 1."""
    if params.scale != "input":
        return np.ones(len(particles))
    scale = particles.defocus.scale
    bad = np.flatnonzero(~(scale > 0))
    if len(bad):
        raise InputError(f"_rlnCtfScalefactor is {scale[bad[0]]:g}, expected a positive number", where=f"{params.particles}, row {bad[0] + 1}",
                         remedy="give --scale optimal, or remove these particles")
    return np.asarray(scale / scale.mean())


def scale_doubts(params: "Class3dFixedParams", scale: np.ndarray) -> tuple[str, ...]:
    """Scales that are all 1 say nothing, and classes may then differ by intensity."""
    if params.scale == "optimal" or np.ptp(scale) > 0:
        return ()
    column = "the column rlnCtfScalefactor is absent or the same everywhere; " if params.scale == "input" else ""
    return (f"{column}all scales of the particles are 1: if particles differ in intensity (ice thickness), classes may separate by that "
            "instead of by shape; --scale optimal estimates them",)


def pose_doubts(particles: Particles) -> tuple[str, ...]:
    """A set that has not been refined."""
    return () if particles.poses.angles.any() else ("all angles are 0: has this particle set been refined?",)


def make_grid(plan: "Plan", inputs: Inputs) -> "Grid":
    """The grid that maps are kept on while they are compared."""
    from verglas.methods.fixedposes.images import make_grid as grid

    return grid(inputs.box, inputs.pixel_size, plan.resolution, plan.coarsest)


def make_plan(params: "Class3dFixedParams", inputs: Inputs, seed: int) -> "Plan":
    """The options in Å and shares."""
    from verglas.methods.fixedposes.plan import GivenMaps, Online, Plan, PrincipalComponents, RandomSubsets, Start, Stop

    start: Start = PrincipalComponents(params.start_reconstructions, params.start_particles, params.start_components)
    if inputs.first:
        start = GivenMaps(np.stack([one.data for one in inputs.first]))
    elif params.start == "random":
        start = RandomSubsets(params.start_particles)
    diameter = params.mask_diameter or DIAMETER_SHARE * inputs.box * inputs.pixel_size
    return Plan(
        classes=params.classes, resolution=params.target_resolution, coarsest=params.coarsest_resolution or COARSEST * diameter,
        lowpass=max(params.initial_lowpass, params.target_resolution),
        diameter=diameter, symmetry=params.symmetry, start=start,
        online=Online(params.epochs, params.batch, params.learning_rate, params.half_life / 100, params.class_similarity),
        stop=Stop(params.max_iterations, params.stop_switches / 100, params.stop_density),
        hard=params.hard, scaling=params.scale, padding=params.padding, intact_first_peak=params.intact_first_peak, seed=seed,
    )
