"""Files of a classification with fixed poses: RELION's tables and maps, and the exact state to go on from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from verglas.errors import DataError
from verglas.io.atomic import atomic_path
from verglas.io.model_star import ModelStar, noise_table, write_model
from verglas.io.mrc import write_map
from verglas.io.particles_star import write_particles
from verglas.io.star import Table
from verglas.io.star_rows import text_column
from verglas.jobs.refine3d_files import root_name
from verglas.jobs.refine3d_state import forget, state_path
from verglas.jobs.refine3d_tables import shell_columns
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.methods.fixedposes.loop import State
    from verglas.methods.fixedposes.plan import Plan

UNKNOWN = 999.0


@dataclass(frozen=True)
class Output:
    """Where and on what grid maps are written: `box` voxels of `pixel` Å; the method's maps are on a coarser grid of `coarse` Å."""

    folder: Path
    particles: Particles
    plan: "Plan"
    box: int
    pixel: float
    coarse: float


def write_all(out: Output, state: "State", gain: np.ndarray, root: str) -> None:
    """root_classKKK.mrc, root_data.star and, last, root_model.star."""
    names = []
    for k, volume in enumerate(full_maps(out, state), start=1):
        path = out.folder / f"{root}_class{k:03d}.mrc"
        write_map(path, Map(volume, out.pixel))
        names.append(str(path))
    write_data(out, state, gain, out.folder / f"{root}_data.star")
    write_model(out.folder / f"{root}_model.star", model(out, state, names))


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


def class_resolutions(out: Output, state: "State") -> list[float]:
    """Å at which the FSC of a class's half maps falls below 0.143, not beyond what was compared."""
    extent, found = out.box * out.pixel, []
    for curve in state.fsc_map:
        below = np.flatnonzero(curve[1:] < 0.143)
        last = int(below[0]) if len(below) else len(curve) - 1
        found.append(max(extent / max(last, 1), out.plan.resolution))
    return found


def model(out: Output, state: "State", names: list[str]) -> ModelStar:
    """model.star with one row per class; its FSC is that of the class's half maps, which share their classification."""
    count, particles = len(names), out.particles
    classes = Table({
        "rlnReferenceImage": text_column(names), "rlnClassDistribution": np.asarray(state.model.prior, np.float64),
        "rlnAccuracyRotations": np.full(count, UNKNOWN), "rlnAccuracyTranslationsAngst": np.full(count, UNKNOWN),
        "rlnEstimatedResolution": np.array(class_resolutions(out, state)),
    })
    shells = tuple(_shells(out, curve) for curve in state.fsc_map)
    members = np.bincount(particles.group, minlength=len(particles.group_names))
    groups = Table({
        "rlnGroupNumber": np.arange(1, len(members) + 1), "rlnGroupName": text_column(particles.group_names),
        "rlnGroupNrParticles": members, "rlnGroupScaleCorrection": np.ones(len(members)),
    })
    return ModelStar(_general(out, state, count), classes, shells, groups, tuple(noise_table(_padded(row, out), out.box, out.pixel)
                                                                                   for row in _noise(out, state)))


def _noise(out: Output, state: "State") -> np.ndarray:
    """(G, S) up to the finest shell that was compared."""
    sigma2 = state.model.sigma2.copy()
    sigma2[:, int(out.box * out.pixel / out.plan.resolution + 0.5) + 1 :] = 0
    return sigma2


def _padded(row: np.ndarray, out: Output) -> np.ndarray:
    """(B//2 + 1,) with zeros behind."""
    full = np.zeros(out.box // 2 + 1)
    full[: min(len(row), len(full))] = row[: len(full)]
    return full


def _shells(out: Output, curve: np.ndarray) -> Table:
    fsc = np.clip(_padded(curve, out), 0.0, 0.999)
    zero = np.zeros(len(fsc))
    return Table(shell_columns(out.box, out.pixel) | {
        "rlnSsnrMap": fsc / (1 - fsc),
        "rlnGoldStandardFsc": fsc, "rlnReferenceSigma2": zero, "rlnReferenceTau2": zero,
    })


def _general(out: Output, state: "State", count: int) -> dict[str, object]:
    best = min(class_resolutions(out, state))
    return {
        "rlnReferenceDimensionality": 3, "rlnDataDimensionality": 2, "rlnOriginalImageSize": out.box, "rlnCurrentResolution": best,
        "rlnCurrentImageSize": 2 * int(out.box * out.pixel / out.plan.resolution + 0.5), "rlnPaddingFactor": out.plan.padding, "rlnIsHelix": 0,
        "rlnFourierSpaceInterpolator": 1, "rlnMinRadiusNnInterpolation": 10, "rlnPixelSize": out.pixel, "rlnNrClasses": count, "rlnNrBodies": 1,
        "rlnNrGroups": len(out.particles.group_names), "rlnNrOpticsGroups": len(out.particles.optics), "rlnTau2FudgeFactor": 1.0,
        "rlnNormCorrectionAverage": 1.0, "rlnSigmaOffsetsAngst": 0.0, "rlnOrientationalPriorMode": 0, "rlnSigmaPriorRotAngle": 0.0,
        "rlnSigmaPriorTiltAngle": 0.0, "rlnSigmaPriorPsiAngle": 0.0, "rlnLogLikelihood": 0.0,
        "rlnAveragePmax": float(state.posterior.max(1).mean()),
    }


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
