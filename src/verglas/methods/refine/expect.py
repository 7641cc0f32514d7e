"""The E-step: particles are compared with the references of all classes and give to a tally."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection, reconstruct
from verglas.core.projection import Reference
from verglas.core.rotations import euler_to_matrix
from verglas.core.sampling import AnyGrid, Grid, local_candidates, rotations
from verglas.core.shifts import offset_children, offset_grid, offset_log_prior, perturb_offsets, phases
from verglas.core.symmetry import operators
from verglas.kernels.reference.prune import CHUNK
from verglas.methods.refine import converge, hypotheses, tally
from verglas.methods.refine.batch import Batch, make_batch, unweighted
from verglas.methods.refine.fine import Chunks, Found, Giving, fine_pass
from verglas.methods.refine.hypotheses import MOVES, Pairs, Survivors, join
from verglas.methods.refine.images import Geometry, geometry, whole_pixels
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.search import LOOKS, SMALL, Candidates, Gaussian, Grids, Rule, Shared, search_everywhere, search_near, shared_slices
from verglas.methods.refine.source import Source
from verglas.methods.refine.state import Alignment, Model, Sampling
from verglas.methods.refine.tally import Tally
from verglas.runtime.blocks import halving, most, split
from verglas.runtime.stopwatch import Stopwatch


@dataclass(frozen=True)
class Belief:
    """What the E-step knows of K classes: maps (B, B, B), or (1, B, B) in 2D; prior (K, D) of classes and directions, sum 1.

    sigma2 (G, S), scale (Q,), ssnr (K, S), sigma2_offset in Å^2, average_norm: as in `state.Model`.
    """

    maps: tuple[np.ndarray, ...]
    prior: np.ndarray
    sigma2: np.ndarray
    scale: np.ndarray
    ssnr: np.ndarray
    sigma2_offset: float
    average_norm: float


def belief_of(model: Model) -> Belief:
    """A single class."""
    return Belief(
        (model.map,), model.direction_prior[None], model.sigma2, model.scale, model.ssnr[None], model.sigma2_offset, model.average_norm
    )


@dataclass(frozen=True)
class Task:
    """The particles `rows` (n,) of one E-step, where all particles were last found, and where they come from.

    home (N, 2) Å: see `State`; None: particles are searched for around their last origins.
    """

    rows: np.ndarray
    alignment: Alignment
    home: np.ndarray | None = None


@dataclass(frozen=True)
class Setting:
    """One iteration as the E-step sees it: `shells` of the band, whether the reference is compared by correlation.

    `extent` = model box x pixel, Å. `gradient`: the sums take what the prediction leaves of the images (VDAM).
    """

    plan: Plan
    sampling: Sampling
    grid: AnyGrid
    shells: int
    box: int
    pixel: float
    rule: Rule
    gradient: bool = False

    @property
    def extent(self) -> float:
        return self.box * self.pixel


@dataclass(frozen=True)
class GroupSearch:
    """What is shared by the images of one optics group in one E-step. log_prior (K, D) of classes and directions."""

    geo: Geometry
    grids: Grids
    references: tuple[Reference, ...]
    slices: Shared | None
    log_prior: Tensor
    sigma2: np.ndarray


def make_grids(setting: Setting, geo: Geometry) -> Grids:
    """Rotations and shift phases of this iteration on one group's band."""
    s = setting.sampling
    points = offset_grid(s.offset_range, s.offset_step)
    coarse = perturb_offsets(points, s.perturbation, s.offset_step)
    fine = perturb_offsets(offset_children(points, s.offset_step).reshape(-1, 2), s.perturbation, s.offset_step)
    band = geo.band
    h, fine_h = (phases(t.to(band.k.device) / geo.pixel, band.k[:, 0], band.k[:, 1], band.box) for t in (coarse, fine))
    size = converge.coarse_size(setting.grid.step, setting.plan.diameter, setting.extent, 2 * setting.shells)
    pixels = band.upto(size // 2)
    looks = (*(band.upto(int(f * (size // 2))) for f in LOOKS), pixels) if pixels > SMALL else (pixels,)
    return Grids(setting.grid, s.perturbation, coarse, fine, h, fine_h, looks)


def make_references(setting: Setting, belief: Belief, device: str = "cpu") -> tuple[Reference, ...]:
    """Padded transforms of all classes to the band of this iteration."""
    return tuple(projection.prepare_reference(torch.from_numpy(m).to(device), setting.plan.padding, setting.shells) for m in belief.maps)


def group_search(setting: Setting, geo: Geometry, references: tuple[Reference, ...], belief: Belief, g: int, bfloat: bool) -> GroupSearch:
    """Grids, shared slices of a global search, and log priors (uniform over directions when the grid is new).

    `geo` and the references are on one device, where phases and slices are made.
    """
    grids = make_grids(setting, geo)
    n = grids.grid.direction_count
    prior = belief.prior if belief.prior.shape[1] == n else np.repeat(belief.prior.sum(1, keepdims=True) / n, n, axis=1)
    log_prior = torch.from_numpy(np.log(np.maximum(prior, 1e-30))).float()
    slices = None if setting.sampling.sigma > 0 else shared_slices(references, grids, geo.band, bfloat)
    return GroupSearch(geo, grids, references, slices, log_prior, belief.sigma2[g])


class Looked(NamedTuple):
    """A block after the coarse pass, and its unweighted images if they are compared by correlation."""

    batch: Batch
    survivors: Survivors
    unscaled: tuple[Tensor, Tensor] | None


def expect(belief: Belief, task: Task, source: Source, setting: Setting, watch: Stopwatch) -> tuple[Tally, Alignment]:
    """This process's particles of the task: the tally of their sums and the new poses (other rows unchanged)."""
    mine, plan, flat = source.share.of(task.rows), setting.plan, len(belief.maps[0]) == 1
    with watch("project"):
        references = make_references(setting, belief, source.device) if len(mine) else ()
    sums = tuple(reconstruct.empty_sums(setting.box, plan.padding, setting.shells, source.device, flat) for _ in belief.maps)
    result = tally.empty_tally(sums, source.particles, setting.grid.direction_count)
    new = Alignment(**{k: v.copy() for k, v in vars(task.alignment).items()})

    def look(g: int, search: GroupSearch, block: np.ndarray, low: int, high: int) -> Looked:
        some, geo = block[low:high], search.geo
        shift = whole_pixels(search_centres(task, setting, some), geo.pixel)
        spectra = source.spectra[g].get(some, shift, watch, len(geo.band))
        norm = belief.average_norm / task.alignment.norm[some]
        with watch("prepare"):
            batch = make_batch(some, spectra, source.particles, geo, norm, (belief.sigma2[g], belief.scale), plan.ctf)
        return Looked(batch, *coarse_pass(batch, belief, task, setting, search, source.budget.work, watch))

    for g, group in enumerate(source.particles.optics):
        rows = mine[source.particles.optics_index[mine] == g]
        if len(rows) == 0:
            continue
        geo = geometry(group, setting.box, setting.pixel, setting.shells).to(source.device)
        with watch("project"):
            search = group_search(setting, geo, references, belief, g, source.budget.bfloat)
        for block in split(rows, most(source.budget.work / 2, 44 * len(geo.band))):
            for batch, survivors, unscaled in halving(0, len(block), partial(look, g, search, block)):
                for images, finer in _portions(survivors.count, setting, len(references), source.budget.work / 2, len(geo.band)):
                    part, few = batch.take(images), hypotheses.take(survivors, images)
                    at = torch.from_numpy(images).to(batch.b.device)
                    pair = None if unscaled is None else (unscaled[0][at], unscaled[1][at])
                    found = _fine(part, few, search, setting, source.budget.work, Giving(result.sums, setting.gradient), pair, finer, watch)
                    with watch("tally"):
                        model, bands = (belief.sigma2[g], belief.scale, belief.ssnr), (geo.band, source.spectra[g].full.band)
                        ll = tally.add(result, part, found, source.particles, model, bands)
                    _remember(new, part.rows, found, few, ll)
                    source.progress(len(part))
    result.sums = tuple(s.to("cpu") for s in result.sums)
    return result, new


SPREAD = 3
"""Steps of the coarse grid in each dimension: a posterior as wide as this needs no finer grid (its Riemann sum errs by some 1 %)."""


def _portions(count: np.ndarray, setting: Setting, classes: int, memory: float, pixels: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Parts of a block's images by what they need in the fine pass: finer hypotheses or, in a global search, only the coarse ones that survived.

    count (N,) of survivors; the hypotheses of a part (or of one image) fit into `memory` bytes.
    """
    sampling, turns = setting.sampling, setting.grid.turns
    dimensions = 5 if isinstance(setting.grid, Grid) else 3
    wide = (count > classes * SPREAD**dimensions) & (sampling.sigma == 0)
    yield from ((part, False) for part in _by_size(count, np.flatnonzero(wide), most(memory, 8)))
    limit = most(memory, 8 * turns * MOVES)
    if sampling.sigma > 0:  # images share few orientations: as many as have their slices in memory at once
        limit = min(limit, most(memory, 20 * pixels * turns))
    yield from ((part, True) for part in _by_size(count, np.flatnonzero(~wide), limit))


def _by_size(count: np.ndarray, images: np.ndarray, limit: int) -> Iterator[np.ndarray]:
    """Consecutive parts of `images` with at most `limit` survivors together (or one image)."""
    total, low = np.cumsum(count[images]), 0
    while low < len(total):
        before = total[low - 1] if low else 0
        high = max(int(np.searchsorted(total, before + limit, side="right")), low + 1)
        yield images[low:high]
        low = high


HOT = 12 << 20
"""Bytes of log-posteriors that stay in a CPU's cache between a product and the choice of survivors."""
WANDERED = 0.8
"""Of the search range: a particle whose best shift is further from home than this is searched for around that shift."""


def search_centres(task: Task, setting: Setting, rows: np.ndarray) -> np.ndarray:
    """Origins (n, 2) Å around which shifts are searched.

    The last origins; but while the first, widest search goes on, particles near home are searched for from home, so that a wrong
    pose of an early iteration does not lead a particle further and further away from where it was picked.
    """
    origin = task.alignment.origin[rows]
    wide = setting.sampling.sigma == 0 and setting.sampling.offset_range >= setting.plan.offset_range
    if task.home is None or not wide:
        return origin
    home = task.home[rows]
    away = np.hypot(*(origin - home).T) > WANDERED * setting.sampling.offset_range
    return np.where(away[:, None], origin, home)


def _remember(new: Alignment, rows: np.ndarray, found: Found, survivors: Survivors, log_likelihood: np.ndarray) -> None:
    new.angles[rows], new.origin[rows], new.pmax[rows] = found.angles, found.origin, found.pmax
    new.significant[rows], new.log_likelihood[rows] = survivors.count, log_likelihood


def coarse_pass(
    batch: Batch, belief: Belief, task: Task, setting: Setting, search: GroupSearch, work: int, watch: Stopwatch
) -> tuple[Survivors, tuple[Tensor, Tensor] | None]:
    """Survivors of one block of images, and the unweighted images if they are compared by correlation."""
    centre = batch.centre.double()
    shift_prior = offset_log_prior(search.grids.shifts, centre, torch.zeros_like(centre), belief.sigma2_offset).float()
    with watch("coarse"):
        if search.slices is None:
            return _near(batch, task, search, shift_prior, setting, work), None
        unscaled = None if isinstance(setting.rule, Gaussian) else unweighted(batch, search.sigma2, search.geo.band.shell)
        return _everywhere(batch, search, shift_prior.to(batch.b.device), setting.rule, work, unscaled), unscaled


def _fine(
    batch: Batch, survivors: Survivors, search: GroupSearch, setting: Setting, work: int, giving: Giving, unscaled: tuple[Tensor, Tensor] | None,
    finer: bool, watch: Stopwatch,
) -> Found:
    """The fine pass of images whose survivors fit into memory."""
    with watch("fine"):
        limit = most(work / 2, 20 * len(search.geo.band) * (setting.grid.turns if finer else 1))
        numbers = np.unique(survivors.rotation)
        chunks = Chunks(search.references, search.geo.band, search.grids, numbers, limit, mean=search.slices is None, finer=finer)
        return fine_pass(batch, survivors, chunks, giving, setting.rule, unscaled, watch)


def _everywhere(
    batch: Batch, search: GroupSearch, shift_prior: Tensor, rule: Rule, work: int, unscaled: tuple[Tensor, Tensor] | None
) -> Survivors:
    assert search.slices is not None
    a, b = (batch.a, batch.b) if unscaled is None else unscaled
    shared = search.slices
    each = 4 if shared.first is None else shared.first.itemsize
    shifts, rotations = len(search.grids.phases), len(shared.whole)
    limit = most(work / 4, shifts * (each * rotations + 16 * search.grids.looks[-1]))
    if not b.is_cuda:
        limit = min(limit, most(HOT, shifts * each * min(rotations, CHUNK)))
    parts = []
    log_prior = search.log_prior.view(-1).to(b.device)
    for n in split(np.arange(len(batch)), limit):
        low, high = int(n[0]), int(n[-1]) + 1
        priors = (log_prior, shift_prior[low:high])
        parts.append(search_everywhere(a[low:high], b[low:high], shared, search.grids, priors, rule))
    return join(parts)


def _near(batch: Batch, task: Task, search: GroupSearch, shift_prior: Tensor, setting: Setting, work: int) -> Survivors:
    assert isinstance(setting.rule, Gaussian) and isinstance(setting.grid, Grid)
    grids, sigma, count = search.grids, setting.sampling.sigma, setting.grid.rotation_count
    centres = euler_to_matrix(torch.from_numpy(task.alignment.angles[batch.rows]))
    local = local_candidates(setting.grid, centres, sigma, sigma, grids.perturbation, operators(setting.plan.relaxed or setting.plan.symmetry))
    candidates = Candidates(np.asarray(local.offsets), np.asarray(local.rotation), np.asarray(local.log_prior))
    candidates = candidates.in_classes(search.log_prior.logsumexp(1).numpy(), count)
    per_image = len(candidates.rotation) / len(batch) * (8 * grids.looks[0] + 60 * len(grids.phases)) + 16 * grids.looks[-1]

    def cut(pairs: Pairs, pixels: int) -> tuple[Tensor, np.ndarray]:
        numbers = pairs.rotations
        parts, k = [], numbers // count  # numbers rise, so classes follow each other
        for one in np.unique(k):
            matrices = rotations(grids.grid, torch.from_numpy(numbers[k == one] % count), grids.perturbation)
            parts.append(projection.project(search.references[one], matrices, search.geo.band, pixels))
        return parts[0] if len(parts) == 1 else torch.cat(parts), pairs.number

    parts = []
    for n in split(np.arange(len(batch)), most(work / 4, per_image)):
        low, high = int(n[0]), int(n[-1]) + 1
        some = (batch.a[low:high], batch.b[low:high])
        parts.append(search_near(*some, candidates.take(n), grids, cut, shift_prior[low:high], setting.rule))
    return join(parts)
