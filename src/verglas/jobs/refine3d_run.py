"""The run of refine3d: from the inputs to the last iteration, with files, events and a report after each one."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.image_source import ImageSource
from verglas.jobs import refine3d_state as states
from verglas.jobs.refine3d_adopt import last_iteration, read_state
from verglas.jobs.refine3d_files import write_final, write_iteration
from verglas.jobs.refine3d_input import ImageInputs, make_plan, open_inputs
from verglas.jobs.refine3d_state import Checkpoint
from verglas.jobs.refine3d_tell import Teller
from verglas.jobs.spec import Context
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.jobs.classify_run import Saved
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.source import Source
    from verglas.methods.refine.state import State
    from verglas.runtime.blocks import Budget

FIXED_MEMORY_GB = 4.0
"""Planned with when runs must agree bit for bit: sums are taken block by block."""


def refine(params: "Refine3dParams", context: Context) -> None:
    """Everything after the door."""
    from verglas.methods.refine import loop

    inputs = open_inputs(params)
    plan = make_plan(params, inputs.box, inputs.pixel_size, context.resources.seed)
    earlier = restore(context, inputs.particles, plan)
    half = loop.assign_halves(inputs.particles.half, plan) if earlier is None else earlier.half
    inputs = replace(inputs, particles=replace(inputs.particles, half=half))
    memory = make_budget(context) if earlier is None else kept_budget(context, earlier)
    teller = Teller(context, inputs.particles)
    with teller.heard():
        source = make_source(inputs, inputs.mask, plan, memory, teller, inputs.particles.half)
        if earlier is None:
            origin = inputs.particles.poses.origin if params.keep_offsets else None
            state = loop.start(source, np.array(inputs.reference.data), inputs.pixel_size, plan, origin)
            keep(context, state, source, plan)
        else:
            state = earlier.state
        teller.close(iterate(state, source, plan, teller), plan.max_iterations)


def iterate(state: "State", source: "Source", plan: "Plan", teller: Teller) -> "State":
    """To the end; after every iteration files, event, log line, and the chance to stop."""
    from verglas.methods.refine import loop

    teller.begin(state.iteration + 1)
    for step in loop.steps(state, source, plan):
        state = step.state
        keep(teller.context, state, source, plan)
        teller.tell(step)
        if not state.finished:
            teller.context.stop_if_asked()
    return state


def keep(context: Context, state: "State", source: "Source", plan: "Plan") -> None:
    """The files of an iteration: the exact state first, RELION's optimiser last."""
    folder = context.output
    if not context.group.leads:
        return
    if state.finished:
        write_final(folder, state, source.particles, plan)
        return
    states.save(folder, Checkpoint(state, source.particles.half, source.budget))
    write_iteration(folder, state, source.particles, plan)
    states.forget(folder, state.iteration)


def restore(context: Context, particles: Particles, plan: "Plan") -> Checkpoint | None:
    """What an interrupted run left, when continuing: its exact state, or what RELION's files hold of one."""
    if not context.continuing:
        return None
    folder = context.output
    if context.group.leads:
        states.clean(folder)
    number = states.newest(folder)
    if number is not None:
        context.log(f"going on after iteration {number}")
        return states.load(folder, number)
    number = last_iteration(folder)
    if number is None:
        return None
    context.log(f"going on after iteration {number}, from RELION's files")
    memory = make_budget(context)
    return Checkpoint(read_state(folder, number, particles, plan), particles.half, memory)


def make_source(inputs: ImageInputs, given: Map | None, plan: "Plan", memory: "Budget", teller: Teller, sets: np.ndarray) -> "Source":
    """Images, detector curves and the mask that was given, as the method reads them; `sets` (N,): particles that are looked at together."""
    from verglas.methods.refine import source
    from verglas.runtime.share import deal

    reader = ImageSource(inputs.particles, inputs.root)
    mask = None if given is None else np.array(given.data)
    grid = (inputs.box, inputs.pixel_size)
    share = deal(teller.context.group, sets, inputs.particles.optics_index)
    made = source.make_source(inputs.particles, reader.read, grid, plan.diameter, memory, inputs.mtf, mask, share, teller.context.resources.device)
    return replace(made, progress=teller.progress)


def make_budget(context: Context) -> "Budget":
    """Block sizes, from the memory the user allows or that is free; all processes choose the leader's kind of products.

    What is fast is found out by a measurement, so runs that must agree do not ask for it (a GPU does not measure).
    """
    from verglas.runtime.blocks import budget

    resources = context.resources
    fixed = resources.deterministic and resources.memory_gb is None
    made = budget(FIXED_MEMORY_GB if fixed else resources.memory_gb, context.group.local_size, resources.device)
    measured = resources.device == "cpu"
    return replace(made, bfloat=context.group.tell(made.bfloat and not (measured and resources.deterministic)))


def kept_budget(context: Context, earlier: "Checkpoint | Saved") -> "Budget":
    """The blocks that earlier sums were taken in; what may be cached depends on how many processes there are now."""
    kept = earlier.memory
    return kept if context.group.size == 1 else replace(kept, cache=make_budget(context).cache)
