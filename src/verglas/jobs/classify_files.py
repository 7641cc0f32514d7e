"""RELION's files of a classification: data, model with its classes, sampling, optimiser (3.1 to 5)."""

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.model_star import ModelStar, noise_table, write_model
from verglas.io.mrc import StackWriter, write_map
from verglas.io.optimiser_star import OptimiserStar, write_optimiser
from verglas.io.particles_star import write_particles
from verglas.io.sampling_star import SamplingStar, write_sampling
from verglas.io.star import Table
from verglas.io.star_rows import text_column
from verglas.jobs.refine3d_files import root_name
from verglas.jobs.refine3d_tables import FAR, NEVER_USED, shell_columns
from verglas.types import Map, Particles, Poses
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.classify.plan import ClassPlan
    from verglas.methods.classify.state import ClassState


def write_iteration(folder: Path, state: "ClassState", particles: Particles, plan: "ClassPlan") -> None:
    """run_itNNN_*; the optimiser last, so that it marks a complete iteration."""
    root = root_name(state.iteration)
    write_data(folder / f"{root}_data.star", state, particles)
    names = write_maps(folder, root, state)
    write_model(folder / f"{root}_model.star", model(state, names, particles, plan))
    write_sampling(folder / f"{root}_sampling.star", sampling(state, plan))
    write_optimiser(folder / f"{root}_optimiser.star", optimiser(state, folder, root, plan), comment="verglas")


def write_data(path: Path, state: "ClassState", particles: Particles) -> None:
    """The particle table with poses and classes; those that were never looked at have class 0."""
    now = state.alignment
    placed = replace(
        particles, poses=Poses(now.angles, now.origin), norm=now.norm, class_number=np.where(state.seen, state.classes + 1, 0))
    write_particles(path, placed, {
        "rlnLogLikeliContribution": now.log_likelihood, "rlnMaxValueProbDistribution": now.pmax, "rlnNrOfSignificantSamples": now.significant,
    })


def write_maps(folder: Path, root: str, state: "ClassState") -> list[str]:
    """run_itNNN_classes.mrcs in 2D, run_itNNN_classKKK.mrc in 3D; the names that the model gives to them."""
    if state.flat:
        stack = folder / f"{root}_classes.mrcs"
        with StackWriter(stack, state.pixel_size) as writer:
            writer.append(state.model.maps[:, 0])
        return [f"{k:06d}@{stack}" for k in range(1, len(state.model.maps) + 1)]
    names = [folder / f"{root}_class{k:03d}.mrc" for k in range(1, len(state.model.maps) + 1)]
    for name, data in zip(names, state.model.maps):
        write_map(name, Map(data, state.pixel_size))
    return [str(name) for name in names]


def class_resolution(state: "ClassState") -> np.ndarray:
    """(K,) Å: of the last shell before each class's SSNR falls below 1; infinity if it already does in the first."""
    from verglas.core.fsc import resolution_at

    return np.array([resolution_at(ssnr, 1.0, state.box, state.pixel_size) for ssnr in state.model.ssnr])


