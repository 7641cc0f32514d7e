"""What a classification with fixed poses reads: particles, masks, first maps, scales; and the options in the units of the method."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.jobs.doors import named_maps, open_map, open_mask
from verglas.jobs.refine3d_input import DIAMETER_SHARE, ImageInputs, fit_map, open_images
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.jobs.class3d_fixed import Class3dFixedParams
    from verglas.methods.fixedposes.images import Grid
    from verglas.methods.fixedposes.plan import Plan

COARSEST = 0.75
"""Of the diameter of the image mask: nothing coarser is compared unless it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Inputs(ImageInputs):
    """Masks and first maps on the grid of optics group 1; `scale` (N,) to begin with."""

    mask: Map | None
    focus: Map | None
    first: tuple[Map, ...]
    scale: np.ndarray


def open_inputs(params: "Class3dFixedParams") -> Inputs:
    """Read tables, headers and maps (no images)."""
    images = open_images(params.particles)
    like = Map(np.broadcast_to(np.float32(0), (images.box,) * 3), images.pixel_size)
    mask, focus = (open_mask(path, like, "the particles' grid") if isinstance(path, Path) else None for path in (params.mask, params.focus_mask))
    files = () if params.initial_maps is None else named_maps(params.initial_maps, params.classes)
    first = tuple(fit_map(open_map(file), file, images.box, images.pixel_size)[0] for file in files)
    scale = input_scales(params, images.particles)
    doubts = (*images.warnings, *scale_doubts(params, scale), *pose_doubts(images.particles))
    return Inputs(**{**vars(images), "warnings": doubts}, mask=mask, focus=focus, first=first, scale=scale)


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
