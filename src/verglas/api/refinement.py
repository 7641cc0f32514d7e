"""A refinement driven from Python, iteration by iteration."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from verglas.types import Map, Particles, Poses

if TYPE_CHECKING:
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.source import Source
    from verglas.methods.refine.state import State


class RefineOptions(TypedDict, total=False):
    """The options of `verglas refine3d`, with the same names, units and defaults (see `verglas refine3d --help`)."""

    mask: str | Path | None
    symmetry: str
    mask_diameter: float | None
    initial_lowpass: float
    absolute_greyscale: bool
    healpix_order: int
    local_from_order: int
    offset_range: float
    offset_step: float
    solvent_corrected_fsc: bool
    low_resolution_join: float
    max_iterations: int
    keep_offsets: bool
    padding: float
    intact_first_peak: bool
    norm_correction: bool
    scale_correction: bool
    skip_image_checks: bool


@dataclass(frozen=True)
class Iteration:
    """What is known after an iteration; `state` holds everything (models, alignment, schedule)."""

    state: "State"
    input: Particles
    seconds: dict[str, float]

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self.state.iteration

    @property
    def fsc(self) -> np.ndarray:
        """(S,) between the two half maps, by shell 0 .. box/2."""
        return self.state.fsc

    @property
    def resolution(self) -> float:
        """Å."""
        return self.state.resolution

    @property
    def finished(self) -> bool:
        """True for the last iteration, in which the halves are joined."""
        return self.state.finished

    @property
    def halves(self) -> tuple[Map, Map]:
        """The half maps: unfiltered ones in the last iteration, else those the next iteration starts from."""
        first, second = self.state.unfiltered or tuple(model.map for model in self.state.models)
        return Map(first, self.state.pixel_size), Map(second, self.state.pixel_size)

    @property
    def map(self) -> Map:
        """The refined map of the last iteration; before it the mean of the half maps."""
        joined = self.state.average
        if joined is None:
            joined = (self.state.models[0].map + self.state.models[1].map) / 2
        return Map(joined, self.state.pixel_size)

    @property
    def particles(self) -> Particles:
        """The particles with their present poses."""
        now = self.state.alignment
        return replace(self.input, poses=Poses(now.angles, now.origin), norm=now.norm)


@dataclass(frozen=True)
class Refinement:
    """Ready to go: `for now in refinement.steps(): now.fsc, now.map`, or `refinement.run().map`. Writes no files."""

    start: "State"
    source: "Source"
    plan: "Plan"

    def steps(self) -> Iterator[Iteration]:
        """One iteration after the other until it has converged; stop whenever you like."""
        from verglas.methods.refine import loop

        for step in loop.steps(self.start, self.source, self.plan):
            yield Iteration(step.state, self.source.particles, step.seconds)

    def run(self) -> Iteration:
        """All iterations; the last one."""
        return deque(self.steps(), maxlen=1).pop()


def refine3d(
    particles: str | Path, reference: str | Path, *, seed: int = 0, memory_gb: float | None = None,
    progress: Callable[[int], None] | None = None, **options: Unpack[RefineOptions],
) -> Refinement:
    """A gold-standard refinement of the particles in a STAR file against a starting map (MRC).

    `progress(n)` is called when n more particles of an iteration are done. The command `verglas refine3d` does the
    same and also writes RELION's files and a report.
    """
    from verglas.io.image_source import ImageSource
    from verglas.jobs.common import parse
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.jobs.refine3d_input import make_plan, open_inputs
    from verglas.methods.refine import loop, source
    from verglas.runtime.blocks import budget

    params = parse(Refine3dParams, {"particles": particles, "reference": reference, **options})
    inputs = open_inputs(params)
    plan = make_plan(params, inputs.box, inputs.pixel_size, seed)
    table = replace(inputs.particles, half=loop.assign_halves(inputs.particles.half, plan))
    made = source.make_source(
        table, ImageSource(table, inputs.root).read, (inputs.box, inputs.pixel_size), plan.diameter, budget(memory_gb),
        inputs.mtf, None if inputs.mask is None else np.array(inputs.mask.data),
    )
    if progress is not None:
        made = replace(made, progress=progress)
    origin = table.poses.origin if params.keep_offsets else None
    state = loop.start(made, np.array(inputs.reference.data), inputs.pixel_size, plan, origin)
    return Refinement(state, made, plan)
