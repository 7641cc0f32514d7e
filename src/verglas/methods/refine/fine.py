"""The fine pass: children of the survivors are scored, weighed, and give to the sums of the M-step."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from verglas import kernels
from verglas.core import projection, reconstruct
from verglas.core.band import Band
from verglas.core.projection import Reference
from verglas.core.reconstruct import Sums
from verglas.core.rotations import angular_distance, matrix_to_euler
from verglas.core.sampling import children as child_rotations
from verglas.core.sampling import rotations
from verglas.methods.refine import hypotheses
from verglas.methods.refine.batch import Batch
from verglas.methods.refine.hypotheses import MOVES, Pairs, Survivors
from verglas.methods.refine.ragged import positions
from verglas.methods.refine.search import Correlation, Gaussian, Grids, Rule
from verglas.runtime.blocks import halving
from verglas.runtime.stopwatch import Stopwatch


@dataclass(frozen=True)
class Found:
    """What the fine pass says of each of N images: best angles (rad) and origin (Å), Pmax, log evidence, and sums per image.

    classes (N,) is the class of the best hypothesis. xa, aa (N, S): sum w Re(conj(a h) S) and sum w b |S|^2 per shell.
    direction (K, D) posterior mass per class and coarse direction.
    """

    angles: np.ndarray
    origin: np.ndarray
    classes: np.ndarray
    pmax: np.ndarray
    evidence: np.ndarray
    xa: Tensor
    aa: Tensor
    direction: np.ndarray


@dataclass(frozen=True)
class Chunks:
    """Slices of the fine rotations of a block, at most `most` coarse rotations at a time; kept if one chunk is all.

    Rotation number q = class x R + rotation of the grid, R = grids.grid.rotation_count; `rotations` rise, so classes follow each other.
    `mean`: the pose of an image is the mean of the posterior's peak, not its best grid point. `finer` False: no children, the coarse
    hypotheses themselves are weighed.
    """

    references: tuple[Reference, ...]
    band: Band
    grids: Grids
    rotations: np.ndarray
    most: int
    mean: bool = False
    finer: bool = True

    @property
    def turns(self) -> int:
        return self.grids.grid.turns if self.finer else 1

    @property
    def fan(self) -> tuple[int, int]:
        return (self.turns, MOVES if self.finer else 1)

    @property
    def shifts(self) -> Tensor:
        """(T, 2) Å."""
        return self.grids.fine_shifts if self.finer else self.grids.shifts

    @property
    def phases(self) -> Tensor:
        """(T, P)."""
        return self.grids.fine_phases if self.finer else self.grids.phases

    def of(self, rotation: np.ndarray) -> Tensor:
        """Children (K, turns, 3, 3) of rotation numbers (K,)."""
        grids, number = self.grids, torch.from_numpy(rotation % self.grids.grid.rotation_count)
        if not self.finer:
            return rotations(grids.grid, number, grids.perturbation)[:, None]
        return child_rotations(grids.grid, number, 1, grids.perturbation)

    def matrices(self, low: int, high: int) -> Tensor:
        """(turns (high - low), 3, 3)."""
        return self.of(self.rotations[low:high]).reshape(-1, 3, 3)

    def by_class(self, low: int, high: int) -> Iterator[tuple[int, slice]]:
        """The classes of a chunk and which of its fine rotations are theirs."""
        number = self.rotations[low:high] // self.grids.grid.rotation_count
        for k in np.unique(number):
            first, end = np.searchsorted(number, (k, k + 1))
            yield int(k), slice(int(first) * self.turns, int(end) * self.turns)

    def cut(self, low: int, high: int) -> Tensor:
        """(turns (high - low), P)."""
        matrices = self.matrices(low, high)
        parts = [projection.project(self.references[k], matrices[rows], self.band) for k, rows in self.by_class(low, high)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for low in range(0, len(self.rotations), self.most):
            yield low, min(low + self.most, len(self.rotations))


@dataclass(frozen=True)
class Giving:
    """Where the images go: the sums of each class, changed in place; `gradient`: what is left of them after the prediction (VDAM)."""

    sums: tuple[Sums, ...]
    gradient: bool = False


@dataclass(frozen=True)
class Part:
    """The pairs of one chunk: positions of the pairs and of their shifts; their lists as tensors on the device of the images."""

    pairs: np.ndarray
    shifts: Tensor
    image: Tensor
    number: Tensor
    start: Tensor
    shift: Tensor


def part_of(pairs: Pairs, low: int, high: int, device: torch.device) -> Part:
    """The pairs whose coarse rotations have numbers low .. high-1."""
    chosen = np.flatnonzero((pairs.number >= low) & (pairs.number < high))
    at, start = positions(pairs.start, chosen)
    tensors = (torch.from_numpy(t).to(device) for t in (at, pairs.image[chosen], pairs.number[chosen] - np.int32(low), start, pairs.shift[at]))
    return Part(chosen, *tensors)


def fine_pass(
    batch: Batch, survivors: Survivors, chunks: Chunks, giving: Giving, rule: Rule, unscaled: tuple[Tensor, Tensor] | None, watch: Stopwatch
) -> Found:
    """Score the children of `survivors`, normalise, and insert the weighted images into the sums of their classes.

    `unscaled` = (s_g C X, (s_g C)^2) is given with the rule Correlation.
    """
    pairs = hypotheses.group(survivors, chunks.fan)
    device = batch.b.device
    logp = torch.empty(len(pairs.shift) * chunks.fan[0] * chunks.fan[1], device=device)
    cuts = [cut for low, high in chunks for cut in halving(low, high, partial(_score, logp, batch, pairs, chunks, unscaled))]
    kept = cuts[0] if len(cuts) == 1 else None
    samples = torch.from_numpy(pairs.samples).to(device)
    match rule:
        case Gaussian(fraction):
            least, evidence, best = kernels.threshold(logp, samples, fraction)
            pmax = torch.exp(logp[best].double() - evidence)
            weight = kernels.weigh(logp, samples, least, evidence)
        case Correlation():
            _, evidence, best = kernels.threshold(logp, samples, 0.0, 1)
            pmax = torch.ones(len(batch), device=device)
            weight = torch.zeros_like(logp).index_fill_(0, best, 1.0)
    xa, aa, mass = _give(batch, pairs, weight, chunks, kept, giving, watch)
    pose, classes = _best(best.numpy(force=True), pairs, chunks)
    if chunks.mean:
        pose = _mean(pose, weight, pairs, chunks)
    angles, origin = matrix_to_euler(pose.rotation).numpy(), (batch.centre.double() + pose.shift).numpy()
    grid, count = chunks.grids.grid, len(chunks.references)
    k, rotation = np.divmod(pairs.rotations[pairs.number], grid.rotation_count)
    direction = k * grid.direction_count + rotation // grid.psi_count
    direction_mass = np.bincount(direction, mass, minlength=count * grid.direction_count).reshape(count, -1)
    return Found(angles, origin, classes, pmax.numpy(force=True), evidence.numpy(force=True), xa, aa, direction_mass)


def _score(
    logp: Tensor, batch: Batch, pairs: Pairs, chunks: Chunks, unscaled: tuple[Tensor, Tensor] | None, low: int, high: int
) -> Tensor | None:
    """Fill logp for the pairs whose slices are in this chunk; the slices, if they are those of all pairs."""
    cut, part = chunks.cut(low, high), part_of(pairs, low, high, logp.device)
    phases, children = chunks.phases, chunks.fan[0] * chunks.fan[1]
    where = (part.image, part.number, part.start, part.shift, chunks.fan)
    if unscaled is None:
        value = kernels.score(cut, batch.a, batch.b, phases, torch.from_numpy(pairs.log_prior).to(logp.device)[part.shifts], *where)
    else:
        a, b = unscaled
        nothing = torch.zeros(len(part.shift), device=logp.device)
        cross = kernels.score(cut, a, torch.zeros_like(b), phases, nothing, *where)
        power = kernels.score(cut, torch.zeros_like(a), b, phases, nothing, *where)
        value = cross * (-power).clamp(min=1e-30).rsqrt()
    logp.view(-1, children)[part.shifts] = value.view(-1, children)
    return cut if high - low == len(chunks.rotations) else None


def _give(
    batch: Batch, pairs: Pairs, weight: Tensor, chunks: Chunks, kept: Tensor | None, giving: Giving, watch: Stopwatch
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Back-project with the weights; cross and model power per image and shell, and the mass of every pair."""
    shells, phases, device = chunks.band.shell_start, chunks.phases, weight.device
    xa, aa = torch.zeros(2, len(batch), len(shells) - 1, device=device)
    mass = np.zeros(len(pairs.number))

    def part_gives(low: int, high: int) -> None:
        part = part_of(pairs, low, high, device)
        some = weight.view(-1, chunks.fan[0] * chunks.fan[1])[part.shifts].view(-1)
        order = torch.argsort(part.number, stable=True)
        bounds = torch.searchsorted(part.number[order].contiguous(), torch.arange(high - low + 1, dtype=torch.int32, device=device))
        cut = chunks.cut(low, high) if kept is None else kept[low * chunks.turns : high * chunks.turns]
        given = kernels.give(
            cut, (batch.a, batch.b, batch.x, batch.weight), phases, (part.image, part.start, part.shift, some, order), bounds, shells, chunks.fan
        )
        with watch("insert"):
            _insert(given, cut, (low, high), chunks, giving)
        xa.index_add_(0, part.image.long(), given.xa)
        aa.index_add_(0, part.image.long(), given.aa)
        mass[part.pairs] = given.pair_mass.numpy(force=True)

    for first, end in chunks:
        halving(first, end, part_gives)
    return xa, aa, mass


