"""A small refinement with known truth, made without any file."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from verglas.core import filters
from verglas.methods.refine import loop
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.source import Source, make_source
from verglas.methods.refine.state import State
from verglas.methods.simulate.design import Design, design, optics_group
from verglas.methods.simulate.images import WhiteNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.blocks import Budget
from verglas.types import Particles

BOX, PIXEL, DIAMETER = 32, 5.0, 130.0
PLAN = Plan("D2", DIAMETER, 30.0, absolute_greyscale=True, offset_range=10.0, offset_step=2.5, seed=3)
LARGE = Budget(1 << 28, 1 << 28)


@dataclass(frozen=True)
class Problem:
    truth: Particles
    pixels: np.ndarray
    volume: np.ndarray


def make(number: int = 160, snr: float = 1.0, seed: int = 1) -> Problem:
    """Particles of a D2 phantom, 32 px of 5 Å."""
    volume = phantom(BOX, PIXEL, "D2", kilodalton=150)
    truth = design(Design(number, (optics_group(PIXEL, BOX),), seed=seed, per_micrograph=40))
    pixels = np.concatenate([np.asarray(block.pixels) for block in images(volume, truth, WhiteNoise(snr), seed=seed)])
    return Problem(truth, pixels, volume.data)


def source_of(problem: Problem, budget: Budget = LARGE, plan: Plan = PLAN, device: str = "cpu") -> Source:
    particles = replace(problem.truth, half=loop.assign_halves(np.zeros(len(problem.truth), np.int64), plan))
    return make_source(particles, lambda rows: problem.pixels[rows], (BOX, PIXEL), plan.diameter, budget, device=device)


def start_of(problem: Problem, source: Source, plan: Plan = PLAN) -> State:
    low = filters.lowpass(torch.from_numpy(problem.volume), PIXEL, plan.initial_lowpass).numpy()
    return loop.start(source, low, PIXEL, plan)
