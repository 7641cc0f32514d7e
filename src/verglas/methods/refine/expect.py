"""The E-step of one half set: all its particles are compared with its reference and give to its tally."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection, reconstruct
from verglas.core.projection import Reference
from verglas.core.rotations import euler_to_matrix
from verglas.core.sampling import local_candidates, orientation_grid, rotations
from verglas.core.shifts import offset_children, offset_grid, offset_log_prior, perturb_offsets, phases
from verglas.core.symmetry import operators
from verglas.methods.refine import converge, hypotheses, tally
from verglas.methods.refine.batch import Batch, make_batch, unweighted
from verglas.methods.refine.fine import Chunks, Found, fine_pass
from verglas.methods.refine.hypotheses import CHILDREN, TURNS, Survivors, join
from verglas.methods.refine.images import Geometry, geometry, whole_pixels
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.search import LOOKS, SMALL, Candidates, Gaussian, Grids, Rule, global_slices, search_everywhere, search_near
from verglas.methods.refine.source import Source
from verglas.methods.refine.state import Alignment, Model, Sampling, State
from verglas.methods.refine.tally import Tally
from verglas.runtime.blocks import most, split
from verglas.runtime.stopwatch import Stopwatch


@dataclass(frozen=True)
class Setting:
    """One iteration as the E-step sees it: `shells` of the band, whether the reference is compared by correlation."""

    plan: Plan
    sampling: Sampling
    shells: int
    rule: Rule


@dataclass(frozen=True)
class GroupSearch:
    """What is shared by the images of one optics group in one half and iteration."""

    geo: Geometry
    grids: Grids
    reference: Reference
    slices: Tensor | None
    direction_prior: Tensor
    sigma2: np.ndarray


def make_grids(setting: Setting, geo: Geometry, extent: float) -> Grids:
    """Rotations and shift phases of this iteration on one group's band; `extent` = model box x pixel, Å."""
    s = setting.sampling
    grid = orientation_grid(s.order, setting.plan.symmetry)
    points = offset_grid(s.offset_range, s.offset_step)
    coarse = perturb_offsets(points, s.perturbation, s.offset_step)
    fine = perturb_offsets(offset_children(points, s.offset_step).reshape(-1, 2), s.perturbation, s.offset_step)
    band = geo.band
    h, fine_h = (phases(t / geo.pixel, band.k[:, 0], band.k[:, 1], band.box) for t in (coarse, fine))
    size = converge.coarse_size(s.order, setting.plan.diameter, extent, 2 * setting.shells)
    pixels = band.upto(size // 2)
    looks = (*(band.upto(int(f * (size // 2))) for f in LOOKS), pixels) if pixels > SMALL else (pixels,)
    return Grids(grid, s.perturbation, coarse, fine, h, fine_h, looks)


def group_search(setting: Setting, geo: Geometry, reference: Reference, model: Model, g: int, extent: float) -> GroupSearch:
    """Grids, shared slices of a global search, and the log prior of directions (uniform when the grid is new)."""
    grids = make_grids(setting, geo, extent)
    n = grids.grid.direction_count
    prior = model.direction_prior if len(model.direction_prior) == n else np.full(n, 1.0 / n)
    log_prior = torch.from_numpy(np.log(np.maximum(prior, 1e-30))).float()
    slices = None if setting.sampling.sigma > 0 else global_slices(reference, grids, geo.band)
    return GroupSearch(geo, grids, reference, slices, log_prior, model.sigma2[g])


def expect(state: State, half: int, source: Source, setting: Setting, watch: Stopwatch) -> tuple[Tally, Alignment]:
    """All particles of `half` (0 or 1): the tally of their sums and the new poses (rows of the other half unchanged)."""
    model, plan, extent = state.models[half], setting.plan, state.box * state.pixel_size
    with watch("project"):
        reference = projection.prepare_reference(torch.from_numpy(model.map), plan.padding, setting.shells)
    grid = orientation_grid(setting.sampling.order, plan.symmetry)
    result = tally.empty_tally(reconstruct.empty_sums(state.box, plan.padding, setting.shells), source.particles, grid.direction_count)
    new = Alignment(**{k: v.copy() for k, v in vars(state.alignment).items()})
    for g, group in enumerate(source.particles.optics):
        rows = np.flatnonzero((source.particles.optics_index == g) & (source.particles.half == half + 1))
        if len(rows) == 0:
            continue
        geo = geometry(group, state.box, state.pixel_size, setting.shells)
        with watch("project"):
            search = group_search(setting, geo, reference, model, g, extent)
        for block in split(rows, most(source.budget.work / 2, 44 * len(geo.band))):
            shift = whole_pixels(search_centres(state, setting, block), geo.pixel)
            spectra = source.spectra[g].get(block, shift, watch, len(geo.band))
            norm = model.average_norm / state.alignment.norm[block]
            with watch("prepare"):
                batch = make_batch(block, spectra, source.particles, geo, norm, (model.sigma2[g], model.scale), plan.ctf)
            survivors, unscaled = coarse_pass(batch, state, half, setting, search, source.budget.work, watch)
            limit = most(source.budget.work / 2, 8 * CHILDREN)
            if setting.sampling.sigma > 0:  # images share few orientations: as many as have their slices in memory at once
                limit = min(limit, most(source.budget.work / 2, 20 * len(geo.band) * TURNS))
            for low, high in _by_size(survivors, limit):
                part, few = batch.take(low, high), hypotheses.take(survivors, low, high)
                pair = None if unscaled is None else (unscaled[0][low:high], unscaled[1][low:high])
                found = _fine(part, few, search, setting.rule, source.budget.work, result.sums, pair, watch)
                with watch("tally"):
                    ll = tally.add(
                        result, part, found, source.particles, (model.sigma2[g], model.scale, model.ssnr), (geo.band, source.spectra[g].full.band)
                    )
                _remember(new, part.rows, found, few, ll)
                source.progress(len(part))
    return result, new


def _by_size(survivors: Survivors, limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of images with at most `limit` survivors together (or one image)."""
    total, low = np.cumsum(survivors.count), 0
    while low < len(total):
        before = total[low - 1] if low else 0
        high = max(int(np.searchsorted(total, before + limit, side="right")), low + 1)
        yield low, high
        low = high


HOT = 24 << 20
"""Bytes of log-posteriors that stay in the processor's cache between the product and the choice of survivors."""
WANDERED = 0.8
"""Of the search range: a particle whose best shift is further from home than this is searched for around that shift."""


def search_centres(state: State, setting: Setting, rows: np.ndarray) -> np.ndarray:
    """Origins (n, 2) Å around which shifts are searched.

    The last origins; but while the first, widest search goes on, particles near home are searched for from home, so that a wrong
    pose of an early iteration does not lead a particle further and further away from where it was picked.
    """
    origin = state.alignment.origin[rows]
    wide = setting.sampling.sigma == 0 and setting.sampling.offset_range >= setting.plan.offset_range
    if state.home is None or not wide:
        return origin
    home = state.home[rows]
    away = np.hypot(*(origin - home).T) > WANDERED * setting.sampling.offset_range
    return np.where(away[:, None], origin, home)


def _remember(new: Alignment, rows: np.ndarray, found: Found, survivors: Survivors, log_likelihood: np.ndarray) -> None:
    new.angles[rows], new.origin[rows], new.pmax[rows] = found.angles, found.origin, found.pmax
    new.significant[rows], new.log_likelihood[rows] = survivors.count, log_likelihood


def coarse_pass(
    batch: Batch, state: State, half: int, setting: Setting, search: GroupSearch, work: int, watch: Stopwatch
) -> tuple[Survivors, tuple[Tensor, Tensor] | None]:
    """Survivors of one block of images, and the unweighted images if they are compared by correlation."""
    model = state.models[half]
    centre = batch.centre.double()
    shift_prior = offset_log_prior(search.grids.shifts, centre, torch.zeros_like(centre), model.sigma2_offset).float()
    with watch("coarse"):
        if search.slices is None:
            return _near(batch, state, search, shift_prior, setting, work), None
        unscaled = None if isinstance(setting.rule, Gaussian) else unweighted(batch, search.sigma2, search.geo.band.shell)
        return _everywhere(batch, search, shift_prior, setting.rule, work, unscaled), unscaled


def _fine(
    batch: Batch, survivors: Survivors, search: GroupSearch, rule: Rule, work: int, sums: reconstruct.Sums,
    unscaled: tuple[Tensor, Tensor] | None, watch: Stopwatch,
) -> Found:
    """The fine pass of images whose survivors fit into memory."""
    with watch("fine"):
        limit = most(work / 2, 20 * len(search.geo.band) * TURNS)
        chunks = Chunks(search.reference, search.geo.band, search.grids, np.unique(survivors.rotation), limit, mean=search.slices is None)
        return fine_pass(batch, survivors, chunks, sums, rule, unscaled, watch)


def _everywhere(
    batch: Batch, search: GroupSearch, shift_prior: Tensor, rule: Rule, work: int, unscaled: tuple[Tensor, Tensor] | None
) -> Survivors:
    assert search.slices is not None
    a, b = (batch.a, batch.b) if unscaled is None else unscaled
    per_image = len(search.grids.phases) * (4 * len(search.slices) + 16 * search.grids.looks[-1])
    parts = []
    for n in split(np.arange(len(batch)), most(min(work / 4, HOT), per_image)):
        low, high = int(n[0]), int(n[-1]) + 1
        priors = (search.direction_prior, shift_prior[low:high])
        parts.append(search_everywhere(a[low:high], b[low:high], search.slices, search.grids, priors, rule))
    return join(parts)


def _near(batch: Batch, state: State, search: GroupSearch, shift_prior: Tensor, setting: Setting, work: int) -> Survivors:
    assert isinstance(setting.rule, Gaussian)
    grids, sigma = search.grids, setting.sampling.sigma
    centres = euler_to_matrix(torch.from_numpy(state.alignment.angles[batch.rows]))
    local = local_candidates(grids.grid, centres, sigma, sigma, grids.perturbation, operators(setting.plan.symmetry))
    candidates = Candidates(np.asarray(local.offsets), np.asarray(local.rotation), np.asarray(local.log_prior))
    per_image = len(candidates.rotation) / len(batch) * (8 * grids.looks[0] + 60 * len(grids.phases)) + 16 * grids.looks[-1]

    def cut(numbers: np.ndarray, pixels: int) -> Tensor:
        matrices = rotations(grids.grid, torch.from_numpy(numbers), grids.perturbation)
        return projection.project(search.reference, matrices, search.geo.band, pixels)

    parts = []
    for n in split(np.arange(len(batch)), most(work / 4, per_image)):
        low, high = int(n[0]), int(n[-1]) + 1
        some = (batch.a[low:high], batch.b[low:high])
        parts.append(search_near(*some, candidates.take(n), grids, cut, shift_prior[low:high], setting.rule))
    return join(parts)