def _insert(given: kernels.Given, cut: Tensor, bounds: tuple[int, int], chunks: Chunks, giving: Giving) -> None:
    """Into the sums of every class, after all that needs memory."""
    used, first = given.mass > 0, 0
    data, power, matrices = given.data[used], given.power[used], chunks.matrices(*bounds)[used.cpu()]
    if giving.gradient:
        data = data - power * cut[used]
    for k, rows in chunks.by_class(*bounds):
        end = first + int(used[rows].sum())
        reconstruct.accumulate(giving.sums[k], data[first:end], power[first:end], matrices[first:end], chunks.band)
        first = end


@dataclass(frozen=True)
class Pose:
    """rotation (N, 3, 3) and shift (N, 2) Å, float64."""

    rotation: Tensor
    shift: Tensor


def _best(best: np.ndarray, pairs: Pairs, chunks: Chunks) -> tuple[Pose, np.ndarray]:
    """The hypotheses at positions `best` (N,) and their classes (N,)."""
    fine = hypotheses.children(pairs, best)
    parent, child = np.divmod(fine.slice, chunks.turns)
    matrices = chunks.of(pairs.rotations[parent])
    matrices = matrices[torch.arange(len(best)), torch.from_numpy(child.astype(np.int64))]
    shift = chunks.shifts[torch.from_numpy(fine.shift.astype(np.int64))]
    return Pose(matrices, shift), pairs.rotations[parent] // chunks.grids.grid.rotation_count


