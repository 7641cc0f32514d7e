"""The E-step of 2D classes of particles whose poses stay as they are: only their classes are in question."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from verglas.core import projection, reconstruct
from verglas.core.projection import Reference
from verglas.core.rotations import euler_to_matrix
from verglas.core.shifts import phases
from verglas.methods.refine import tally
from verglas.methods.refine.batch import Batch, make_batch
from verglas.methods.refine.expect import Belief, Setting, Task, make_references
from verglas.methods.refine.fine import Found, Giving
from verglas.methods.refine.images import Geometry, geometry, shell_sums, whole_pixels
from verglas.methods.refine.source import Source
from verglas.methods.refine.state import Alignment
from verglas.methods.refine.tally import Tally
from verglas.runtime.blocks import most, split
from verglas.runtime.stopwatch import Stopwatch


def expect_kept(belief: Belief, task: Task, source: Source, setting: Setting, watch: Stopwatch) -> tuple[Tally, Alignment]:
    """Like `expect.expect`, at psi and origins of `task.alignment`."""
    mine, plan = source.share.of(task.rows), setting.plan
    with watch("project"):
        references = make_references(setting, belief)
    sums = tuple(reconstruct.empty_sums(setting.box, plan.padding, setting.shells, flat=True) for _ in references)
    result = tally.empty_tally(sums, source.particles, setting.grid.direction_count)
    old = task.alignment
    new = replace(old, pmax=old.pmax.copy(), significant=old.significant.copy(), log_likelihood=old.log_likelihood.copy())
    log_share = torch.from_numpy(np.log(np.maximum(belief.prior.sum(1), 1e-30)))
    for g, group in enumerate(source.particles.optics):
        geo = geometry(group, setting.box, setting.pixel, setting.shells)
        rows = mine[source.particles.optics_index[mine] == g]
        for block in split(rows, most(source.budget.work / 2, (60 + 16 * len(references)) * len(geo.band))):
            spectra = source.spectra[g].get(block, whole_pixels(old.origin[block], geo.pixel), watch, len(geo.band))
            model = (belief.sigma2[g], belief.scale)
            with watch("prepare"):
                batch = make_batch(block, spectra, source.particles, geo, belief.average_norm / old.norm[block], model, plan.ctf)
            with watch("fine"):
                found = weigh_classes(batch, geo, references, log_share, old, Giving(result.sums, setting.gradient))
            with watch("tally"):
                ll = tally.add(result, batch, found, source.particles, (*model, belief.ssnr), (geo.band, source.spectra[g].full.band))
            new.pmax[block], new.log_likelihood[block], new.significant[block] = found.pmax, ll, len(references)
            source.progress(len(block))
    return result, new


def weigh_classes(batch: Batch, geo: Geometry, references: tuple[Reference, ...], log_share: Tensor, poses: Alignment, giving: Giving) -> Found:
    """p(k | image) ~ share_k exp(Re(a h)* S_k - b |S_k|^2 / 2) at the pose of each image, which then gives to the sums of the classes."""
    band, angles = geo.band, poses.angles[batch.rows] * (0.0, 0.0, 1.0)
    matrices = euler_to_matrix(torch.from_numpy(angles))
    shift = torch.from_numpy(poses.origin[batch.rows]) - batch.centre.double()
    h = phases(shift / geo.pixel, band.k[:, 0], band.k[:, 1], band.box)
    a, x = batch.a * h, batch.x * h
    slices = torch.stack([projection.project(one, matrices, band) for one in references])
    cross, power = (a.conj() * slices).real, batch.b * (slices.real**2 + slices.imag**2)
    logp = (cross - power / 2)[:, :, 1:].sum(2, dtype=torch.float64).T + log_share
    evidence = logp.logsumexp(1)
    weight = (logp - evidence[:, None]).exp()
    w = weight.float().T[:, :, None]
    for k, sums in enumerate(giving.sums):
        data, given = w[k] * x, w[k] * batch.weight
        reconstruct.accumulate(sums, data - given * slices[k] if giving.gradient else data, given, matrices, band)
    pmax, classes = weight.max(1)
    return Found(
        poses.angles[batch.rows], poses.origin[batch.rows], classes.numpy(), pmax.numpy(), evidence.numpy(),
        shell_sums((w * cross).sum(0), band), shell_sums((w * power).sum(0), band), weight.sum(0).numpy()[:, None])
