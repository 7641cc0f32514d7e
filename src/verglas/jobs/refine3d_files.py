"""RELION's files of a refinement: written after every iteration, the optimiser last, so that it marks a complete one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.model_star import write_model
from verglas.io.mrc import write_map
from verglas.io.optimiser_star import write_optimiser
from verglas.io.particles_star import write_particles
from verglas.io.sampling_star import write_sampling
from verglas.jobs import refine3d_tables as tables
from verglas.types import Map, Particles, Poses

if TYPE_CHECKING:
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.state import State


def root_name(iteration: int) -> str:
    """run_it007."""
    return f"run_it{iteration:03d}"


def write_iteration(folder: Path, state: "State", particles: Particles, plan: "Plan") -> None:
    """run_itNNN_*: data, both half models with their maps, sampling, optimiser."""
    root = root_name(state.iteration)
    write_data(folder / f"{root}_data.star", state, particles)
    for half in (1, 2):
        name = folder / f"{root}_half{half}_class001.mrc"
        write_map(name, Map(state.models[half - 1].map, state.pixel_size))
        write_model(folder / f"{root}_half{half}_model.star", tables.model(state, half, str(name), particles, plan))
    write_sampling(folder / f"{root}_sampling.star", tables.sampling(state, plan))
    write_optimiser(folder / f"{root}_optimiser.star", tables.optimiser(state, folder, root, plan), comment="verglas")


def write_final(folder: Path, state: "State", particles: Particles, plan: "Plan") -> None:
    """run_*: joined map and model, unfiltered half maps, data, sampling, optimiser."""
    assert state.average is not None and state.unfiltered is not None
    write_data(folder / "run_data.star", state, particles)
    joined = folder / "run_class001.mrc"
    write_map(joined, Map(state.average, state.pixel_size))
    write_model(folder / "run_model.star", tables.model(state, 1, str(joined), particles, plan))
    for half in (1, 2):
        name = folder / f"run_half{half}_class001_unfil.mrc"
        write_map(name, Map(state.unfiltered[half - 1], state.pixel_size))
        write_model(folder / f"run_half{half}_model.star", tables.model(state, half, str(name), particles, plan))
    write_sampling(folder / "run_sampling.star", tables.sampling(state, plan))
    write_optimiser(folder / "run_optimiser.star", tables.optimiser(state, folder, "run", plan), comment="verglas")


def write_data(path: Path, state: "State", particles: Particles) -> None:
    """The particle table with this iteration's poses."""
    now = state.alignment
    placed = replace(
        particles, poses=Poses(now.angles, now.origin), norm=now.norm, class_number=np.ones(len(particles), dtype=np.int64),
    )
    write_particles(path, placed, {
        "rlnLogLikeliContribution": now.log_likelihood, "rlnMaxValueProbDistribution": now.pmax,
        "rlnNrOfSignificantSamples": now.significant,
    })
