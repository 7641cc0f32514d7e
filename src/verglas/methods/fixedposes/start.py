"""Before there are classes: the consensus of all particles, the noise, and the scale of each particle."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from verglas.core.symmetry import operators
from verglas.methods.fixedposes.expect import Rule, expect
from verglas.methods.fixedposes.images import Images
from verglas.methods.fixedposes.maximise import noise_spectra, particle_scales, solve_class
from verglas.methods.fixedposes.model import Model
from verglas.methods.fixedposes.plan import Plan
from verglas.methods.masking import make_mask
from verglas.types import Map

ROUNDS = 3
"""Consensus, noise and scales depend on each other; this often they are estimated in turn."""
LOWPASS, WIDER, EDGE = 15.0, 12.0, 8.0
"""Å, of the automatic solvent mask."""


@dataclass(frozen=True)
class Masks:
    """`solvent` and `focus` (m, m, m) on the grid of the model: maps are 0 outside the one, classes the same outside the other."""

    solvent: Tensor
    focus: Tensor

    @property
    def pair(self) -> tuple[Tensor, Tensor]:
        return self.solvent, self.focus


def consensus(images: Images, masks: Masks, half: np.ndarray, plan: Plan, scale: np.ndarray) -> Model:
    """A model of one class: map, noise and, with scaling 'optimal', scales; half (N,) is 0 or 1."""
    rows = np.arange(len(images))
    blank = np.zeros((images.grid.box,) * 3, np.float32)
    model = Model(blank, blank[None], np.stack((blank, blank))[:, None], np.ones(1), image_power(images), scale)
    for _ in range(ROUNDS if plan.scaling == "optimal" else 2):
        tally = expect(images, rows, replace(model, consensus=blank), half, Rule(), plan.padding, images.grid.shells)
        solved = solve_class(tally.sums[0], torch.from_numpy(blank), (masks.solvent, masks.solvent), operators(plan.symmetry))
        model = replace(model, consensus=solved.difference.numpy())
        seen = expect(images, rows, model, half, Rule(), plan.padding, images.grid.shells)
        model = replace(model, sigma2=noise_spectra(seen, model.sigma2))
        if plan.scaling == "optimal":
            model = replace(model, scale=particle_scales(seen, rows))
    return model


def masks_of(model: Model, sphere: Masks, pixel: float) -> Masks:
    """The masks narrowed to the consensus: low-passed to 15 Å, automatic threshold, 12 Å wider, an edge of 8 Å."""
    found = make_mask(Map(model.consensus, pixel), LOWPASS, "auto", WIDER / pixel, EDGE / pixel)
    narrow = torch.from_numpy(found.mask.data)
    return Masks(sphere.solvent * narrow, sphere.focus * narrow)


def image_power(images: Images) -> np.ndarray:
    """sigma2 (G, S) if the images were noise alone: half of their mean power, by shell."""
    shells = images.grid.shells
    total, count = np.zeros((2, len(images.geometry), images.grid.box // 2 + 1))
    for block in images.blocks(np.arange(len(images)), shells, 2):
        shell = images.geometry[block.group].band.shell[: block.x.shape[1]].numpy()
        total[block.group] += np.bincount(shell, block.x.abs().square().sum(0).double().numpy(), total.shape[1])
        count[block.group] += np.bincount(shell, minlength=total.shape[1]) * len(block.rows)
    images.share.group.sum_(total, count)
    return np.where(count > 0, total / np.maximum(2 * count, 1), 1.0)


def batches(rows: np.ndarray, size: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Endless random batches; every row comes once before any comes again."""
    while True:
        order = rows[torch.randperm(len(rows), generator=generator).numpy()]
        for low in range(0, max(len(rows) - size, 0) + 1, size):
            yield np.sort(order[low : low + size])
