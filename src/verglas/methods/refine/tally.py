"""Sums over the particles of one half set, from which the M-step makes the next model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verglas.core.band import Band
from verglas.core.reconstruct import Sums
from verglas.methods.refine.batch import Batch
from verglas.methods.refine.fine import Found
from verglas.methods.refine.state import Alignment
from verglas.runtime.share import Share
from verglas.types import Particles

SCALE_SSNR = 3.0
"""Group scales are estimated from shells whose signal-to-noise ratio exceeds this."""


@dataclass
class Tally:
    """Running sums: noise (G, S) residual power, images (G,), pixels (G, S) per image, xa and aa (Q,) for the scales, and totals.

    residual (N,) is each particle's total residual power, for its norm, classes (N,) its best class; other rows stay 0.
    sums: one for each class; direction (K, D).
    """

    sums: tuple[Sums, ...]
    noise: np.ndarray
    images: np.ndarray
    pixels: np.ndarray
    xa: np.ndarray
    aa: np.ndarray
    direction: np.ndarray
    residual: np.ndarray
    classes: np.ndarray
    offset2: float = 0.0
    pmax: float = 0.0
    log_likelihood: float = 0.0
    particles: int = 0


def empty_tally(sums: tuple[Sums, ...], particles: Particles, directions: int) -> Tally:
    shells, groups, n = sums[0].box // 2 + 1, len(particles.optics), len(particles)
    return Tally(
        sums, np.zeros((groups, shells)), np.zeros(groups), np.zeros((groups, shells)), np.zeros(len(particles.group_names)),
        np.zeros(len(particles.group_names)), np.zeros((len(sums), directions)), np.zeros(n), np.zeros(n, np.int64),
    )


def add(
    tally: Tally, batch: Batch, found: Found, particles: Particles, model: tuple[np.ndarray, np.ndarray, np.ndarray], bands: tuple[Band, Band]
) -> np.ndarray:
    """Add a block. model = (sigma2 of the optics group (S,), scale (Q,), ssnr (K, S)); bands = (of this iteration, to Nyquist).

    Residual per shell: |X|^2 - 2 sigma2 XA + sigma2 AA within the band (RELION's wsum_sigma2_noise), |X|^2 beyond.
    Returns the log-likelihood of each image: log evidence - sum |X|^2 / 2 sigma2 within the band - sum log 2 pi sigma2.
    """
    sigma2, scale, ssnr = model
    band, full = bands
    inside = found.xa.shape[1]
    xa = found.xa.numpy(force=True).astype(np.float64) * sigma2[:inside]
    aa = found.aa.numpy(force=True).astype(np.float64) * sigma2[:inside]
    power = batch.power.numpy(force=True).astype(np.float64)
    residual = power.copy()
    residual[:, :inside] += aa - 2 * xa
    residual = np.maximum(residual, 0)
    group = particles.optics_index[batch.rows[0]]
    tally.noise[group] += residual.sum(0)
    tally.images[group] += len(batch)
    tally.pixels[group] = np.diff(full.shell_start.numpy(force=True))
    tally.residual[batch.rows] = residual[:, 1:].sum(1)
    tally.classes[batch.rows] = found.classes
    strong = ssnr[found.classes, :inside] > SCALE_SSNR
    strong[:, 0] = False
    factor = scale[particles.group[batch.rows]]
    np.add.at(tally.xa, particles.group[batch.rows], (xa * strong).sum(1) / factor)
    np.add.at(tally.aa, particles.group[batch.rows], (aa * strong).sum(1) / factor**2)
    tally.direction += found.direction
    tally.offset2 += float((found.origin**2).sum())
    tally.pmax += float(found.pmax.sum())
    tally.particles += len(batch)
    count = np.diff(band.shell_start.numpy(force=True))
    fit = (power[:, 1:inside] / (2 * sigma2[1:inside])).sum(1) + (count[1:] * np.log(2 * np.pi * sigma2[1:inside])).sum()
    log_likelihood = found.evidence - fit
    tally.log_likelihood += float(log_likelihood.sum())
    return np.asarray(log_likelihood)


TOTALS = ("offset2", "pmax", "log_likelihood", "particles")


def pool(tallies: Sequence[Tally], poses: Alignment, rows: np.ndarray, share: Share) -> Alignment:
    """The tallies become their sums over all processes; the poses of `rows` (n,), each from the process that looked at it."""
    if share.group.size == 1:
        return poses
    for tally in tallies:
        volumes = (array for sums in tally.sums for array in (sums.data, sums.weight))
        totals, count = np.array([float(getattr(tally, name)) for name in TOTALS]), np.zeros_like(tally.pixels)
        count[tally.images > 0] = 1
        pixels = tally.pixels * count
        share.group.sum_(*volumes, tally.noise, tally.images, tally.xa, tally.aa, tally.direction, totals, count, pixels)
        tally.pixels = pixels / np.maximum(count, 1)
        for name, total in zip(TOTALS, totals.tolist()):
            setattr(tally, name, type(getattr(tally, name))(total))
        tally.residual, tally.classes = share.merge(rows, tally.residual, tally.classes)
    return Alignment(*share.merge(rows, *vars(poses).values()))
