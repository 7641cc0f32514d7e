"""The run of refine3d: from the inputs to the last iteration, with files, events and a report after each one."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verglas.jobs.refine3d_files import write_final, write_iteration
from verglas.jobs.refine3d_input import Inputs, StackReader, make_plan, open_inputs
from verglas.jobs.refine3d_tell import Teller
from verglas.jobs.spec import Context

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.source import Source
    from verglas.runtime.blocks import Budget


def refine(params: "Refine3dParams", context: Context) -> None:
    """Everything after the door."""
    from verglas.methods.refine import loop

    inputs = open_inputs(params, context.project)
    plan = make_plan(params, inputs.box, inputs.pixel_size, context.resources.seed)
    particles = replace(inputs.particles, half=loop.assign_halves(inputs.particles.half, plan))
    inputs = replace(inputs, particles=particles)
    teller = Teller(context, particles)
    source = make_source(inputs, plan, make_budget(context), teller)
    origin = particles.poses.origin if params.keep_offsets else None
    state = loop.start(source, np.array(inputs.reference.data), inputs.pixel_size, plan, origin)
    write_iteration(context.output, state, particles, plan)
    for step in loop.steps(state, source, plan):
        state = step.state
        if state.finished:
            write_final(context.output, state, particles, plan)
        else:
            write_iteration(context.output, state, particles, plan)
        teller.tell(step)
        if not state.finished:
            context.stop_if_asked()
    teller.close(state)


def make_source(inputs: Inputs, plan: "Plan", memory: "Budget", teller: Teller) -> "Source":
    """Images, detector curves and mask as the method reads them."""
    from verglas.methods.refine import source

    reader = StackReader(inputs.particles, inputs.root)
    mask = None if inputs.mask is None else np.array(inputs.mask.data)
    grid = (inputs.box, inputs.pixel_size)
    made = source.make_source(inputs.particles, reader.read, grid, plan.diameter, memory, mask=mask)
    return replace(made, progress=teller.progress)


def make_budget(context: Context) -> "Budget":
    """Block sizes; fixed when runs must agree bit for bit, since sums are taken block by block."""
    from verglas.runtime.blocks import budget

    resources = context.resources
    if resources.deterministic and resources.memory_gb is None:
        return budget(4.0)
    return budget(resources.memory_gb)
