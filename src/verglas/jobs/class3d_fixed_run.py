"""The run of class3d-fixed: from the inputs to the last full iteration, with files, an event and a report after each one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.image_source import ImageSource
from verglas.io.mrc import read_map, write_map
from verglas.jobs import class3d_fixed_files as files
from verglas.jobs.class3d_fixed_files import Output
from verglas.jobs.class3d_fixed_input import Inputs, make_grid, make_plan, open_inputs
from verglas.jobs.class3d_fixed_tables import class_resolutions
from verglas.jobs.class3d_fixed_tell import Teller
from verglas.jobs.refine3d_run import FIXED_MEMORY_GB
from verglas.jobs.spec import Context, Stopped
from verglas.types import Map

if TYPE_CHECKING:
    from verglas.jobs.class3d_fixed import Class3dFixedParams
    from verglas.methods.fixedposes.loop import State, Step, Task
    from verglas.methods.fixedposes.model import Model
    from verglas.methods.fixedposes.plan import Plan
    from verglas.methods.fixedposes.start import Masks


def classify(params: "Class3dFixedParams", context: Context) -> None:
    """Everything after the door."""
    from verglas.methods.fixedposes import loop
    from verglas.methods.fixedposes.start import consensus

    inputs = open_inputs(params)
    plan = make_plan(params, inputs, context.resources.seed)
    grid = make_grid(plan, inputs)
    out = Output(context.output, inputs.particles, plan, inputs.box, inputs.pixel_size, grid.pixel)
    earlier = restore(context)
    half = halves(inputs.particles.half, plan.seed) if earlier is None else earlier[1]
    out = replace(out, particles=replace(inputs.particles, half=half + 1))
    teller = Teller(context, len(inputs.particles), plan)
    with teller.heard():
        task = make_task(inputs, plan, context, half, teller)
        state = None if earlier is None else earlier[0]
        model = consensus(task.images, task.masks, half, plan, inputs.scale) if state is None else state.model
        if params.mask == "auto":
            task = narrowed(task, model, out, context)
        if state is None:
            model = replace(model, consensus=model.consensus * task.masks.solvent.numpy())
            model = loop.start(task, model, teller.batch)
        iterate(task, loop.steps(task, model, state), out, teller)


def iterate(task: "Task", steps: "Iterator[Step]", out: Output, teller: Teller) -> None:
    """Full iterations; after each one files, event, log line. A request to stop makes the last finished iteration the result."""
    last: Step | None = None
    stopped = False
    try:
        for step in steps:
            last = step
            if teller.context.group.leads:
                keep(out, step, task.half)
            teller.tell(step, class_resolutions(out, step.state))
            teller.context.stop_if_asked()
    except Stopped:
        if last is None:
            raise
        stopped = not last.converged
    assert last is not None
    if teller.context.group.leads:
        files.write_all(out, last, "run")
    teller.close(last, np.asarray(task.masks.focus.numpy()), task.images.grid.first, stopped)


def keep(out: Output, step: "Step", half: np.ndarray) -> None:
    """The files of a full iteration: the state first, the model last."""
    files.save_state(out.folder, step.state, half, step.converged)
    files.write_all(out, step, files.root_name(step.state.iteration))


def halves(given: np.ndarray, seed: int) -> np.ndarray:
    """(N,) 0 or 1: the half sets of the file when every particle has one, else drawn at random, equally many."""
    if bool((given > 0).all()) and len(np.unique(given)) == 2:
        return given - 1
    return np.random.default_rng([seed, len(given)]).permutation(len(given)) % 2


def restore(context: Context) -> "tuple[State, np.ndarray] | None":
    """The state of an earlier run, when continuing."""
    number = files.newest(context.output) if context.continuing else None
    if number is None:
        return None
    context.log(f"going on after iteration {number}")
    return files.load_state(context.output, number)


def make_task(inputs: Inputs, plan: "Plan", context: Context, half: np.ndarray, teller: Teller) -> "Task":
    """Images and masks as the method reads them."""
    from verglas.methods.fixedposes.images import Images
    from verglas.methods.fixedposes.loop import Task
    from verglas.runtime.blocks import budget
    from verglas.runtime.share import deal

    resources = context.resources
    fixed = resources.deterministic and resources.memory_gb is None
    memory = budget(FIXED_MEMORY_GB if fixed else resources.memory_gb, context.group.local_size)
    reader = ImageSource(inputs.particles, inputs.root)
    share = deal(context.group, np.zeros(len(half)), inputs.particles.optics_index)
    images = Images(inputs.particles, reader.read, make_grid(plan, inputs), plan.diameter, memory, plan.ctf, inputs.mtf, teller.progress, share)
    return Task(images, make_masks(inputs, plan, images.grid.box, images.grid.pixel), half, plan)


def narrowed(task: "Task", model: "Model", out: Output, context: Context) -> "Task":
    """With the solvent mask made from the map of all particles, which is also written as mask.mrc; kept when the job goes on."""
    import torch

    from verglas.core.resample import resize_map
    from verglas.methods.fixedposes.start import Masks, masks_of

    path = out.folder / "mask.mrc"
    if context.group.tell(path.exists()):
        solvent = resize_map(torch.from_numpy(np.array(read_map(path).data)), task.images.grid.box).clamp(0.0, 1.0)
        return replace(task, masks=Masks(solvent, task.masks.focus * solvent))
    masks = masks_of(model, task.masks, out.coarse)
    if context.group.leads:
        write_map(path, Map(np.ascontiguousarray(resize_map(masks.solvent, out.box).clamp(0.0, 1.0).numpy()), out.pixel))
    return replace(task, masks=masks)


def make_masks(inputs: Inputs, plan: "Plan", box: int, pixel: float) -> "Masks":
    """On the grid of the model; without a solvent mask a sphere of the particle's diameter."""
    import torch

    from verglas.core.mask import soft_sphere
    from verglas.core.resample import resize_map
    from verglas.methods.fixedposes.start import Masks
    from verglas.methods.refine.plan import MASK_EDGE_PX

    solvent = soft_sphere(box, plan.diameter / (2 * pixel), MASK_EDGE_PX * inputs.pixel_size / pixel)
    given = [None if one is None else resize_map(torch.from_numpy(np.array(one.data)), box).clamp(0.0, 1.0) for one in (inputs.mask, inputs.focus)]
    if given[0] is not None:
        solvent = given[0]
    return Masks(solvent, solvent if given[1] is None else given[1] * solvent)
