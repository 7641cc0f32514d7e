"""A classification with fixed poses as RELION's data, model, sampling and optimiser files (3.1 to 5)."""

from typing import TYPE_CHECKING

import numpy as np

from verglas.io.model_star import ModelStar, noise_table, with_group_noise
from verglas.io.optimiser_star import OptimiserStar
from verglas.io.sampling_star import SamplingStar
from verglas.io.star import Table
from verglas.io.star_rows import text_column
from verglas.jobs.class3d_fixed_files import Output
from verglas.jobs.classify_tables import Offsets, Stage, known_accuracy, optimiser_star, sampling_star
from verglas.jobs.refine3d_tables import optics_of_groups, shell_columns

if TYPE_CHECKING:
    from verglas.methods.fixedposes.loop import State, Step

ORDER = 3
"""HEALPix grid on which the directions of the particles are counted."""


def class_resolutions(out: Output, state: "State") -> list[float]:
    """Å at which the FSC of a class's half maps falls below 0.143, not beyond what was compared."""
    extent, found = out.box * out.pixel, []
    for curve in state.fsc_map:
        below = np.flatnonzero(curve[1:] < 0.143)
        last = int(below[0]) if len(below) else len(curve) - 1
        found.append(max(extent / max(last, 1), out.plan.resolution))
    return found


def model(out: Output, step: "Step", names: list[str]) -> ModelStar:
    """model.star with one row per class; its FSC is that of the class's half maps, which share their classification."""
    state, particles, accuracy = step.state, out.particles, known_accuracy(step.accuracy)
    classes = Table({
        "rlnReferenceImage": text_column(names), "rlnClassDistribution": np.asarray(state.model.prior, np.float64),
        "rlnAccuracyRotations": accuracy[:, 0], "rlnAccuracyTranslationsAngst": accuracy[:, 1],
        "rlnEstimatedResolution": np.array(class_resolutions(out, state)),
        "rlnOverallFourierCompleteness": np.mean([_padded(curve, out) >= 0.5 for curve in state.fsc_map], axis=1),
    })
    members = np.bincount(particles.group, minlength=len(particles.group_names))
    groups = Table({
        "rlnGroupNumber": np.arange(1, len(members) + 1), "rlnGroupName": text_column(particles.group_names),
        "rlnGroupNrParticles": members, "rlnGroupScaleCorrection": np.ones(len(members)),
    })
    noise = tuple(noise_table(row, out.box, out.pixel) for row in _noise(out, state))
    shells = tuple(_shells(out, curve) for curve in state.fsc_map)
    whole = ModelStar(_general(out, state), classes, shells, groups, noise, direction_priors(out, state))
    return with_group_noise(whole, optics_of_groups(particles))


def direction_priors(out: Output, state: "State") -> tuple[np.ndarray, ...]:
    """For each class the posterior mass of every grid direction, over all particles."""
    import torch

    from verglas.core.rotations import euler_to_matrix
    from verglas.core.sampling import local_candidates, orientation_grid
    from verglas.core.symmetry import operators

    grid, turns = orientation_grid(ORDER, out.plan.symmetry), euler_to_matrix(torch.from_numpy(out.particles.poses.angles))
    nearest = local_candidates(grid, turns, 1e-6, 1e-6, 0.0, operators(out.plan.symmetry))
    direction = np.asarray(nearest.rotation)[np.asarray(nearest.offsets)[:-1]] // grid.psi_count
    mass = state.posterior.astype(np.float64) / len(direction)
    return tuple(np.bincount(direction, column, minlength=grid.direction_count) for column in mass.T)


def _noise(out: Output, state: "State") -> np.ndarray:
    """(G, B//2 + 1): beyond the finest shell that was compared the noise is taken to stay as it is there, so that a search may go further."""
    last = min(int(out.box * out.pixel / out.plan.resolution + 0.5), state.model.sigma2.shape[1] - 1)
    full = np.repeat(state.model.sigma2[:, last:last + 1], out.box // 2 + 1, axis=1)
    full[:, : last + 1] = state.model.sigma2[:, : last + 1]
    return full


def _padded(row: np.ndarray, out: Output) -> np.ndarray:
    """(B//2 + 1,) with zeros behind."""
    full = np.zeros(out.box // 2 + 1)
    full[: min(len(row), len(full))] = row[: len(full)]
    return full


def _shells(out: Output, curve: np.ndarray) -> Table:
    fsc = np.clip(_padded(curve, out), 0.0, 0.999)
    zero = np.zeros(len(fsc))
    return Table(shell_columns(out.box, out.pixel) | {
        "rlnSsnrMap": fsc / (1 - fsc), "rlnGoldStandardFsc": fsc, "rlnReferenceSigma2": zero, "rlnReferenceTau2": zero,
    })


def _general(out: Output, state: "State") -> dict[str, object]:
    particles = out.particles
    return {
        "rlnReferenceDimensionality": 3, "rlnDataDimensionality": 2, "rlnOriginalImageSize": out.box,
        "rlnCurrentResolution": min(class_resolutions(out, state)),
        "rlnCurrentImageSize": min(2 * int(out.box * out.pixel / out.plan.resolution + 0.5), out.box), "rlnPaddingFactor": out.plan.padding,
        "rlnIsHelix": 0, "rlnFourierSpaceInterpolator": 1, "rlnMinRadiusNnInterpolation": 10, "rlnPixelSize": out.pixel,
        "rlnNrClasses": len(state.model.prior), "rlnNrBodies": 1, "rlnNrGroups": len(particles.group_names),
        "rlnNrOpticsGroups": len(particles.optics), "rlnTau2FudgeFactor": 1.0, "rlnNormCorrectionAverage": 1.0,
        "rlnSigmaOffsetsAngst": float(np.sqrt((particles.poses.origin**2).mean())), "rlnOrientationalPriorMode": 0, "rlnSigmaPriorRotAngle": 0.0,
        "rlnSigmaPriorTiltAngle": 0.0, "rlnSigmaPriorPsiAngle": 0.0, "rlnLogLikelihood": 0.0,
        "rlnAveragePmax": float(state.posterior.max(1).mean()),
    }


def sampling(out: Output) -> SamplingStar:
    """sampling.star: the grid that directions are counted on; shifts stay."""
    from verglas.core.sampling import orientation_grid

    still = (2 * out.pixel, 2 * out.pixel)
    return sampling_star(orientation_grid(ORDER, out.plan.symmetry), ORDER, Offsets(still, still), 0.0)


def optimiser(out: Output, step: "Step", root: str) -> OptimiserStar:
    """optimiser.star, with poses that RELION also keeps when it goes on."""
    plan = out.plan
    best = min(class_resolutions(out, step.state))
    stage = Stage(step.state.iteration, plan.stop.iterations, best, step.accuracy, 0.0, 0.0, step.numbers.switches)
    return optimiser_star(out.folder, root, stage, {
        "rlnRandomSeed": plan.seed, "rlnParticleDiameter": plan.diameter, "rlnDoCorrectNorm": 0, "rlnDoCorrectScale": 0,
        "rlnDoIgnoreCtfUntilFirstPeak": int(plan.intact_first_peak), "rlnHighresLimitExpectation": plan.resolution, "rlnDoSkipAlign": 1,
        "rlnHasConverged": int(step.converged),
    })
