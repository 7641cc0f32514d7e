"""The classification as a generator of steps: consensus, starting maps, batches, then full iterations until classes no longer change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from verglas.core.reconstruct import Sums
from verglas.core.symmetry import operators
from verglas.methods.fixedposes.bootstrap import bootstrap
from verglas.methods.fixedposes.expect import Rule, Tally, expect
from verglas.methods.fixedposes.images import Images
from verglas.methods.fixedposes.maximise import Solved, noise_spectra, particle_scales, solve_class
from verglas.methods.fixedposes.measure import Numbers, numbers, pose_accuracy
from verglas.methods.fixedposes.model import Model
from verglas.methods.fixedposes.plan import Plan
from verglas.methods.fixedposes.start import Masks, batches

FEWEST_BATCHES = 8
QUIET = 2
"""Consecutive iterations that must be below the limit of the density change."""


@dataclass(frozen=True)
class State:
    """After `iteration` full iterations: the model, posteriors (N, K), FSC curves (K, S) of the differences and of the class maps."""

    iteration: int
    model: Model
    posterior: np.ndarray
    fsc_difference: np.ndarray
    fsc_map: np.ndarray
    quiet: int = 0


@dataclass(frozen=True)
class Step:
    """A full iteration: `halves` (K, 2, m, m, m) are undamped differences of the half sets, gain (N,) the log-likelihood over that of the
    consensus; accuracy (K, 2) the expected errors of angles (rad) and offsets (Å)."""

    state: State
    numbers: Numbers
    halves: np.ndarray
    gain: np.ndarray
    accuracy: np.ndarray
    converged: bool


@dataclass(frozen=True)
class Batch:
    """An iteration on a batch: its number of `total`, learning rate, similarity, particles and numbers (flow and switches say nothing)."""

    iteration: int
    total: int
    rate: float
    similarity: float
    particles: int
    numbers: Numbers


@dataclass(frozen=True)
class Task:
    """Images, masks, half sets (N,) of 0 and 1, plan."""

    images: Images
    masks: Masks
    half: np.ndarray
    plan: Plan

    @property
    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.plan.seed)


def start(task: Task, model: Model, tell: Callable[[Batch], None] = lambda batch: None) -> Model:
    """Starting maps and the iterations on batches, from the consensus."""
    random = task.generator
    return online(task, bootstrap(task.images, model, task.masks, task.plan, random), random, tell)


def online(task: Task, model: Model, random: torch.Generator, tell: Callable[[Batch], None]) -> Model:
    """Sums <- (1 - eta) sums + eta N / n (sums of n images); the first batch makes the sums."""
    plan, images = task.plan, task.images
    choice, count = plan.online, len(images)
    if choice.epochs <= 0:
        return model
    size = min(max(choice.batch * plan.classes, 1), count)
    total = max(FEWEST_BATCHES, round(choice.epochs * count / size))
    kept: Tally | None = None
    for t, rows in enumerate(islice(batches(np.arange(count), size, random), total)):
        rate = 1.0 if kept is None else choice.rate * 2.0 ** (-t / (choice.half_life * total))
        similarity = choice.similarity * max(0.0, 1.0 - 2.0 * t / total)
        new = expect(images, rows, model, task.half, Rule(plan.hard, similarity), plan.padding, images.grid.shells)
        prior = new.posterior[rows].mean(0, dtype=np.float64)
        kept = mixed(kept, new, rate, count / size)
        old = model.maps
        model = maximise(task, model, copied(kept)).model
        model = replace(model, prior=(1 - rate) * model.prior + rate * prior)
        tell(Batch(t + 1, total, rate, similarity, len(rows), numbers(new.posterior[rows], None, (old, model.maps), model.consensus)))
    return model


def mixed(old: Tally | None, new: Tally, rate: float, factor: float) -> Tally:
    """(1 - rate) old + rate factor new, of the sums of maps; changes `old`."""
    if old is None:
        for pair in new.sums:
            for sums in pair:
                sums.data.mul_(factor)
                sums.weight.mul_(factor)
        return new
    for pair, fresh in zip(old.sums, new.sums):
        for sums, more in zip(pair, fresh):
            sums.data.mul_(1 - rate).add_(more.data, alpha=rate * factor)
            sums.weight.mul_(1 - rate).add_(more.weight, alpha=rate * factor)
    return replace(new, sums=old.sums)


def copied(tally: Tally) -> Tally:
    """With sums that may be used up."""
    return replace(tally, sums=tuple((_copy(one), _copy(two)) for one, two in tally.sums))


def _copy(sums: Sums) -> Sums:
    return replace(sums, data=sums.data.clone(), weight=sums.weight.clone())


@dataclass(frozen=True)
class Maximised:
    """`halves` (K, 2, m, m, m): undamped differences; FSC curves (K, S) of differences and of class maps."""

    model: Model
    halves: np.ndarray
    fsc_difference: np.ndarray
    fsc_map: np.ndarray


def maximise(task: Task, model: Model, tally: Tally) -> Maximised:
    """New differences; completes the sums in place."""
    middle, group = torch.from_numpy(model.consensus), operators(task.plan.symmetry)

    def solve(k: int) -> Solved:
        return solve_class(tally.sums[k], middle, task.masks.pair, group, task.images.grid.first)

    solved = task.images.share.group.divide(len(tally.sums), solve)
    joint, by_half = np.stack([one.difference.numpy() for one in solved]), np.stack([one.by_half.numpy() for one in solved], 1)
    new = replace(model, differences=joint, by_half=by_half)
    return Maximised(new, *(np.stack([np.asarray(getattr(one, name)) for one in solved]) for name in ("halves", "fsc_difference", "fsc_map")))


def steps(task: Task, model: Model, state: State | None = None) -> Iterator[Step]:
    """Full iterations from `model`, or from `state` on, to convergence or the limit."""
    limit = task.plan.stop.iterations
    while (0 if state is None else state.iteration) < limit:
        done = step(task, model if state is None else state.model, state)
        yield done
        state = done.state
        if done.converged:
            return


def step(task: Task, model: Model, before: State | None) -> Step:
    """One iteration over all images."""
    images, plan, rows = task.images, task.plan, np.arange(len(task.images))
    tally = expect(images, rows, model, task.half, Rule(plan.hard), plan.padding, images.grid.shells)
    old = model.maps
    done = maximise(task, model, tally)
    new = replace(done.model, sigma2=noise_spectra(tally, model.sigma2), prior=tally.posterior.mean(0, dtype=np.float64))
    if plan.scaling == "optimal":
        new = replace(new, scale=particle_scales(tally, rows))
    found = numbers(tally.posterior, None if before is None else before.posterior, (old, new.maps), new.consensus)
    stop = plan.stop
    calm = stop.density is None or found.density < stop.density
    quiet = (before.quiet if before else 0) + 1 if calm else 0
    settled = before is not None and found.switches < stop.switches and (stop.density is None or quiet >= QUIET)
    settled = images.share.group.tell(settled)
    iteration = 1 if before is None else before.iteration + 1
    errors = pose_accuracy(images, new, tally.posterior, plan.padding, task.generator)
    after = State(iteration, new, tally.posterior, done.fsc_difference, done.fsc_map, quiet)
    return Step(after, found, done.halves, tally.gain, errors, settled)
