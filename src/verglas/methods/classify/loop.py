"""The iterations of a classification: mini-batch or all particles, E-step, M-step, resolution."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch

from verglas.core import projection
from verglas.core.rotations import euler_to_matrix, mean_axis_distance
from verglas.core.sampling import next_perturbation
from verglas.core.symmetry import operators
from verglas.methods.classify import crossed, maximise
from verglas.methods.classify.plan import LAST_ORDER, ClassPlan, Em, Vdam, most_significant, step_size, subset_size, tau_of
from verglas.methods.classify.state import Classes, ClassState, Progress, Sides
from verglas.methods.fixedposes.measure import class_flow
from verglas.methods.refine import accuracy, converge
from verglas.methods.refine.expect import Belief, Setting, Task, expect
from verglas.methods.refine.images import contrast, geometry
from verglas.methods.refine.kept import expect_kept
from verglas.methods.refine.loop import FIRST_OFFSET_VARIANCE, generator
from verglas.methods.refine.maximise import update_norms
from verglas.methods.refine.search import Correlation, Gaussian
from verglas.methods.refine.source import Source, initial_noise
from verglas.methods.refine.state import Alignment, Sampling
from verglas.methods.refine.tally import Tally, pool
from verglas.runtime.resources import release_memory
from verglas.runtime.stopwatch import Stopwatch

MEMORY = 0.9
"""Of noise, priors, scales and offsets in a mini-batch iteration."""
GROWTH = 10
"""Shells beyond the resolution that the next iteration looks at."""
EVERY = 10
"""Iterations of VDAM between two estimates of the accuracy."""


@dataclass(frozen=True)
class Step:
    """What an iteration did beyond its state: seconds by stage, size of the coarse band (px), fine angular step (rad).

    flow (K, K): particles of the iteration that had a class before, from the class of the row to that of the column.
    """

    state: ClassState
    seconds: dict[str, float]
    coarse_size: int
    angular_step: float
    flow: np.ndarray


def start(source: Source, references: np.ndarray, pixel: float, plan: ClassPlan, origin: np.ndarray, angles: np.ndarray | None = None) -> ClassState:
    """The state before the first iteration. references (K, B, B, B) or (K, 1, B, B); origin (N, 2) Å and angles (N, 3) rad to begin with."""
    n, count, box = len(source.particles), len(references), references.shape[-1]
    shells, directions = box // 2 + 1, plan.grid(plan.search.healpix_order).direction_count
    sigma2 = initial_noise(source, box, generator(plan.search, 0))
    zeros = np.zeros((count, shells))
    model = Classes(
        references.astype(np.float32), zeros, zeros, zeros, np.full((count, directions), 1.0 / (count * directions)), sigma2,
        np.ones(len(source.particles.group_names)), FIRST_OFFSET_VARIANCE, 1.0, 0.0, 0.0, np.full((count, 2), np.inf),
    )
    nothing = np.zeros(n)
    angles = np.zeros((n, 3)) if angles is None else angles
    alignment = Alignment(angles, origin, np.ones(n), nothing, np.zeros(n, np.int64), nothing)
    sampling = Sampling(plan.search.healpix_order, plan.search.offset_range, 2 * plan.search.offset_step, sigma=plan.sigma)
    shell = max(1, int(box * pixel / plan.search.initial_lowpass + 0.5))
    state = ClassState(0, box, pixel, model, alignment, np.zeros(n, np.int64), np.zeros(n, bool), sampling, 0, shell)
    if isinstance(plan.algorithm, Vdam):
        state = replace(state, momentum=maximise.new_momentum(model, box, plan.search.padding))
    return replace(state, current_size=image_size(state, plan))


def image_size(state: ClassState, plan: ClassPlan) -> int:
    """Diameter in px of the next iteration's band: ten shells beyond the resolution, never finer than the limit or the march towards it."""
    side = state.box * state.pixel_size
    most = min(side / plan.limit, state.box / 2) if plan.limit > 0 else state.box / 2
    if plan.march > 0:
        most = min(most, side / plan.march + (most - side / plan.march) * min(1.0, 2 * state.iteration / plan.iterations))
    return min(2 * (state.resolution_shell + GROWTH), max(2 * round(most), 4), state.box)


def steps(state: ClassState, source: Source, plan: ClassPlan) -> Iterator[Step]:
    """Iterations from `state` to the last one of the plan."""
    while not state.finished:
        done = step(state, source, plan)
        yield done
        state = done.state


