"""Class maps to begin with, from the data alone or from given maps."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core import reconstruct
from verglas.core.filters import apply_shells, lowpass
from verglas.core.projection import prepare_reference, project
from verglas.core.resample import resize_map
from verglas.core.symmetry import operators
from verglas.methods.fixedposes.expect import against_consensus
from verglas.methods.fixedposes.images import Images, make_grid
from verglas.methods.fixedposes.model import Model, References, only_consensus, references
from verglas.methods.fixedposes.plan import GivenMaps, Plan, PrincipalComponents, RandomSubsets
from verglas.methods.fixedposes.start import Masks

POLISH = 5
"""Rounds in which the components are made anew from the scores of all particles."""
RESTARTS, STEPS = 12, 25
"""Of the clustering within the components."""
MOST = 20_000
"""Particles that clusters are looked for among."""


def bootstrap(images: Images, model: Model, masks: Masks, plan: Plan, generator: torch.Generator) -> Model:
    """The model with K starting differences."""
    match plan.start:
        case GivenMaps(maps):
            return model.with_differences(from_maps(maps, images, model, masks, plan))
        case RandomSubsets(particles):
            refs = references(only_consensus(model), plan.padding, _low(images, plan))
            parts = [_difference(images, _subset(len(images), particles, generator), model, refs, plan) for _ in range(plan.classes)]
            return model.with_differences(_enlarged(np.stack(parts), images, masks))
        case PrincipalComponents():
            return from_components(images, model, masks, plan, plan.start, generator)


def from_maps(maps: np.ndarray, images: Images, model: Model, masks: Masks, plan: Plan) -> np.ndarray:
    """Given maps, low-passed and on the grey scale of the consensus V: a common factor a = <M, V> / <M, M>, M their mean."""
    grid = images.grid
    small = resize_map(torch.from_numpy(np.asarray(maps, np.float32)), grid.box)
    small = lowpass(small, grid.pixel, max(plan.lowpass, plan.resolution)) * masks.solvent
    mean, middle = small.mean(0), lowpass(torch.from_numpy(model.consensus), grid.pixel, max(plan.lowpass, plan.resolution))
    factor = float((mean * middle).sum() / mean.square().sum().clamp(min=1e-30))
    return np.asarray(((small * factor - middle) * masks.focus).numpy())


def _subset(count: int, size: int, generator: torch.Generator) -> np.ndarray:
    return np.sort(torch.randperm(count, generator=generator)[: min(size, max(count // 2, 1))].numpy())


def _low(images: Images, plan: Plan) -> int:
    """The shell of the low-pass filter of starting maps."""
    extent = images.grid.box * images.grid.pixel
    return min(max(round(extent / plan.lowpass), images.grid.first + 3), images.grid.shells)


def _low_box(images: Images, plan: Plan) -> int:
    """The side of maps at low resolution."""
    grid, low = images.grid, _low(images, plan)
    return make_grid(grid.box, grid.pixel, grid.box * grid.pixel / low).box


def _enlarged(maps: np.ndarray, images: Images, masks: Masks) -> np.ndarray:
    """Low-resolution maps on the grid of the model, on its grey scale, the same as the consensus outside the focus mask."""
    box = images.grid.box
    return np.asarray((resize_map(torch.from_numpy(maps), box) * (maps.shape[-1] / box) * masks.focus).float().numpy())


def _difference(images: Images, rows: np.ndarray, model: Model, refs: References, plan: Plan, weights: Tensor | None = None) -> np.ndarray:
    """The difference from the consensus that `rows` show at low resolution, on a small grid.

    With `weights` (N, 2) its least-squares solution for images w D + noise: sum w C r / sigma2 over sum v C^2 / sigma2,
    w = weights[:, 0] and v = weights[:, 1], the expectations of a coordinate and of its square.
    """
    low = _low(images, plan)
    sums = reconstruct.empty_sums(_low_box(images, plan), plan.padding, low)
    for block in images.blocks(rows, low, 6):
        seen = against_consensus(block, images, model, refs)
        a, b = seen.a, seen.b
        if weights is not None:
            w = weights[torch.from_numpy(block.rows)]
            a, b = a * w[:, :1], b * w[:, 1:]
        reconstruct.accumulate(sums, a, b, block.rotations, images.geometry[block.group].band)
    images.share.group.sum_(sums.data, sums.weight)
    reconstruct.complete(sums, operators(plan.symmetry))
    volume = reconstruct.solve(sums)
    compared = torch.ones(volume.shape[-1] // 2 + 1)
    compared[: images.grid.first] = 0.0
    return np.asarray(apply_shells(volume, compared).numpy())


@dataclass(frozen=True)
class Coordinates:
    """What images say of coordinates z (N, q) along components: log p(x | z) = y z - z A z / 2 + const; y (N, q), A (N, q, q)."""

    y: Tensor
    a: Tensor

    def posterior(self) -> tuple[Tensor, Tensor]:
        """Mean (N, q) and variance (N, q) of z under a standard normal prior."""
        covariance = torch.linalg.inv(self.a + torch.eye(self.a.shape[1], dtype=self.a.dtype))
        return (covariance @ self.y[:, :, None])[:, :, 0], covariance.diagonal(dim1=1, dim2=2)


def from_components(
    images: Images, model: Model, masks: Masks, plan: Plan, choice: PrincipalComponents, generator: torch.Generator
) -> Model:
    """Many reconstructions, their principal components, all particles along these, and clusters of particles there."""
    rank = max(choice.components, plan.classes - 1)
    refs = references(only_consensus(model), plan.padding, _low(images, plan))
    focus = resize_map(masks.focus, _low_box(images, plan)).clamp(0.0, 1.0).numpy()
    subsets = [_subset(len(images), choice.particles, generator) for _ in range(choice.reconstructions)]
    maps = np.stack([_difference(images, rows, model, refs, plan) for rows in subsets]) * focus
    volumes = principal_components(maps - maps.mean(0), rank) * np.sqrt(len(subsets[0]))
    everyone = np.arange(len(images))
    for _ in range(POLISH):
        mean, variance = coordinates(images, model, _enlarged(volumes, images, masks), plan).posterior()
        pairs = torch.stack((mean, mean**2 + variance), 1).float()
        volumes = np.stack([_difference(images, everyone, model, refs, plan, pairs[:, :, j]) for j in range(rank)]) * focus
        volumes = principal_components(volumes, rank, centred=False)
    large = _enlarged(volumes, images, masks)
    centres, sizes = cluster(coordinates(images, model, large, plan), plan.classes, generator)
    differences = np.einsum("kq,qzyx->kzyx", centres.numpy(), large)
    return replace(model.with_differences(differences), prior=sizes.numpy())


def principal_components(maps: np.ndarray, rank: int, centred: bool = True) -> np.ndarray:
    """The first `rank` orthogonal directions of maps (M, m, m, m), each as long as the standard deviation along it (or, not centred, as the
    root of the sum of squares)."""
    flat = torch.from_numpy(maps.reshape(len(maps), -1)).double()
    values, vectors = torch.linalg.eigh(flat @ flat.T)
    order = torch.argsort(values, descending=True)[:rank]
    out = vectors[:, order].T @ flat
    if centred:
        out = out / np.sqrt(max(len(maps) - 1, 1))
    return np.asarray(out.reshape(-1, *maps.shape[1:]).float().numpy())


def coordinates(images: Images, model: Model, volumes: np.ndarray, plan: Plan) -> Coordinates:
    """y_j = sum Re(conj(a) D_j) and A_jl = sum b Re(conj(D_j) D_l) of every image for components D (q, m, m, m), at low resolution."""
    low, rank = _low(images, plan), len(volumes)
    refs = references(only_consensus(model), plan.padding, low)
    components = [prepare_reference(torch.from_numpy(np.ascontiguousarray(one)), plan.padding, low) for one in volumes]
    y, a = torch.zeros(len(images), rank, dtype=torch.float64), torch.zeros(len(images), rank, rank, dtype=torch.float64)
    for block in images.blocks(np.arange(len(images)), low, 6 + 2 * rank):
        band, at = images.geometry[block.group].band, torch.from_numpy(block.rows)
        seen = against_consensus(block, images, model, refs)
        cuts = torch.stack([project(one, block.rotations, band, block.x.shape[1]) for one in components], 1)
        begin = images.begin(block.group)
        data, power, cuts = seen.a[:, begin:], seen.b[:, begin:], cuts[:, :, begin:]
        y[at] = torch.einsum("np,nqp->nq", torch.view_as_real(data.contiguous()).flatten(1), torch.view_as_real(cuts).flatten(2)).double()
        weighted = torch.view_as_real(cuts * power[:, None].sqrt()).flatten(2)
        a[at] = (weighted @ weighted.transpose(1, 2)).double()
    images.share.group.sum_(y, a)
    return Coordinates(y, a)


def cluster(found: Coordinates, classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (K, q) and sizes (K,) of the mixture of K points z that explains the images best, from many random starts.

    Expectation maximisation on the images themselves: centre_k = (sum w A)^-1 sum w y, w the posterior of class k.
    """
    some = torch.randperm(len(found.y), generator=generator)[:MOST]
    found = Coordinates(found.y[some], found.a[some])
    mean, _ = found.posterior()
    best: tuple[float, Tensor, Tensor] | None = None
    for _ in range(RESTARTS):
        centres = mean[torch.randperm(len(mean), generator=generator)[:classes]].clone()
        sizes = torch.full((classes,), 1.0 / classes, dtype=torch.float64)
        fit = -np.inf
        for _ in range(STEPS):
            logs = found.y @ centres.T - 0.5 * torch.einsum("kq,nqr,kr->nk", centres, found.a, centres) + sizes.log()
            fit, weights = float(torch.logsumexp(logs, 1).sum()), torch.softmax(logs, 1)
            precision = torch.einsum("nk,nqr->kqr", weights, found.a) + torch.eye(mean.shape[1], dtype=torch.float64)
            centres = torch.linalg.solve(precision, torch.einsum("nk,nq->kq", weights, found.y)[:, :, None])[:, :, 0]
            sizes = (weights.mean(0) + 1e-6) / (1 + classes * 1e-6)
        if best is None or fit > best[0]:
            best = (fit, centres, sizes)
    assert best is not None
    return best[1], best[2]
