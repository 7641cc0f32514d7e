"""What a classification with fixed poses says while it runs and at its end."""

from typing import TYPE_CHECKING

import numpy as np

from verglas.jobs.spec import Context
from verglas.jobs.tell import Reporter
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.fixedposes.loop import Batch, Step
    from verglas.methods.fixedposes.plan import Plan

SCALE_BINS = 40


class Teller(Reporter):
    """Progress, one line and one event per iteration, and the report."""

    def __init__(self, context: Context, total: int, plan: "Plan") -> None:
        super().__init__(context, total)
        self.plan, self.stage = plan, "first maps"

    def progress(self, count: int) -> None:
        """`count` more images have been compared; a single process hears a request to stop also within an iteration."""
        self.done += count * self.context.group.size
        self.context.progress.advance(self.done % max(self.total, 1), self.total, self.stage)
        if self.context.group.size == 1:
            self.context.stop_if_asked()

    def batch(self, batch: "Batch") -> None:
        """After an iteration on a batch."""
        found = batch.numbers
        self.stage, self.done = f"batch {batch.iteration + 1}", 0
        self.context.event(
            "batch", number=batch.iteration, particles=batch.particles, learning_rate=batch.rate, class_similarity=batch.similarity,
            class_sizes=found.sizes.tolist(), ess=found.ess, rms_density_change=found.density, ave_pmax=found.pmax)
        self.context.log(f"batch {batch.iteration} of {batch.total}: {batch.particles} particles, learning rate {batch.rate:.2f}, class similarity "
                         f"{batch.similarity:.2f}, classes {shares(found.sizes)}, ESS {found.ess:.2f}, RMS density change {found.density:.2e}")
        self.context.stop_if_asked()

    def tell(self, step: "Step", resolutions: list[float]) -> None:
        """After a full iteration whose files are on disk."""
        found, number = step.numbers, step.state.iteration
        counts, edges = np.histogram(step.state.model.scale, SCALE_BINS)
        angle, offset = step.accuracy.min(0)
        known = {"accuracy_rot_deg": angle / DEGREE, "accuracy_trans_A": offset} if np.isfinite(angle) else {}
        later = {} if np.isnan(found.kl) else {"kl": found.kl, "change_classes": found.switches, "class_flow": found.flow.tolist()}
        self.context.event(
            "iteration", iteration=number, resolution_A=min(resolutions), class_resolution_A=resolutions, class_sizes=found.sizes.tolist(),
            ess=found.ess, rms_density_change=found.density, ave_pmax=found.pmax, gain=float(step.gain.mean()), particles=self.total,
            scales={"edges": edges.tolist(), "counts": counts.tolist()}, **known, **later)
        switches = "" if np.isnan(found.kl) else f"{100 * found.switches:.2f} % switched, KL {found.kl:.2e}, "
        self.context.log(f"iteration {number}: classes {shares(found.sizes)}, {switches}ESS {found.ess:.3f}, RMS density change {found.density:.2e}, "
                         f"log-likelihood gain {step.gain.mean():.3f} per particle, scales {step.state.model.scale.std():.3f} (standard deviation)")
        self.stage, self.done = f"iteration {number + 1}", 0
        self.show()

    def close(self, step: "Step", focus: np.ndarray, first: int, stopped: bool) -> None:
        """Why it ended, what is doubtful, and the last page of the report; `first`: the first shell that was compared."""
        from verglas.methods.fixedposes.measure import contrasts, information, sameness

        if stopped:
            self.context.warn(f"stopped on request after iteration {step.state.iteration}: its results are those of the job")
        elif not step.converged:
            self.context.warn(f"ended at --max-iterations {self.plan.stop.iterations} with {100 * step.numbers.switches:.1f} % of the particles "
                              "still changing class")
        pairs = contrasts(step.halves, step.state.posterior, focus, first)
        for one in pairs:
            self.context.log(f"classes {one.first + 1} and {one.second + 1}: difference {one.over_noise:.2f} times that of random sets of particles, "
                             f"correlation between half sets {one.correlation:.2f}")
        known = information(step.state.posterior)
        self.context.event("result", classes_over_noise=[one.over_noise for one in pairs], classes_correlation=[one.correlation for one in pairs],
                           information=known, gain=float(step.gain.mean()))
        for text in sameness(pairs, known):
            self.context.warn(text)
        self.end("finished")


def shares(sizes: np.ndarray) -> str:
    """'50.1/30.2/19.7 %'."""
    return "/".join(f"{100 * one:.1f}" for one in sizes) + " %"
