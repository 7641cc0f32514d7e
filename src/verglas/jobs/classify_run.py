"""The run of class2d, class3d and initialmodel: iterations with files, events and a report; exact resume."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verglas.jobs import refine3d_state as states
from verglas.jobs.classify_door import ClassInputs
from verglas.jobs.classify_files import class_resolution, write_iteration
from verglas.jobs.refine3d_run import kept_budget, make_budget, make_source
from verglas.jobs.refine3d_tell import Teller
from verglas.jobs.spec import Context
from verglas.runtime.blocks import Budget
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.classify.loop import Step
    from verglas.methods.classify.plan import ClassPlan
    from verglas.methods.classify.state import ClassState
    from verglas.methods.refine.source import Source

GRADIENT_WRITES = 10
"""Iterations of VDAM between two sets of tables and maps; the exact state is kept of every one."""


MOST_IN_FLOW = 20
"""Classes whose exchange of particles goes into the event log; of more the report counts it from the tables."""


@dataclass(frozen=True)
class Saved:
    """What a run goes on from; `memory`: the blocks that sums were taken in."""

    state: "ClassState"
    memory: Budget


def classify(inputs: ClassInputs, plan: "ClassPlan", context: Context, keep_offsets: bool) -> "ClassState":
    """All iterations; the last state."""
    from verglas.methods.classify import loop

    particles = inputs.images.particles
    earlier = restore(context)
    memory = make_budget(context) if earlier is None else kept_budget(context, earlier)
    teller = ClassTeller(context, particles)
    with teller.heard():
        source = make_source(inputs.images, inputs.mask, plan.search, memory, teller, np.arange(len(particles)) % 2)
        state = begin(inputs, plan, source, keep_offsets) if earlier is None else earlier.state
        teller.begin_class(state, plan, len(particles))
        for step in loop.steps(state, source, plan):
            state = step.state
            keep(context, state, source, plan)
            teller.tell_class(step)
            if not state.finished:
                context.stop_if_asked()
                teller.begin_class(state, plan, len(particles))
        finish(teller, state)
    return state


def keep(context: Context, state: "ClassState", source: "Source", plan: "ClassPlan") -> None:
    """The exact state of an iteration and, when they are due, its tables and maps."""
    if not context.group.leads:
        return
    states.save(context.output, Saved(state, source.budget))
    if due(state, plan):
        write_iteration(context.output, state, source.particles, plan)
    states.forget(context.output, state.iteration)


def begin(inputs: ClassInputs, plan: "ClassPlan", source: "Source", keep_offsets: bool) -> "ClassState":
    """The state before the first iteration: from the references given, or made from the particles."""
    from verglas.methods.classify import initial, loop
    from verglas.methods.refine.loop import generator

    box, pixel = inputs.images.box, inputs.images.pixel_size
    poses = inputs.images.particles.poses
    if inputs.references:
        given = np.stack([np.array(m.data) for m in inputs.references])
        references = initial.from_map(given[0] if len(given) == 1 else given, pixel, plan)
    else:
        references = initial.from_particles(source, box, pixel, plan, generator(plan.search, 0))
    origin = poses.origin if keep_offsets or not plan.align else np.zeros_like(poses.origin)
    return loop.start(source, references, pixel, plan, origin, poses.angles if plan.sigma > 0 or not plan.align else None)


def due(state: "ClassState", plan: "ClassPlan") -> bool:
    """Whether the tables and maps of this iteration are written."""
    from verglas.methods.classify.plan import Em

    return state.finished or isinstance(plan.algorithm, Em) or state.iteration % GRADIENT_WRITES == 0


def restore(context: Context) -> Saved | None:
    """The newest state of an interrupted run, when continuing."""
    if not context.continuing:
        return None
    if context.group.leads:
        states.clean(context.output)
    numbers = sorted(int(path.name[6:9]) for path in context.output.glob("run_it[0-9][0-9][0-9]_state.npz"))
    if not numbers:
        return None
    context.log(f"going on after iteration {numbers[-1]}")
    saved: Saved = states.load_as(Saved, context.output, numbers[-1])
    return saved


def finish(teller: "ClassTeller", state: "ClassState") -> None:
    """What is doubtful, and the last page of the report."""
    share = state.model.shares
    if len(share) > 1 and share.max() > 0.8:
        teller.context.warn(f"{100 * share.max():.0f} % of the particles are in one class", in_report=False)
    teller.end("finished")


class ClassTeller(Teller):
    """Progress, a line and an event of every iteration of a classification."""

    def begin_class(self, state: "ClassState", plan: "ClassPlan", particles: int) -> None:
        """The next particles belong to the iteration after `state`."""
        from verglas.methods.classify.plan import subset_size

        self.total = subset_size(plan, state.iteration + 1, particles)
        self.begin(state.iteration + 1)

    def tell_class(self, step: "Step") -> None:
        """After an iteration whose state is on disk."""
        state, now = step.state, step.state.progress
        angle, offset = (float(np.min(column)) for column in state.model.accuracy.T)
        numbers: dict[str, object] = {
            "iteration": state.iteration, "resolution_A": state.resolution, "current_size": state.current_size, "coarse_size": step.coarse_size,
            "healpix_order": state.sampling.order, "angular_step_deg": step.angular_step / DEGREE, "offset_range_A": state.sampling.offset_range,
            "offset_step_A": state.sampling.offset_step / 2, "ave_pmax": state.model.average_pmax,
            "effective_poses": float(np.median(1 / np.maximum(state.alignment.pmax[state.seen], 1e-6))),
            "significant": float(state.alignment.significant[state.seen].mean()), "change_angles_deg": min(now.angles / DEGREE, 999.0),
            "change_offsets_A": now.offsets, "class_sizes": [round(float(x), 5) for x in state.model.shares],
            "class_resolution_A": [round(float(min(x, 999.0)), 2) for x in class_resolution(state)], "subset": now.subset,
            "step_size": now.step_size, "tau": now.tau, "seconds": {name: round(value, 3) for name, value in step.seconds.items()},
        }
        if step.flow.any():
            numbers["change_classes"] = now.switched
        if step.flow.any() and len(step.flow) <= MOST_IN_FLOW:
            numbers["class_flow"] = step.flow.tolist()
        if np.isfinite(angle):
            numbers |= {"accuracy_rot_deg": angle / DEGREE, "accuracy_trans_A": offset}
        self.context.event("iteration", **numbers)
        used = int((state.model.shares > 0.1 / len(state.model.shares)).sum())
        self.context.log(
            f"iteration {state.iteration}: {state.resolution:.2f} Å, {now.subset} particles, band {state.current_size} px, "
            f"Pmax {state.model.average_pmax:.2f}, {used} classes in use, {100 * now.switched:.0f} % switched, {sum(step.seconds.values()):.1f} s")
        self.show()