def model(state: "ClassState", names: list[str], particles: Particles, plan: "ClassPlan") -> ModelStar:
    """model.star."""
    one, count = state.model, len(state.model.maps)
    known = np.isfinite(one.accuracy)
    accuracy = np.where(known, one.accuracy, FAR)
    accuracy[:, 0] = np.where(known[:, 0], accuracy[:, 0] / DEGREE, FAR)
    classes = Table({
        "rlnReferenceImage": text_column(names), "rlnClassDistribution": one.shares, "rlnAccuracyRotations": accuracy[:, 0],
        "rlnAccuracyTranslationsAngst": accuracy[:, 1], "rlnEstimatedResolution": np.minimum(class_resolution(state), FAR),
        "rlnOverallFourierCompleteness": (one.ssnr >= 1).mean(1),
    })
    index, shells = np.arange(state.box // 2 + 1), shell_columns(state.box, state.pixel_size)
    spectra = tuple(
        Table(shells | {"rlnSsnrMap": one.ssnr[k], "rlnGoldStandardFsc": np.zeros(len(index)), "rlnReferenceSigma2": one.sigma2_reference[k],
                        "rlnReferenceTau2": one.tau2[k]}) for k in range(count))
    groups = len(particles.group_names)
    table = Table({
        "rlnGroupNumber": np.arange(1, groups + 1), "rlnGroupName": text_column(particles.group_names),
        "rlnGroupNrParticles": np.bincount(particles.group, minlength=groups), "rlnGroupScaleCorrection": one.scale})
    noise = tuple(noise_table(sigma2, state.box, state.pixel_size) for sigma2 in one.sigma2)
    priors = () if state.flat else tuple(one.prior)
    return ModelStar(_general(state, particles, plan), classes, spectra, table, noise, priors)


def _general(state: "ClassState", particles: Particles, plan: "ClassPlan") -> dict[str, object]:
    sigma = plan.sigma / DEGREE
    return {
        "rlnReferenceDimensionality": 2 if state.flat else 3, "rlnDataDimensionality": 2, "rlnOriginalImageSize": state.box,
        "rlnCurrentResolution": state.resolution, "rlnCurrentImageSize": state.current_size, "rlnPaddingFactor": plan.search.padding,
        "rlnIsHelix": 0, "rlnFourierSpaceInterpolator": 1, "rlnMinRadiusNnInterpolation": 10, "rlnPixelSize": state.pixel_size,
        "rlnNrClasses": len(state.model.maps), "rlnNrBodies": 1, "rlnNrGroups": len(particles.group_names),
        "rlnNrOpticsGroups": len(particles.optics), "rlnTau2FudgeFactor": state.progress.tau or plan.tau,
        "rlnNormCorrectionAverage": state.model.average_norm, "rlnSigmaOffsetsAngst": sqrt(state.model.sigma2_offset),
        "rlnOrientationalPriorMode": int(sigma > 0), "rlnSigmaPriorRotAngle": sigma, "rlnSigmaPriorTiltAngle": sigma,
        "rlnSigmaPriorPsiAngle": sigma, "rlnLogLikelihood": state.model.log_likelihood, "rlnAveragePmax": state.model.average_pmax,
    }


def sampling(state: "ClassState", plan: "ClassPlan") -> SamplingStar:
    """sampling.star: the coarse grids."""
    from verglas.core.sampling import Grid
    from verglas.core.sphere import pix2ang_nest

    now, grid = state.sampling, plan.grid(state.sampling.order)
    degrees = grid.step / DEGREE
    general: dict[str, object] = {
        "rlnIs3DSampling": int(not state.flat), "rlnIs3DTranslationalSampling": 0, "rlnHealpixOrder": now.order,
        "rlnSymmetryGroup": plan.search.symmetry.upper(), "rlnTiltAngleLimit": -91.0, "rlnPsiStep": degrees, "rlnOffsetRange": now.offset_range,
        "rlnOffsetStep": now.offset_step, "rlnHelicalOffsetStep": -1.0, "rlnSamplingPerturbInstance": now.perturbation,
        "rlnSamplingPerturbFactor": 0.5, "rlnHealpixOrderOriginal": plan.search.healpix_order, "rlnPsiStepOriginal": degrees,
        "rlnOffsetRangeOriginal": plan.search.offset_range, "rlnOffsetStepOriginal": 2 * plan.search.offset_step,
    }
    if not isinstance(grid, Grid):
        return SamplingStar(general)
    rot, tilt = pix2ang_nest(now.order, grid.pixels)
    return SamplingStar(general, np.stack((rot, tilt), axis=1) / DEGREE)


def optimiser(state: "ClassState", folder: Path, root: str, plan: "ClassPlan") -> OptimiserStar:
    """optimiser.star."""
    from verglas.methods.classify.plan import Vdam

    accuracy = np.where(np.isfinite(state.model.accuracy), state.model.accuracy, FAR).min(0)
    now = state.progress
    values: dict[str, object] = NEVER_USED | {
        "rlnOutputRootName": str(folder / "run"), "rlnModelStarFile": str(folder / f"{root}_model.star"),
        "rlnExperimentalDataStarFile": str(folder / f"{root}_data.star"), "rlnOrientSamplingStarFile": str(folder / f"{root}_sampling.star"),
        "rlnCurrentIteration": state.iteration, "rlnNumberOfIterations": plan.iterations, "rlnDoSplitRandomHalves": 0,
        "rlnJoinHalvesUntilThisResolution": -1.0, "rlnAdaptiveOversampleOrder": 1, "rlnAdaptiveOversampleFraction": plan.search.adaptive_fraction,
        "rlnRandomSeed": plan.search.seed, "rlnParticleDiameter": plan.search.diameter, "rlnWidthMaskEdge": 5, "rlnDoZeroMask": 1,
        "rlnDoSolventFlattening": 1, "rlnDoSolventFscCorrection": 0, "rlnDoAutoRefine": 0, "rlnAutoLocalSearchesHealpixOrder": 4,
        "rlnDoCorrectNorm": int(plan.search.correct_norm), "rlnDoCorrectScale": int(plan.search.correct_scale),
        "rlnDoIgnoreCtfUntilFirstPeak": int(plan.search.intact_first_peak), "rlnIncrementImageSize": 10,
        "rlnNumberOfIterWithoutResolutionGain": state.without_gain, "rlnBestResolutionThusFar": 1.0 / state.resolution,
        "rlnNumberOfIterWithoutChangingAssignments": 0, "rlnOverallAccuracyRotations": accuracy[0] / DEGREE if accuracy[0] < FAR else FAR,
        "rlnOverallAccuracyTranslationsAngst": accuracy[1], "rlnChangesOptimalOrientations": min(now.angles / DEGREE, FAR),
        "rlnChangesOptimalOffsets": now.offsets, "rlnChangesOptimalClasses": now.switched, "rlnSmallestChangesOrientations": FAR,
        "rlnSmallestChangesOffsets": FAR, "rlnSmallestChangesClasses": 9999999, "rlnHasConverged": 0, "rlnHasHighFscAtResolLimit": 0,
        "rlnHasLargeSizeIncreaseIterationsAgo": 0, "rlnRefsAreCtfCorrected": 1, "rlnHighresLimitExpectation": plan.limit or -1.0,
        "rlnDoGradientRefine": int(isinstance(plan.algorithm, Vdam)), "rlnDoSkipAlign": int(not plan.align),
        "rlnDoCorrectCtf": int(not plan.search.ignore_ctf),
    }
    return OptimiserStar(values)
