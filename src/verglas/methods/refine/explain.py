"""What the E-step sees of one particle: every intermediate by name, for looking and for teaching."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection, reconstruct
from verglas.core.rotations import euler_to_matrix
from verglas.core.sampling import orientation_grid
from verglas.core.shifts import phases
from verglas.methods.refine import expect
from verglas.methods.refine.batch import Batch, make_batch
from verglas.methods.refine.fine import Chunks, Found, Giving, fine_pass
from verglas.methods.refine.hypotheses import Survivors
from verglas.methods.refine.images import geometry, whole_pixels
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.search import Gaussian
from verglas.methods.refine.source import Source
from verglas.methods.refine.state import State
from verglas.runtime.stopwatch import Stopwatch


@dataclass(frozen=True)
class Explanation:
    """One particle in one iteration. `batch`: its transform and CTF on the band; `survivors` of the coarse grid; `found`: the fine pass.

    predicted (P,): s_g C S h* at the best pose, the model of `batch.a sigma2 / s_g C`; search: grids and reference.
    """

    batch: Batch
    search: expect.GroupSearch
    survivors: Survivors
    found: Found
    predicted: Tensor


def explain(state: State, row: int, source: Source, plan: Plan) -> Explanation:
    """The E-step of particle `row` with the model of its own half, on the grid and band of `state`."""
    half, g = int(source.particles.half[row]) - 1, int(source.particles.optics_index[row])
    model, group = state.models[half], source.particles.optics[g]
    rows, watch = np.array([row]), Stopwatch()
    grid = orientation_grid(state.sampling.order, plan.symmetry)
    shells = state.schedule.current_size // 2
    setting = expect.Setting(plan, state.sampling, grid, shells, state.box, state.pixel_size, Gaussian(plan.adaptive_fraction))
    belief, task = expect.belief_of(model), expect.Task(rows, state.alignment)
    references = expect.make_references(setting, belief, source.device)
    geo = geometry(group, state.box, state.pixel_size, shells).to(source.device)
    search = expect.group_search(setting, geo, references, belief, g, source.budget.bfloat)
    spectra = source.spectra[g].get(rows, whole_pixels(state.alignment.origin[rows], geo.pixel), watch, len(geo.band))
    norm = model.average_norm / state.alignment.norm[rows]
    batch = make_batch(rows, spectra, source.particles, geo, norm, (model.sigma2[g], model.scale), plan.ctf)
    survivors, _ = expect.coarse_pass(batch, belief, task, setting, search, source.budget.work, watch)
    chunks = Chunks(references, geo.band, search.grids, np.unique(survivors.rotation), grid.rotation_count)
    sums = reconstruct.empty_sums(state.box, plan.padding, shells, source.device)
    found = fine_pass(batch, survivors, chunks, Giving((sums,)), setting.rule, None, watch)
    return Explanation(batch, search, survivors, found, _predict(batch, search, found))


def _predict(batch: Batch, search: expect.GroupSearch, found: Found) -> Tensor:
    """s_g C S(best rotation) moved to where the particle is, (P,) complex64."""
    band, sigma2 = search.geo.band, torch.from_numpy(search.sigma2).to(batch.b)[search.geo.band.shell]
    cut = projection.project(search.references[0], euler_to_matrix(torch.from_numpy(found.angles)), band)[0]
    shift = torch.from_numpy(found.origin) - batch.centre.double()
    move = phases(-shift.to(cut.device) / search.geo.pixel, band.k[:, 0], band.k[:, 1], band.box)[0]
    return cut * move * (batch.b[0] * sigma2).sqrt()
