"""Door checks and forecast of class3d-fixed."""

from math import pi
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.jobs.class3d_fixed_files import newest
from verglas.jobs.class3d_fixed_input import Inputs, make_grid, make_plan, open_inputs
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.refine3d_check import check_boxes, check_disk, look_at_images
from verglas.jobs.refine3d_continue import check_unchanged
from verglas.jobs.refine3d_remarks import device_remarks, duplicate_remarks
from verglas.jobs.spec import Context, Plan, PlanLine

if TYPE_CHECKING:
    from verglas.jobs.class3d_fixed import Class3dFixedParams
    from verglas.methods.fixedposes.plan import Plan as MethodPlan

FEWEST = 10
"""Particles per class."""
MEGABYTE = 2.0**20
FIXED = ("particles", "classes", "target_resolution", "coarsest_resolution",
         "mask", "focus_mask", "mask_diameter", "symmetry", "scale", "padding", "intact_first_peak")
"""Options without which a kept state means something else."""


def check_inputs(params: "Class3dFixedParams", context: Context) -> Plan:
    """Raise on what cannot be classified; otherwise the forecast, with doubts as warnings."""
    from verglas.core.symmetry import operators

    operators(params.symmetry)
    inputs = open_inputs(params)
    plan = make_plan(params, inputs, context.resources.seed)
    check_sizes(params, plan, inputs)
    if context.continuing:
        check_continuation(params, context)
    each = params.classes * 4.0 * inputs.box**3 + 400.0 * len(inputs.particles)
    check_disk(3 * each, context.output)
    warnings = (*inputs.warnings, *device_remarks(context.resources.device, "class3d-fixed"),
                *duplicate_remarks(inputs.particles), *look_at_images(params.particles, inputs, plan.diameter, params.skip_image_checks))
    return Plan(forecast(params, inputs, plan, context, each), warnings, inputs.stacks)


def check_sizes(params: "Class3dFixedParams", plan: "MethodPlan", inputs: Inputs) -> None:
    """Images, masks and numbers that fit each other."""
    check_boxes(plan.diameter, inputs)
    nyquist = 2 * inputs.pixel_size
    if params.target_resolution < nyquist:
        raise InputError(f"--target-resolution {params.target_resolution:g} Å is beyond Nyquist ({nyquist:.2f} Å)",
                         remedy="6 to 15 Å is usual: as coarse as still shows the change")
    if len(inputs.particles) < FEWEST * params.classes:
        raise InputError(f"{len(inputs.particles)} particles for {params.classes} classes, expected at least {FEWEST} for each",
                         where=str(params.particles), remedy="give fewer classes or more particles")
    if inputs.mask is not None and inputs.focus is not None:
        outside = float((inputs.focus.data * (1 - inputs.mask.data)).sum() / inputs.focus.data.sum())
        if outside > 0.5:
            raise InputError(f"{100 * outside:.0f} % of the focus mask lies outside the solvent mask", where=str(params.focus_mask),
                             remedy="make both masks from maps on the same grid")


def check_continuation(params: "Class3dFixedParams", context: Context) -> None:
    """What may not change, and whether anything is left to do."""
    folder = context.output
    if not (folder / JOB_FILE).exists():
        return
    check_unchanged(params, folder, FIXED, "classification")
    done = newest(folder)
    if done is not None and done >= params.max_iterations:
        raise InputError(f"--max-iterations {params.max_iterations}, but iteration {done} is done", where=str(folder),
                         remedy="give a larger number")


def forecast(params: "Class3dFixedParams", inputs: Inputs, plan: "MethodPlan", context: Context, each: float) -> tuple[PlanLine, ...]:
    """The lines of a dry run; `each`: bytes of the files of one iteration."""
    from verglas.runtime.blocks import budget

    grid, count = make_grid(plan, inputs), len(inputs.particles)
    image = 12 * pi / 2 * grid.shells**2
    kept = count * image <= budget(context.resources.memory_gb).cache
    sums = 2 * params.classes * 12 * (plan.padding * 2 * grid.shells) ** 3 / 2
    maps = 4.0 * grid.box**3 * 8 * params.classes
    members = np.bincount(inputs.particles.half, minlength=3)
    return (
        PlanLine("particles", f"{count} in {len(inputs.particles.optics)} optics groups",
                 "half sets as in the file" if members[0] == 0 else f"half sets drawn with seed {plan.seed}"),
        PlanLine("compared to", f"{grid.box * grid.pixel / grid.shells:.2f} Å", f"on {grid.box} px of {grid.pixel:.3f} Å"),
        PlanLine("classes", f"{params.classes}", "classes may differ within the focus mask" if inputs.focus is not None else ""),
        PlanLine("memory", f"{(kept * count * image + sums + maps) / MEGABYTE + 600:.0f} MB",
                 f"{count * image / MEGABYTE:.0f} MB of transformed images " + ("stay in memory" if kept else "do not fit: made anew each time")),
        PlanLine("disk", f"{params.max_iterations * each / MEGABYTE:.0f} MB", f"at most {params.max_iterations} full iterations"),
    )
