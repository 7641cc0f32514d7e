"""Files of a classification with fixed poses: maps, particles, and the exact state to go on from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from verglas.errors import DataError
from verglas.io.atomic import atomic_path
from verglas.io.model_star import write_model
from verglas.io.mrc import write_map
from verglas.io.optimiser_star import write_optimiser
from verglas.io.particles_star import write_particles
from verglas.io.sampling_star import write_sampling
from verglas.jobs.refine3d_files import root_name
from verglas.jobs.refine3d_state import forget, state_path
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.methods.fixedposes.loop import State, Step
    from verglas.methods.fixedposes.plan import Plan

@dataclass(frozen=True)
class Output:
    """Where and on what grid maps are written: `box` voxels of `pixel` Å; the method's maps are on a coarser grid of `coarse` Å."""

    folder: Path
    particles: Particles
    plan: "Plan"
    box: int
    pixel: float
    coarse: float


def write_all(out: Output, step: "Step", root: str) -> None:
    """root_classKKK.mrc, root_{data,sampling,optimiser}.star and, last, root_model.star."""
    from verglas.jobs import class3d_fixed_tables as tables

    names = []
    for k, volume in enumerate(full_maps(out, step.state), start=1):
        path = out.folder / f"{root}_class{k:03d}.mrc"
        write_map(path, Map(volume, out.pixel))
        names.append(str(path))
    write_data(out, step.state, step.gain, out.folder / f"{root}_data.star")
    write_sampling(out.folder / f"{root}_sampling.star", tables.sampling(out))
    write_optimiser(out.folder / f"{root}_optimiser.star", tables.optimiser(out, step, root), comment="verglas")
    write_model(out.folder / f"{root}_model.star", tables.model(out, step, names))


def full_maps(out: Output, state: "State") -> list[np.ndarray]:
    """Class maps on the grid of the particles; a slice of a map of pixel a' is (a'/a)^2 times as bright as that of the same map of pixel a."""
    import torch

    from verglas.core.resample import resize_map

    factor = (out.pixel / out.coarse) ** 2
    return [np.ascontiguousarray(resize_map(torch.from_numpy(one), out.box).numpy() * np.float32(factor)) for one in state.model.maps]


def write_data(out: Output, state: "State", gain: np.ndarray, path: Path) -> None:
    """The particle table with classes and, where they were estimated, scales (rlnCtfScalefactor)."""
    particles = replace(out.particles, class_number=state.posterior.argmax(1).astype(np.int64) + 1)
    if out.plan.scaling == "optimal" and not any(group.ctf_premultiplied for group in particles.optics):
        particles = replace(particles, defocus=replace(particles.defocus, scale=np.round(state.model.scale, 6)))
    certain = (state.posterior > 0.01).sum(1)
    write_particles(path, particles, {
        "rlnMaxValueProbDistribution": state.posterior.max(1).astype(np.float64), "rlnLogLikeliContribution": gain,
        "rlnNrOfSignificantSamples": certain.astype(np.int64),
    })


def save_state(folder: Path, state: "State", half: np.ndarray, converged: bool) -> None:
    """run_itNNN_state.npz, atomically; older ones go."""
    with atomic_path(state_path(folder, state.iteration)) as path, path.open("wb") as handle:
        np.savez(handle, half=half, iteration=state.iteration, quiet=state.quiet, converged=converged, posterior=state.posterior,
                 fsc_difference=state.fsc_difference, fsc_map=state.fsc_map, **vars(state.model))
    forget(folder, state.iteration)


def newest(folder: Path) -> int | None:
    """The last full iteration with a state and all tables (the model is written last)."""
    numbers = sorted(int(path.name[6:9]) for path in folder.glob("run_it[0-9][0-9][0-9]_state.npz"))
    complete = [n for n in numbers if (folder / f"{root_name(n)}_model.star").exists()]
    return complete[-1] if complete else None


def load_state(folder: Path, iteration: int) -> tuple["State", np.ndarray]:
    """The state and the half sets (N,) of 0 and 1."""
    from verglas.methods.fixedposes.loop import State
    from verglas.methods.fixedposes.model import Model

    path = state_path(folder, iteration)
    try:
        with np.load(path, allow_pickle=False) as kept:
            parts = {name: kept[name] for name in ("consensus", "differences", "by_half", "prior", "sigma2", "scale")}
            state = State(int(kept["iteration"]), Model(**parts), kept["posterior"], kept["fsc_difference"], kept["fsc_map"], int(kept["quiet"]))
            return state, kept["half"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"is not a state of this version: {error}", where=str(path), remedy="remove the file, or start a new job") from error
