"""Small particle sets of two states with known poses on disk, for tests of classifications."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from verglas.core.projection import prepare_reference
from verglas.io.mrc import StackWriter
from verglas.io.particles_star import write_particles
from verglas.methods.simulate.design import Design, design, optics_group
from verglas.methods.simulate.images import clean, normalise
from verglas.testing.particle_sets import blobs
from verglas.types import Map, Particles


def two_states(box: int = 32, pixel: float = 5.0) -> tuple[Map, Map]:
    """A molecule, and the same with one more round domain beside it."""
    whole = blobs(box, pixel, "C1")
    axis = np.arange(box) - box // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    domain = np.exp(-((x - 0.25 * box) ** 2 + y**2 + (z + 0.1 * box) ** 2) / (2 * 2.0**2))
    return whole, replace(whole, data=(whole.data + domain).astype(np.float32))


def write_mixture(folder: Path, states: tuple[Map, ...], number: int, snr: float = 0.5, seed: int = 1, scale_sd: float = 0.0) -> Particles:
    """particles.star with poses and p.mrcs; gives back the truth with its class numbers and, as CTF scales, the planted scales."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 7])
    box, pixel = states[0].box, states[0].pixel_size
    truth = design(Design(number, (optics_group(pixel, box),), stack="p", seed=seed))
    truth = replace(truth, class_number=1 + rng.integers(0, len(states), number))
    scale = np.exp(rng.normal(0.0, scale_sd, number))
    pixels = torch.empty(number, box, box)
    for k, state in enumerate(states, start=1):
        mine = np.flatnonzero(truth.class_number == k)
        pixels[mine] = clean(state, prepare_reference(torch.from_numpy(state.data)), truth.take(mine))
    sigma = float(pixels.var() / snr) ** 0.5
    noise = torch.from_numpy(rng.standard_normal((number, box, box), dtype=np.float32))
    with StackWriter(folder / "p.mrcs", pixel) as stack:
        stack.append(normalise(pixels * torch.from_numpy(scale).float()[:, None, None] + sigma * noise).numpy())
    write_particles(folder / "particles.star", replace(truth, class_number=np.zeros(number, np.int64)))
    return replace(truth, defocus=replace(truth.defocus, scale=scale))


def agreement(found: np.ndarray, true: np.ndarray) -> float:
    """Adjusted Rand index of two partitions (N,) (Hubert & Arabie 1985): 1 the same, 0 by chance."""
    table = np.zeros((found.max() + 1, true.max() + 1))
    np.add.at(table, (found, true), 1)
    together, rows, columns, every = ((x * (x - 1) / 2).sum() for x in (table, table.sum(1), table.sum(0), np.array([len(found)])))
    expected = rows * columns / every
    return float((together - expected) / max((rows + columns) / 2 - expected, 1e-12))