PEAK = 3.0
"""Fine steps around the best hypothesis that belong to its peak."""


def _mean(best: Pose, weight: Tensor, pairs: Pairs, chunks: Chunks) -> Pose:
    """Posterior mean over the peak around the best hypothesis: the rotation nearest to sum w R (by SVD), and sum w t / sum w.

    The mean has a smaller expected error than the best grid point, by what the grid's step and the noise add to it.
    """
    index = torch.nonzero(weight)[:, 0]
    fine = hypotheses.children(pairs, index.numpy(force=True))
    image = torch.from_numpy(fine.image.astype(np.int64))
    grids, matrices = chunks.grids, chunks.of(pairs.rotations).reshape(-1, 3, 3)
    weight = weight[index].cpu()
    rotation, shift = matrices[torch.from_numpy(fine.slice.astype(np.int64))], chunks.shifts[torch.from_numpy(fine.shift.astype(np.int64))]
    reach = PEAK * max(grids.grid.step / 2, 1e-9)
    near = angular_distance(rotation, best.rotation[image]) <= reach
    w = weight.double() * near
    total = torch.zeros(len(best.shift), dtype=torch.float64).index_add_(0, image, w)
    rotations = torch.zeros(len(best.shift), 9, dtype=torch.float64).index_add_(0, image, w[:, None] * rotation.reshape(-1, 9)).view(-1, 3, 3)
    shifts = torch.zeros_like(best.shift).index_add_(0, image, w[:, None] * shift) / total[:, None]
    u, _, v = torch.linalg.svd(rotations)
    sign = torch.ones(len(u), 3, dtype=torch.float64)
    sign[:, 2] = torch.linalg.det(u @ v)
    return Pose(u * sign[:, None] @ v, shifts)
