"""The fine pass: children of the survivors are scored, weighed, and give to the sums of the M-step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas import kernels
from verglas.core import projection, reconstruct
from verglas.core.band import Band
from verglas.core.projection import Reference
from verglas.core.reconstruct import Sums
from verglas.core.rotations import matrix_to_euler
from verglas.core.sampling import children as child_rotations
from verglas.methods.refine import hypotheses
from verglas.methods.refine.batch import Batch
from verglas.methods.refine.hypotheses import ROTATION_CHILDREN, Pairs, Survivors, Weighted
from verglas.methods.refine.ragged import owner, positions
from verglas.methods.refine.search import Correlation, Grids, Rule, apply_rule


@dataclass(frozen=True)
class Found:
    """What the fine pass says of each of N images: best angles (rad) and origin (Å), Pmax, log evidence, and sums per image.

    xa, aa (N, S): sum w Re(conj(a h) S) and sum w b |S|^2 per shell. direction (D,) posterior mass per coarse direction,
    offset2: sum over images of the posterior mean of |origin|^2 (Å^2).
    """

    angles: np.ndarray
    origin: np.ndarray
    pmax: np.ndarray
    evidence: np.ndarray
    xa: Tensor
    aa: Tensor
    direction: np.ndarray
    offset2: float


@dataclass(frozen=True)
class Chunks:
    """Slices of the fine rotations of a block, at most `most` coarse rotations at a time; kept if one chunk is all."""

    reference: Reference
    band: Band
    grids: Grids
    rotations: np.ndarray
    most: int

    def matrices(self, low: int, high: int) -> Tensor:
        """(8 (high - low), 3, 3)."""
        which = torch.from_numpy(self.rotations[low:high])
        return child_rotations(self.grids.grid, which, 1, self.grids.perturbation).reshape(-1, 3, 3)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for low in range(0, len(self.rotations), self.most):
            yield low, min(low + self.most, len(self.rotations))


def fine_pass(batch: Batch, survivors: Survivors, chunks: Chunks, sums: Sums, rule: Rule, unscaled: tuple[Tensor, Tensor] | None) -> Found:
    """Score the children of `survivors`, normalise, and insert the weighted images into `sums` (changed in place).

    `unscaled` = (s_g C X, (s_g C)^2) is given with the rule Correlation.
    """
    pairs = hypotheses.children(survivors)
    slices: dict[int, Tensor] = {}
    logp = torch.empty(len(pairs.shift))
    for low, high in chunks:
        cut = projection.project(chunks.reference, chunks.matrices(low, high), chunks.band)
        if high - low == len(chunks.rotations):
            slices[low] = cut
        _score(logp, batch, pairs, (low, high), cut, chunks.grids.fine_phases, unscaled)
    if not isinstance(rule, Correlation):
        logp += torch.from_numpy(pairs.log_prior)
    _, index, weight, evidence, best = apply_rule(rule, logp, torch.from_numpy(pairs.samples))
    top = torch.exp(logp[best].double() - evidence) if not isinstance(rule, Correlation) else torch.ones(len(batch))
    kept = hypotheses.keep(pairs, index.numpy(), weight.numpy())
    xa, aa = _give(batch, kept, chunks, slices, sums)
    angles, origin = _best(best.numpy(), pairs, chunks.grids, batch.centre)
    direction, offset2 = _statistics(kept, pairs.rotations, chunks.grids, batch.centre)
    return Found(angles, origin, top.numpy(), evidence.numpy(), xa, aa, direction, offset2)


def _in_chunk(slice_number: np.ndarray, bounds: tuple[int, int]) -> np.ndarray:
    low, high = bounds[0] * ROTATION_CHILDREN, bounds[1] * ROTATION_CHILDREN
    return np.flatnonzero((slice_number >= low) & (slice_number < high))


def _score(
    logp: Tensor, batch: Batch, pairs: Pairs, bounds: tuple[int, int], cut: Tensor, phases: Tensor, unscaled: tuple[Tensor, Tensor] | None
) -> None:
    """Fill logp for the pairs whose slices are in this chunk."""
    chosen = _in_chunk(pairs.slice, bounds)
    at, start = positions(pairs.start, chosen)
    shift = torch.from_numpy(pairs.shift[at])
    image, number = torch.from_numpy(pairs.image[chosen]), torch.from_numpy(pairs.slice[chosen] - bounds[0] * ROTATION_CHILDREN)
    where = (image, number.int(), torch.from_numpy(start), shift)
    if unscaled is None:
        value = kernels.score(cut, batch.a, batch.b, phases, *where)
    else:
        a, b = unscaled
        cross = kernels.score(cut, a, torch.zeros_like(b), phases, *where)
        power = kernels.score(cut, torch.zeros_like(a), b, phases, *where)
        value = cross * (-power).clamp(min=1e-30).rsqrt()
    logp[torch.from_numpy(at)] = value


def _give(batch: Batch, kept: Weighted, chunks: Chunks, slices: dict[int, Tensor], sums: Sums) -> tuple[Tensor, Tensor]:
    """Back-project the kept pairs and return the cross and model power per image and shell."""
    shells = chunks.band.shell_start
    xa, aa = torch.zeros(2, len(batch), len(shells) - 1)
    for low, high in chunks:
        part = hypotheses.choose(kept, _in_chunk(kept.slice, (low, high)))
        if len(part.slice) == 0:
            continue
        used, number = np.unique(part.slice - low * ROTATION_CHILDREN, return_inverse=True)
        matrices = chunks.matrices(low, high)[torch.from_numpy(used.astype(np.int64))]
        cut = slices[low][torch.from_numpy(used.astype(np.int64))] if low in slices else projection.project(chunks.reference, matrices, chunks.band)
        image, start, shift, weight = (torch.from_numpy(t) for t in (part.image, part.start, part.shift, part.weight))
        order = np.argsort(number, kind="stable")
        bounds = np.searchsorted(number[order], np.arange(len(used) + 1))
        phases = chunks.grids.fine_phases
        data, power = kernels.backproject(
            batch.x, batch.weight, phases, image, start, shift, weight, torch.from_numpy(order), torch.from_numpy(bounds)
        )
        reconstruct.accumulate(sums, data, power, matrices, chunks.band)
        rows = torch.from_numpy(np.searchsorted(part.image, np.arange(len(batch) + 1)))
        more = kernels.cross(cut, batch.a, batch.b, phases, torch.from_numpy(number.astype(np.int32)), start, shift, weight, rows, shells)
        xa += more[0]
        aa += more[1]
    return xa, aa


def _best(best: np.ndarray, pairs: Pairs, grids: Grids, centre: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Angles (N, 3) rad and origins (N, 2) Å of the most probable hypotheses."""
    pair = np.searchsorted(pairs.start, best, side="right") - 1
    parent, child = np.divmod(pairs.slice[pair], ROTATION_CHILDREN)
    matrices = child_rotations(grids.grid, torch.from_numpy(pairs.rotations[parent]), 1, grids.perturbation)
    matrices = matrices[torch.arange(len(best)), torch.from_numpy(child.astype(np.int64))]
    origin = centre.double() + grids.fine_shifts[torch.from_numpy(pairs.shift[best].astype(np.int64))]
    return matrix_to_euler(matrices).numpy(), origin.numpy()


def _statistics(kept: Weighted, rotations: np.ndarray, grids: Grids, centre: Tensor) -> tuple[np.ndarray, float]:
    """Posterior mass per coarse direction (D,) and sum of w |origin|^2 (Å^2)."""
    pair = owner(kept.start)
    direction = rotations[kept.slice[pair] // ROTATION_CHILDREN] // grids.grid.psi_count
    mass = np.bincount(direction, kept.weight, minlength=grids.grid.direction_count)
    origin = centre.double().numpy()[kept.image[pair]] + grids.fine_shifts.numpy()[kept.shift]
    return mass, float((kept.weight * (origin**2).sum(1)).sum())
