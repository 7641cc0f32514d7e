"""What a refinement says while it runs: progress, one line and one event per iteration, and the report."""

from typing import TYPE_CHECKING

import numpy as np

from verglas.jobs.refine3d_remarks import accuracy_remarks, fsc_remarks, limit_remarks, offset_remarks
from verglas.jobs.spec import Context
from verglas.jobs.tell import Reporter
from verglas.types import Particles
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.refine.loop import Step
    from verglas.methods.refine.state import State


class Teller(Reporter):
    """Knows how far the current iteration is."""

    def __init__(self, context: Context, particles: Particles) -> None:
        super().__init__(context, len(particles))
        self.iteration = 1

    def begin(self, iteration: int) -> None:
        """The next particles belong to `iteration`."""
        self.done, self.iteration = 0, iteration

    def progress(self, count: int) -> None:
        """`count` more particles of the iteration are done."""
        self.done += count * self.context.group.size
        self.context.progress.advance(min(self.done, self.total), self.total, f"iteration {self.iteration}")

    def tell(self, step: "Step") -> None:
        """After an iteration whose files are on disk."""
        numbers = iteration_numbers(step)
        self.context.event("iteration", **numbers)
        self.context.log(iteration_line(step, numbers))
        self.show()
        self.begin(step.state.iteration + 1)

    def close(self, state: "State", limit: int) -> None:
        """What is doubtful, then the last page of the report; `limit` on iterations, 0 for none."""
        for text in accuracy_remarks(state):
            self.context.warn(text)
        for text in (*fsc_remarks(state.fsc, state.pixel_size), *offset_remarks(state), *limit_remarks(state, limit)):
            self.context.warn(text, in_report=False)
        self.end("finished")


def iteration_numbers(step: "Step") -> dict[str, object]:
    """The event of an iteration; units are in the names."""
    from verglas.methods.refine.converge import fine_angle

    state, schedule, sampling = step.state, step.state.schedule, step.state.sampling
    alignment, models = state.alignment, state.models
    return {
        "iteration": state.iteration, "resolution_A": state.resolution, "current_size": schedule.current_size,
        "coarse_size": step.coarse_size, "healpix_order": sampling.order,
        "angular_step_deg": fine_angle(sampling.order) / DEGREE, "offset_range_A": sampling.offset_range,
        "offset_step_A": sampling.offset_step / 2, **accuracies(state),
        "ave_pmax": float(np.mean([model.average_pmax for model in models])),
        "effective_poses": float(np.median(1.0 / np.maximum(alignment.pmax, 1e-6))),
        "significant": float(alignment.significant.mean()),
        "change_angles_deg": schedule.last.angles / DEGREE, "change_offsets_A": schedule.last.offsets,
        "particles": step.particles, "seconds": {name: round(value, 3) for name, value in step.seconds.items()},
        "fsc": [round(float(value), 4) for value in state.fsc],
    }


def accuracies(state: "State") -> dict[str, float]:
    """Estimated errors, absent before the first estimate."""
    from verglas.methods.refine.state import NEVER

    schedule = state.schedule
    if schedule.accuracy_angle >= NEVER:
        return {}
    return {"accuracy_rot_deg": schedule.accuracy_angle / DEGREE, "accuracy_trans_A": schedule.accuracy_offset}


def iteration_line(step: "Step", numbers: dict[str, object]) -> str:
    """One line in plain words."""
    state = step.state
    kind = "last iteration, halves joined" if state.finished else f"iteration {state.iteration}"
    search = "local" if state.sampling.sigma > 0 else "global"
    accuracy = ""
    if "accuracy_rot_deg" in numbers:
        accuracy = f"accuracy {numbers['accuracy_rot_deg']:.2f} degrees and {numbers['accuracy_trans_A']:.2f} Å, "
    return (
        f"{kind}: {state.resolution:.2f} Å, {search} search in steps of {numbers['angular_step_deg']:.2g} degrees and "
        f"{numbers['offset_step_A']:.2g} Å, band {state.schedule.current_size} px, {accuracy}"
        f"Pmax {numbers['ave_pmax']:.2f}, {sum(step.seconds.values()):.1f} s"
    )
