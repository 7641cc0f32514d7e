"""Gold-standard refinement as a generator of states: `start`, then `step` until it has converged (RELION's auto-refine, in its order)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from verglas.core import filters, projection, reconstruct
from verglas.core.rotations import euler_to_matrix, mean_axis_distance
from verglas.core.sampling import next_perturbation, orientation_grid
from verglas.core.symmetry import operators
from verglas.methods.refine import accuracy, converge, maximise
from verglas.methods.refine.expect import Setting, Task, belief_of, expect
from verglas.methods.refine.images import contrast, geometry
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.search import Correlation, Gaussian
from verglas.methods.refine.source import Source, initial_noise
from verglas.methods.refine.state import Alignment, Changes, Model, Sampling, Schedule, State
from verglas.methods.refine.tally import Tally, pool
from verglas.runtime.resources import release_memory
from verglas.runtime.stopwatch import Stopwatch

FIRST_OFFSET_VARIANCE = 100.0
"""Å^2: variance of the origins per axis that the first iteration assumes."""


def generator(plan: Plan, iteration: int) -> torch.Generator:
    """Random numbers that depend on the seed and the iteration only, so that a continued run draws the same."""
    return torch.Generator().manual_seed(plan.seed * 100_003 + iteration)


def assign_halves(half: np.ndarray, plan: Plan) -> np.ndarray:
    """1 or 2 for every particle: as given when all are given, else at random, equally many."""
    if bool((half > 0).all()):
        return half
    order = torch.randperm(len(half), generator=generator(plan, 0)).numpy()
    out = np.empty(len(half), dtype=half.dtype)
    out[order] = 1 + np.arange(len(half)) % 2
    return out


def start(source: Source, reference: np.ndarray, pixel: float, plan: Plan, origin: np.ndarray | None = None) -> State:
    """The state before the first iteration. `reference` (B, B, B) at the model's pixel size; `origin` (N, 2) Å to search around."""
    n, box = len(source.particles), reference.shape[0]
    volume = filters.lowpass(torch.from_numpy(reference), pixel, plan.initial_lowpass).numpy()
    sigma2 = initial_noise(source, box, generator(plan, 0))
    grid = orientation_grid(plan.healpix_order, plan.symmetry)
    shells = box // 2 + 1
    model = Model(
        volume, sigma2, np.zeros(shells), np.zeros(shells), np.zeros(shells), np.ones(len(source.particles.group_names)),
        np.full(grid.direction_count, 1.0 / grid.direction_count), FIRST_OFFSET_VARIANCE, 1.0, 0.0, 0.0,
    )
    zeros = np.zeros(n)
    home = np.zeros((n, 2)) if origin is None else origin
    alignment = Alignment(np.zeros((n, 3)), home, np.ones(n), zeros, np.zeros(n, np.int64), zeros)
    sampling = Sampling(plan.healpix_order, plan.offset_range, 2 * plan.offset_step)
    if plan.healpix_order >= plan.local_from_order:
        sampling = replace(sampling, sigma=2 * converge.fine_angle(plan.healpix_order))
    schedule = converge.start_schedule(box, pixel, plan)
    return State(0, box, pixel, (model, model), alignment, sampling, schedule, np.zeros(shells), home=home)


@dataclass(frozen=True)
class Step:
    """What a step did beyond its state: seconds by stage and the size of the coarse band (px)."""

    state: State
    seconds: dict[str, float]
    coarse_size: int
    particles: int


def steps(state: State, source: Source, plan: Plan) -> Iterator[Step]:
    """Iterations from `state` on, to convergence or `plan.max_iterations`; the last one joins the halves."""
    while not state.finished:
        done = step(state, source, plan)
        yield done
        state = done.state


