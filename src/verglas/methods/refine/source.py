"""What a refinement reads: the particle table, the pixels, detector curves, and how much memory it may use."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from verglas.methods.refine.images import Mtf, geometry
from verglas.methods.refine.spectra import Reader, SpectraSource
from verglas.runtime.blocks import Budget, split
from verglas.runtime.share import Share, alone
from verglas.runtime.stopwatch import Stopwatch
from verglas.types import Particles

NOISE_PARTICLES = 1000
"""Particles per optics group from which the first noise spectra are made."""


@dataclass(frozen=True)
class Source:
    """`spectra` has one entry per optics group; `mask` (B, B, B) or None; `share`: the particles of this process.

    `progress(n)` is told of n particles done. `device`: where the E-step computes; everything outside of it is numpy or on the CPU.
    """

    particles: Particles
    spectra: tuple[SpectraSource, ...]
    mask: np.ndarray | None
    budget: Budget
    share: Share
    progress: Callable[[int], None] = lambda n: None
    device: str = "cpu"


def make_source(
    particles: Particles, reader: Reader, model: tuple[int, float], diameter: float, budget: Budget,
    mtf: tuple[Mtf | None, ...] = (), mask: np.ndarray | None = None, share: Share | None = None, device: str = "cpu",
) -> Source:
    """`model` = (box, pixel size in Å) of the reference; `mtf`: detector curve of each optics group, by which its images are divided.

    `share`: the particles of this process, all if None.
    """
    share = share or alone(len(particles))
    sources, count = [], int(share.mine.sum())
    for g, group in enumerate(particles.optics):
        rows = np.flatnonzero((particles.optics_index == g) & share.mine)
        full = geometry(group, model[0], model[1], model[0] // 2)
        cache = int(budget.cache * len(rows) / max(count, 1))
        sources.append(SpectraSource(reader, rows, full, diameter, cache, mtf[g] if mtf else None, device))
    return Source(particles, tuple(sources), mask, budget, share, device=device)


def initial_noise(source: Source, box: int, generator: torch.Generator) -> np.ndarray:
    """sigma2 (G, S): half of (mean power - power of the mean image) per shell, from up to 1000 particles of each group."""
    shells = box // 2 + 1
    out = np.zeros((len(source.particles.optics), shells))
    for g, spectra in enumerate(source.spectra):
        rows = np.flatnonzero(source.particles.optics_index == g)
        if len(rows) == 0:
            continue
        rows = np.sort(rows[torch.randperm(len(rows), generator=generator)[:NOISE_PARTICLES].numpy()])
        band = spectra.full.band
        total, power, watch = torch.zeros(len(band), dtype=torch.complex64), torch.zeros(shells, dtype=torch.float64), Stopwatch()
        for block in split(source.share.of(rows), 256):
            s = spectra.get(block, np.zeros((len(block), 2), np.int64), watch)
            total += s.masked.sum(0).cpu()
            power += s.power.sum(0).double().cpu()
        source.share.group.sum_(total, power)
        count = band.shell_start.diff().double().clamp(min=1)
        mean_power = torch.zeros(shells, dtype=torch.float64).index_add_(0, band.shell, (total / len(rows)).abs().double() ** 2)
        out[g] = _positive(((power / len(rows) - mean_power) / count / 2).numpy())
    return out


def _positive(spectrum: np.ndarray) -> np.ndarray:
    """Empty or negative shells take the nearest positive value below, else above."""
    good = np.flatnonzero(spectrum > 0)
    if len(good) == 0:
        return np.full_like(spectrum, 1e-30)
    nearest = np.clip(np.searchsorted(good, np.arange(len(spectrum)), side="right") - 1, 0, None)
    return np.asarray(spectrum[good[nearest]])