def step(state: ClassState, source: Source, plan: ClassPlan) -> Step:
    """One iteration."""
    watch, iteration = Stopwatch(), state.iteration + 1
    random = generator(plan.search, iteration)
    n = len(source.particles)
    size = subset_size(plan, iteration, n)
    rows = np.sort(torch.randperm(n, generator=random)[:size].numpy()) if size < n else np.arange(n)
    correlation = iteration == 1 and not plan.search.absolute_greyscale and isinstance(plan.algorithm, Em) and not plan.flat
    state = replace(state, current_size=image_size(state, plan))
    state = _sampled(state, source, plan, random, watch)
    rule = Correlation() if correlation else Gaussian(plan.search.adaptive_fraction, most_significant(plan))
    grid, gradient = plan.grid(state.sampling.order), isinstance(plan.algorithm, Vdam)
    setting = Setting(plan.search, state.sampling, grid, state.current_size // 2, state.box, state.pixel_size, rule, gradient)
    tau = tau_of(plan, iteration)
    release_memory(4.0 * (plan.search.padding * state.current_size) ** 3)
    side = crossed.divide(n, random) if plan.cross else None
    tallies, poses = _expectation(state, rows, source, setting, plan, watch, random, side)
    with watch("wait"):
        poses = pool(tallies, poses, rows, source.share)
    with watch("solve"):
        after, tally = _maximisation(state, tallies, rows, source, plan, (tau, correlation), side)
    known = rows[state.seen[rows]]
    after = _closed(after, state, poses, tally, rows, source, plan, tau)
    flow = class_flow(state.classes[known], after.classes[known], plan.classes)
    coarse = converge.coarse_size(grid.step, plan.search.diameter, setting.extent, state.current_size)
    return Step(after, dict(watch.seconds), coarse, grid.step / 2, flow)


def _sampled(state: ClassState, source: Source, plan: ClassPlan, random: torch.Generator, watch: Stopwatch) -> ClassState:
    """The perturbation of this iteration, accuracies when they are due, and a finer grid when they ask for it.

    A grid is fine enough for a resolution d when its fine step moves the particle's edge, half a diameter D away, by half of d: d / D.
    """
    iteration, sampling = state.iteration + 1, state.sampling
    due = iteration > 1 and (isinstance(plan.algorithm, Em) or iteration % EVERY == 0 or iteration == plan.iterations)
    if due:
        with watch("accuracy"):
            state = replace(state, model=replace(state.model, accuracy=_accuracies(state, source, plan, random)))
    if due and plan.auto_sampling and state.without_gain > 0 and sampling.order < LAST_ORDER:
        angle, shown = float(state.model.accuracy[:, 0].min()), state.resolution / plan.search.diameter
        if converge.fine_angle(sampling.order) >= max(converge.FINE_ENOUGH * angle, shown):
            sampling = replace(sampling, order=sampling.order + 1)
    return replace(state, sampling=replace(sampling, perturbation=next_perturbation(sampling.perturbation, random)))


def _accuracies(state: ClassState, source: Source, plan: ClassPlan, random: torch.Generator) -> np.ndarray:
    """(K, 2) expected errors of angle (rad) and offset (Å) of every class, from some of its particles."""
    out, most = np.full((len(state.model.maps), 2), np.inf), 10 if plan.flat else accuracy.PARTICLES
    for k, volume in enumerate(state.model.maps):
        rows = np.flatnonzero(state.seen & (state.classes == k))[:most]
        if len(rows) == 0:
            continue
        g = int(source.particles.optics_index[rows[0]])
        rows = rows[source.particles.optics_index[rows] == g]
        geo = geometry(source.particles.optics[g], state.box, state.pixel_size, state.current_size // 2)
        reference = projection.prepare_reference(torch.from_numpy(volume), plan.search.padding, state.current_size // 2)
        c = contrast(geo, source.particles.take(rows), state.model.scale, plan.search.ctf)
        power = c * c / torch.from_numpy(state.model.sigma2[g]).float()[geo.band.shell]
        power[:, 0] = 0
        angles = torch.from_numpy(state.alignment.angles[rows])
        out[k] = accuracy.expected_errors(reference, angles, power, geo, random, plan.flat, source.share.group)
    return out


def _belief(model: Classes, which: slice = slice(None)) -> Belief:
    """What the E-step needs of the classes `which`."""
    return Belief(tuple(model.maps[which]), model.prior[which], model.sigma2, model.scale, model.ssnr[which], model.sigma2_offset, model.average_norm)


def _expectation(
    state: ClassState, rows: np.ndarray, source: Source, setting: Setting, plan: ClassPlan, watch: Stopwatch, random: torch.Generator,
    side: np.ndarray | None,
) -> tuple[list[Tally], Alignment]:
    """All rows at once; in VDAM even and odd particles apart; the first time that classes are alike, each in a class drawn at random."""
    look = expect if plan.align else expect_kept
    if isinstance(plan.algorithm, Vdam):
        one, poses = look(_belief(state.model), Task(rows[rows % 2 == 0], state.alignment), source, setting, watch)
        two, poses = look(_belief(state.model), Task(rows[rows % 2 == 1], poses), source, setting, watch)
        return [one, two], poses
    if side is not None and not _alike(state.model) and (state.sides is not None or state.progress.switched < crossed.FORMED):

        def one_look(belief: Belief, task: Task) -> tuple[Tally, Alignment]:
            return look(belief, task, source, setting, watch)

        return crossed.expectation(one_look, state, _belief(state.model), rows, side)
    if not _alike(state.model):
        tally, poses = look(_belief(state.model), Task(rows, state.alignment), source, setting, watch)
        return [tally], poses
    drawn = torch.randint(0, plan.classes, (len(rows),), generator=random).numpy()
    parts, poses = [], state.alignment
    for k in range(plan.classes):
        tally, poses = expect(_belief(state.model, slice(k, k + 1)), Task(rows[drawn == k], poses), source, setting, watch)
        tally.classes[rows[drawn == k]] = k
        parts.append(tally)
    whole = reduce(maximise.merged, parts)
    direction = np.concatenate([part.direction for part in parts])
    return [replace(whole, sums=tuple(part.sums[0] for part in parts), direction=direction)], poses


def _alike(model: Classes) -> bool:
    """More than one class, all of them the same map."""
    return len(model.maps) > 1 and bool((model.maps[1:] == model.maps[:1]).all())


def _maximisation(
    state: ClassState, tallies: list[Tally], rows: np.ndarray, source: Source, plan: ClassPlan, how: tuple[float, bool],
    side: np.ndarray | None,
) -> tuple[ClassState, Tally]:
    """New references and parameters; the numbers of all tallies. `how`: T, whether this was an iteration of correlations. `side`: see `crossed`."""
    tau, correlation = how
    model, momentum, vdam, iteration = state.model, state.momentum, plan.algorithm, state.iteration + 1
    size, step, gone = len(rows), 0.0, -1
    tally = tallies[0] if len(tallies) == 1 else maximise.merged(*tallies)
    if isinstance(vdam, Vdam):
        assert momentum is not None
        step = step_size(plan, vdam, iteration)
        model, momentum = maximise.vdam_maps((tallies[0], tallies[1]), model, momentum, plan, step, tau, source.share.group)
    else:
        model, parts = maximise.em_maps(tallies, model, plan, tau, source.share.group)
        if side is not None and len(tallies) == 2:
            flat = np.stack([maximise.flattened(one, plan, state.pixel_size, source.mask) for one in parts[::-1]])
            state = replace(state, sides=Sides(side, flat.astype(np.float32)))
    keep = MEMORY if size < len(source.particles) and isinstance(vdam, Vdam) else 0.0
    members = np.bincount(source.particles.group[rows], minlength=len(source.particles.group_names))
    model = maximise.shared(model, tally, plan, members, keep, noise=not correlation)
    if isinstance(vdam, Vdam) and momentum is not None and plan.ini < iteration < plan.ini + plan.between:
        pair = maximise.inactive(model, momentum, vdam.inactivity)
        if pair is not None:
            model, momentum = maximise.replaced(model, momentum, *pair)
            gone = pair[0]
    norm = state.alignment.norm
    if plan.search.correct_norm and not correlation:
        norm, average = update_norms(norm, model.average_norm, tally.residual, rows)
        model = replace(model, average_norm=keep * model.average_norm + (1 - keep) * average)
    if plan.flat and plan.centre and plan.align and not (isinstance(vdam, Vdam) and iteration > plan.ini + plan.between):
        model, momentum = maximise.centred(model, momentum, plan, state.pixel_size)
    model = replace(model, maps=maximise.flattened(model.maps, plan, state.pixel_size, source.mask).astype(np.float32))
    progress = Progress(subset=size, step_size=step, tau=tau, replaced=gone)
    return replace(state, model=model, momentum=momentum, alignment=replace(state.alignment, norm=norm), progress=progress), tally


def _closed(
    after: ClassState, before: ClassState, poses: Alignment, tally: Tally, rows: np.ndarray, source: Source, plan: ClassPlan, tau: float
) -> ClassState:
    """Poses, classes, resolution and changes of the iteration."""
    iteration = before.iteration + 1
    shell = source.share.group.tell(max(converge.resolution_shell_of(one) for one in after.model.ssnr))
    known = rows[before.seen[rows]]
    classes, seen = before.classes.copy(), before.seen.copy()
    classes[rows], seen[rows] = tally.classes[rows], True
    progress = after.progress
    if len(known):
        a, b = (euler_to_matrix(torch.from_numpy(s.angles[known])) for s in (poses, before.alignment))
        angle = float(mean_axis_distance(a, b, operators(plan.search.symmetry)).mean())
        moved = poses.origin[known] - before.alignment.origin[known]
        offsets = float(np.sqrt((moved**2).sum() / (2 * len(known))))
        progress = replace(progress, angles=angle, offsets=offsets, switched=float((classes[known] != before.classes[known]).mean()))
    gained = shell > before.resolution_shell
    return replace(
        after, iteration=iteration, alignment=replace(poses, norm=after.alignment.norm), classes=classes, seen=seen, resolution_shell=shell,
        without_gain=0 if gained else before.without_gain + 1, progress=progress, finished=iteration >= plan.iterations,
    )
