"""The E-step: how probable is each class for each image, and the sums from which class maps, noise and scales follow."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core.band import Band
from verglas.core.projection import project
from verglas.core.reconstruct import Sums, accumulate, empty_sums
from verglas.core.shells import shell_sum
from verglas.methods.fixedposes.images import Block, Images
from verglas.methods.fixedposes.model import Model, References, references

NEGLIGIBLE = 1e-3
"""An image with a smaller share of a class is not inserted into its map."""


@dataclass
class Tally:
    """Running sums over images: sums[k][h] of class k and half h (residuals against the consensus); noise (G, S) residual power of
    images (G,) with pixels (G, S) each.

    posterior (N, K); xa, aa (N,): <X, S> and <S, S> weighted by 1/sigma2, S the slice expected over the classes at scale 1; gain (N,):
    log-likelihood minus that of the consensus alone. Rows that were not visited stay 0.
    """

    sums: tuple[tuple[Sums, Sums], ...]
    noise: np.ndarray
    images: np.ndarray
    pixels: np.ndarray
    posterior: np.ndarray
    xa: np.ndarray
    aa: np.ndarray
    gain: np.ndarray


def empty_tally(images: Images, classes: int, padding: float, shells: int) -> Tally:
    n, groups, box = len(images), len(images.geometry), images.grid.box
    sums = tuple((empty_sums(box, padding, shells), empty_sums(box, padding, shells)) for _ in range(classes))
    pixels = np.zeros((groups, shells + 1))
    for g, geo in enumerate(images.geometry):
        count = np.diff(geo.band.shell_start.numpy())[: shells + 1]
        pixels[g, : len(count)] = count
    return Tally(sums, np.zeros((groups, shells + 1)), np.zeros(groups), pixels, np.zeros((n, classes), np.float32), *np.zeros((3, n)))


@dataclass(frozen=True)
class Rule:
    """How posteriors become weights: `hard` gives an image to its best class alone; `similarity` spreads that share over all classes."""

    hard: bool = False
    similarity: float = 0.0


@dataclass(frozen=True)
class Weighted:
    """n images against the consensus: s0 (n, P) its slices, c (n, P) contrast with scale, r = x - c s0, a = c r / sigma2, b = c^2 / sigma2."""

    s0: Tensor
    c: Tensor
    r: Tensor
    a: Tensor
    b: Tensor
    inverse: Tensor


def against_consensus(block: Block, images: Images, model: Model, refs: References) -> Weighted:
    """Residuals and weights of a block; the origin of the transform has none."""
    band, count = images.geometry[block.group].band, block.x.shape[1]
    inverse = torch.from_numpy(1.0 / np.maximum(model.sigma2[block.group], 1e-30)).float()[band.shell[:count]]
    inverse[0] = 0.0
    s0 = project(refs.consensus, block.rotations, band, count)
    c = block.c * torch.from_numpy(model.scale[block.rows]).float()[:, None]
    r = block.x - c * s0
    weighted = c * inverse
    return Weighted(s0, c, r, r * weighted, c * weighted, inverse)


def cut_differences(block: Block, refs: References, half: Tensor, band: Band) -> list[Tensor]:
    """K slices (n, P) for each image, of the differences that the other half of the particles shows."""
    count = block.x.shape[1]
    out = [torch.empty(block.x.shape, dtype=torch.complex64) for _ in refs.differences[0]]
    for h in (0, 1):
        some = torch.nonzero(half == h)[:, 0]
        for k, reference in enumerate(refs.differences[h]):
            out[k][some] = project(reference, block.rotations[some], band, count)
    return out


def gains(weighted: Weighted, slices: list[Tensor], begin: int) -> Tensor:
    """log p(x | k) - log p(x | consensus) = sum Re(conj(a) D_k) - b |D_k|^2 / 2, D_k the slice of the difference -> (n, K) float64.

    Over pixels from `begin` on: the background that was subtracted from an image, and the mask, act on the coarsest shells, where all
    pixels then err together; classes would separate by that.
    """
    a, b, cuts = weighted.a[:, begin:], weighted.b[:, begin:], [d[:, begin:] for d in slices]
    return torch.stack([((a.conj() * d).real - 0.5 * b * (d.real**2 + d.imag**2)).sum(1, dtype=torch.float64) for d in cuts], 1)


def expect(images: Images, rows: np.ndarray, model: Model, half: np.ndarray, rule: Rule, padding: float, shells: int) -> Tally:
    """Visit `rows`, each in its process; the sums of all. half (N,) is 0 or 1."""
    refs = references(model, padding, shells)
    tally = empty_tally(images, model.classes, padding, shells)
    prior = torch.from_numpy(np.log(np.maximum(model.prior, 1e-12)))
    for block in images.blocks(rows, shells, 6 + model.classes):
        band = images.geometry[block.group].band
        seen = against_consensus(block, images, model, refs)
        slices = cut_differences(block, refs, torch.from_numpy(half[block.rows]), band)
        begin = images.begin(block.group)
        logs = gains(seen, slices, begin) + prior
        posterior = torch.softmax(logs, 1)
        tally.gain[block.rows] = torch.logsumexp(logs, 1).numpy()
        tally.posterior[block.rows] = posterior.float().numpy()
        weights = _weights(posterior, prior, rule)
        _add_noise(tally, block, seen, slices, posterior.float(), band.shell)
        _add_scale(tally, block, seen, slices, posterior.float(), begin)
        _insert(tally, block, seen, weights, torch.from_numpy(half[block.rows]), images)
    return _pooled(tally, rows, images)


def _pooled(tally: Tally, rows: np.ndarray, images: Images) -> Tally:
    """Sums over all processes, and `rows` from the process that has visited them."""
    volumes = (array for pair in tally.sums for sums in pair for array in (sums.data, sums.weight))
    images.share.group.sum_(*volumes, tally.noise, tally.images)
    posterior, xa, aa, gain = images.share.merge(rows, tally.posterior, tally.xa, tally.aa, tally.gain)
    return replace(tally, posterior=posterior, xa=xa, aa=aa, gain=gain)


def _weights(posterior: Tensor, prior: Tensor, rule: Rule) -> Tensor:
    """(n, K) float32: (1 - s) p + s prior, or 1 for the best class."""
    if rule.hard:
        posterior = torch.nn.functional.one_hot(posterior.argmax(1), posterior.shape[1]).to(posterior)
    return ((1.0 - rule.similarity) * posterior + rule.similarity * prior.exp()).float()


def _add_noise(tally: Tally, block: Block, seen: Weighted, slices: list[Tensor], posterior: Tensor, shell: Tensor) -> None:
    """|r - c D|^2 averaged over the classes, per shell."""
    power = seen.r.real**2 + seen.r.imag**2
    for k, d in enumerate(slices):
        power += posterior[:, k, None] * (seen.c**2 * (d.real**2 + d.imag**2) - 2 * seen.c * (seen.r.conj() * d).real)
    tally.noise[block.group] += shell_sum(power.sum(0), shell[: power.shape[1]], tally.noise.shape[1]).numpy()
    tally.images[block.group] += len(block.rows)


def _add_scale(tally: Tally, block: Block, seen: Weighted, slices: list[Tensor], posterior: Tensor, begin: int) -> None:
    """<X, S> and <S, S> of the expected slice S = s0 + sum p D, from pixel `begin` on."""
    expected = seen.s0.clone()
    for k, d in enumerate(slices):
        expected += posterior[:, k, None] * d
    s, inverse = (block.c * expected)[:, begin:], seen.inverse[begin:]
    tally.xa[block.rows] = ((block.x[:, begin:].conj() * s).real * inverse).sum(1).numpy()
    tally.aa[block.rows] = ((s.real**2 + s.imag**2) * inverse).sum(1).numpy()


def _insert(tally: Tally, block: Block, seen: Weighted, weights: Tensor, half: Tensor, images: Images) -> None:
    """Sums of class k += w_k a, w_k b at the poses of the images."""
    band = images.geometry[block.group].band
    for k, pair in enumerate(tally.sums):
        for h in (0, 1):
            some = torch.nonzero((half == h) & (weights[:, k] > NEGLIGIBLE))[:, 0]
            if len(some):
                w = weights[some, k, None]
                accumulate(pair[h], seen.a[some] * w, seen.b[some] * w, block.rotations[some], band)
