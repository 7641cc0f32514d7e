"""Door checks of refine3d: tables, headers, maps and a sample of the images, before anything is written."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.io.image_source import ImageSource
from verglas.jobs import refine3d_images as pixels
from verglas.jobs.refine3d_continue import check_continuation
from verglas.jobs.refine3d_forecast import disk_bytes, forecast
from verglas.jobs.refine3d_input import ImageInputs, Inputs, make_plan, open_inputs
from verglas.jobs.refine3d_remarks import duplicate_remarks, gpu_remarks, group_remarks
from verglas.jobs.spec import Context, Plan
from verglas.types import Particles

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.methods.refine import plan as refine_plan

FEWEST = 2
"""Particles in each half."""
DISK_MARGIN = 1.2


def check_inputs(params: "Refine3dParams", context: Context) -> Plan:
    """Raise on what cannot be refined; otherwise the forecast, with doubts as warnings."""
    from verglas.core.symmetry import operators

    operators(params.symmetry)
    if params.solvent_corrected_fsc and params.mask is None:
        raise InputError("--solvent-corrected-fsc needs a mask", remedy="give --mask")
    inputs = open_inputs(params)
    if context.continuing:
        check_continuation(params, context.output, inputs.particles)
    plan = make_plan(params, inputs.box, inputs.pixel_size, context.resources.seed)
    check_sizes(plan, inputs)
    check_halves(inputs.particles, params.particles)
    check_disk(disk_bytes(inputs), context.output)
    doubts: tuple[str, ...] = () if context.continuing else (*offsets_warning(params, inputs, plan), *group_remarks(inputs.particles))
    doubts = (*gpu_remarks(context.resources.device), *duplicate_remarks(inputs.particles), *doubts)
    warnings = (*inputs.warnings, *doubts, *look_at_images(params.particles, inputs, plan.diameter, params.skip_image_checks))
    return Plan(forecast(params, inputs, plan, context), warnings, inputs.stacks)


def check_boxes(diameter: float, inputs: ImageInputs) -> None:
    """The mask must fit into every image, and the box must be even."""
    for group in inputs.particles.optics:
        extent = group.box * group.pixel_size
        if diameter > extent:
            raise InputError(
                f"mask diameter {diameter:g} Å, but the box of optics group {group.name} is {group.box} px of "
                f"{group.pixel_size:g} Å = {extent:.1f} Å", where="--mask-diameter", remedy=f"give at most {extent:.0f}")
        if group.box % 2:
            raise InputError(f"box of {group.box} px, expected an even number", where=f"optics group {group.name}",
                             remedy="extract or crop the particles in an even box")


def check_sizes(plan: "refine_plan.Plan", inputs: ImageInputs) -> None:
    """The mask must fit into every image, the searches into the mask, the box must be even."""
    check_boxes(plan.diameter, inputs)
    nyquist = 2 * inputs.pixel_size
    if plan.initial_lowpass < nyquist:
        raise InputError(f"--initial-lowpass {plan.initial_lowpass:g} Å is beyond Nyquist ({nyquist:.2f} Å)", remedy="30 to 60 Å is usual")
    if plan.offset_range > plan.diameter / 2:
        raise InputError(f"translational search of {plan.offset_range:.0f} Å, more than the radius of the mask",
                         where="--offset-range", remedy="it is in pixels; 5 is usual")


def check_halves(particles: Particles, star: Path) -> None:
    """Half sets for all or for none, and enough in each."""
    counts = np.bincount(particles.half, minlength=3)
    if counts[0] and counts[1] + counts[2]:
        row = int(np.argmin(particles.half))
        raise InputError(f"{counts[0]} of {len(particles)} particles have no half set (_rlnRandomSubset 0)", where=f"{star}, row {row + 1}",
                         remedy="give every particle 1 or 2, or remove the column, then halves are drawn")
    smallest = len(particles) // 2 if counts[0] else int(min(counts[1], counts[2]))
    if smallest < FEWEST:
        raise InputError(f"{smallest} particles in a half set, expected at least {FEWEST}", where=f"{star} (_rlnRandomSubset)",
                         remedy="a gold-standard refinement needs particles in both halves; add some or redraw the halves")


def check_disk(needed: float, output: Path) -> None:
    """Room for the files of the run."""
    folder = output
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < DISK_MARGIN * needed:
        raise InputError(f"{free / 2**20:.0f} MB free, the files of this job need about {needed / 2**20:.0f} MB", where=str(folder),
                         remedy="the disk is (nearly) full: free space or give --output on another disk")


def offsets_warning(params: "Refine3dParams", inputs: Inputs, plan: "refine_plan.Plan") -> tuple[str, ...]:
    """Stored origins that are out of reach of a search which starts from zero."""
    away = np.hypot(*inputs.particles.poses.origin.T)
    far = int((away > plan.offset_range).sum())
    if params.keep_offsets or not far:
        return ()
    return (f"{far} of {len(away)} particles have stored origins further than the search of {plan.offset_range:.1f} Å "
            f"(largest {away.max():.1f} Å), and with --no-keep-offsets the search starts from 0: leave that out, or give a larger --offset-range",)


def look_at_images(star: Path, inputs: ImageInputs, diameter: float, skip: bool) -> tuple[str, ...]:
    """Normalisation and contrast of a sample of the particles; `skip`: only that they are numbers."""
    particles = inputs.particles
    rows, reader = pixels.sample_rows(len(particles)), ImageSource(particles, inputs.root)
    parts = []
    for number, group in enumerate(particles.optics):
        some = rows[particles.optics_index[rows] == number]
        if len(some):
            images = reader.read(some)
            pixels.require_numbers(images, some, particles, star)
            parts.append(pixels.look(images, some, diameter / (2 * group.pixel_size)))
    if skip:
        return ()
    sample = pixels.join(parts)
    return (*pixels.require_normalised(sample, particles, star), *pixels.require_white(sample, star))