def step(state: State, source: Source, plan: Plan) -> Step:
    """One iteration: resolution, perturbation, accuracy, sampling, E-step of both halves, M-step."""
    watch = Stopwatch()
    iteration = state.iteration + 1
    random = generator(plan, iteration)
    last = converge.is_converged(state.schedule) or (0 < plan.max_iterations <= iteration)
    first_correlation = iteration == 1 and not plan.absolute_greyscale
    pmax = min(m.average_pmax for m in state.models)
    size = state.box if last else converge.image_size(state.schedule, state.box, pmax)
    schedule = replace(state.schedule, current_size=size, converged=last)
    perturbation = next_perturbation(state.sampling.perturbation, random)
    if not first_correlation and iteration > 1:
        with watch("accuracy"):
            schedule = _estimate_accuracy(state, schedule, source, plan, random)
    sampling = replace(state.sampling, perturbation=perturbation)
    if iteration > 1 and not last:
        schedule, sampling = converge.refine_sampling(schedule, sampling, plan, state.pixel_size)
    rule = Correlation() if first_correlation else Gaussian(plan.adaptive_fraction)
    grid = orientation_grid(sampling.order, plan.symmetry)
    setting = Setting(plan, sampling, grid, size // 2, state.box, state.pixel_size, rule)
    tallies, poses, volume = [], state.alignment, 4.0 * (plan.padding * size) ** 3
    for half in (0, 1):
        release_memory(volume)
        task = Task(np.flatnonzero(source.particles.half == half + 1), state.alignment, state.home)
        tally, new = expect(belief_of(state.models[half]), task, source, setting, watch)
        tallies.append(tally)
        poses = _merge(poses, new, source.particles.half == half + 1)
    release_memory(volume)
    with watch("solve"):
        for tally in tallies:
            if tally.particles:
                reconstruct.complete(tally.sums[0], operators(plan.symmetry))
    with watch("wait"):
        poses = pool(tallies, poses, np.arange(len(source.particles)), source.share)
    with watch("solve"):
        after = _maximise(replace(state, sampling=sampling, schedule=schedule, alignment=poses), tallies, source, plan, random)
        after = _close(after, state, source, plan, iteration)
    coarse = converge.coarse_size(grid.step, plan.diameter, setting.extent, size)
    return Step(after, dict(watch.seconds), coarse, len(source.particles))


def _merge(old: Alignment, new: Alignment, rows: np.ndarray) -> Alignment:
    """`new` where rows is true."""
    shape = {2: rows[:, None], 1: rows}
    return Alignment(**{k: np.where(shape[v.ndim], getattr(new, k), v) for k, v in vars(old).items()})


def _estimate_accuracy(state: State, schedule: Schedule, source: Source, plan: Plan, random: torch.Generator) -> Schedule:
    """Expected errors from the first half's model and the first particles of the half."""
    model = state.models[0]
    rows = np.flatnonzero(source.particles.half == 1)[: accuracy.PARTICLES]
    group = int(source.particles.optics_index[rows[0]])
    rows = rows[source.particles.optics_index[rows] == group]
    shells = schedule.current_size // 2
    geo = geometry(source.particles.optics[group], state.box, state.pixel_size, shells)
    reference = projection.prepare_reference(torch.from_numpy(model.map), plan.padding, shells)
    c = contrast(geo, source.particles.take(rows), model.scale, plan.ctf)
    power = c * c / torch.from_numpy(model.sigma2[group]).float()[geo.band.shell]
    power[:, 0] = 0
    angles = torch.from_numpy(state.alignment.angles[rows])
    angle, offset = accuracy.expected_errors(reference, angles, power, geo, random, group=source.share.group)
    return replace(schedule, accuracy_angle=angle, accuracy_offset=offset)


def _maximise(state: State, tallies: list[Tally], source: Source, plan: Plan, random: torch.Generator) -> State:
    """Joining, FSC, new maps and model parameters. `state` carries this iteration's sampling, schedule and poses.

    What is made of one half alone is made by one process.
    """
    group, extent, last = source.share.group, state.box * state.pixel_size, state.schedule.converged
    join_shell = int(np.ceil(extent / max(plan.join, state.resolution))) if plan.join > 0 else 0
    halves = (tallies[0].sums[0], tallies[1].sums[0])
    unfiltered = group.divide(2, lambda h: reconstruct.solve(halves[h]).numpy()) if last else None
    if join_shell > 0:
        reconstruct.join_low_resolution(*halves, join_shell)
    mask = None if source.mask is None else torch.from_numpy(source.mask)
    if plan.solvent_corrected and mask is not None:
        fsc = maximise.solvent_corrected_fsc(halves, mask, random, group)
    else:
        thin = group.divide(2, lambda h: reconstruct.downsample(halves[h]))
        fsc = reconstruct.correlation(thin[0], thin[1], halves[0].shells, state.box).numpy()
    schedule = converge.watch_fsc(state.schedule, fsc)
    norm, models = state.alignment.norm, []
    if last:
        reconstruct.add(*halves)
    solved = group.divide(1 if last else 2, lambda h: maximise.solve(halves[h], fsc, averaged=last))
    keep_noise = state.iteration == 0 and not plan.absolute_greyscale
    for h in (0, 1):
        one = solved[0 if last else h]
        rows = np.flatnonzero(source.particles.half == h + 1)
        members = np.bincount(source.particles.group[rows], minlength=len(source.particles.group_names))
        model = maximise.update_model(state.models[h], tallies[h], plan, members, keep_noise)
        if plan.correct_norm and not keep_noise:
            norm, average = maximise.update_norms(norm, model.average_norm, tallies[h].residual, rows)
            model = replace(model, average_norm=average)
        volume = one.map if last else maximise.flatten_solvent(one.map, plan, state.pixel_size, mask)
        if keep_noise:
            volume = filters.lowpass(volume, state.pixel_size, plan.initial_lowpass)
        models.append(replace(model, map=volume.numpy(), tau2=one.tau2, ssnr=one.ssnr, sigma2_reference=one.sigma2))
    models[1] = replace(models[1], ssnr=models[0].ssnr)
    return replace(
        state, models=(models[0], models[1]), schedule=schedule, fsc=fsc, alignment=replace(state.alignment, norm=norm),
        average=solved[0].map.numpy() if last else None, unfiltered=(unfiltered[0], unfiltered[1]) if unfiltered else None,
    )


def _close(after: State, before: State, source: Source, plan: Plan, iteration: int) -> State:
    """Resolution and pose changes of the iteration."""
    if iteration == 1 and not plan.absolute_greyscale:
        shell = int(after.box * after.pixel_size / plan.initial_lowpass + 0.5)
    elif after.average is not None:
        shell = converge.resolution_shell_of(after.models[0].ssnr)  # the resolution that is told in the end rests on no lone shell
    else:
        shell = converge.resolution_shell(after.models[0].ssnr)
    a, b = (euler_to_matrix(torch.from_numpy(s.alignment.angles)) for s in (after, before))
    angle = float(mean_axis_distance(a, b, operators(plan.symmetry)).mean())
    offset = float(np.sqrt(((after.alignment.origin - before.alignment.origin) ** 2).sum() / (2 * len(a))))
    schedule = converge.watch_resolution(after.schedule, shell)
    schedule = converge.watch_changes(schedule, after.sampling, Changes(angle, offset))
    return replace(after, iteration=iteration, schedule=source.share.group.tell(schedule))
