"""RELION's files of a classification: data, model with its classes, sampling, optimiser (3.1 to 5)."""

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.model_star import ModelStar, noise_table, with_group_noise, write_model
from verglas.io.mrc import StackWriter, write_map
from verglas.io.optimiser_star import OptimiserStar, write_optimiser
from verglas.io.particles_star import write_particles
from verglas.io.sampling_star import SamplingStar, write_sampling
from verglas.io.star import Table
from verglas.io.star_rows import text_column
from verglas.jobs.classify_tables import Offsets, Stage, known_accuracy, optimiser_star, sampling_star
from verglas.jobs.refine3d_files import root_name
from verglas.jobs.refine3d_tables import FAR, optics_of_groups, shell_columns
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
    accuracy = known_accuracy(one.accuracy)
    home = {f"rlnClassPriorOffset{axis}": np.zeros(count) for axis in "XY"} if state.flat else {}
    classes = Table({
        "rlnReferenceImage": text_column(names), "rlnClassDistribution": one.shares, "rlnAccuracyRotations": accuracy[:, 0],
        "rlnAccuracyTranslationsAngst": accuracy[:, 1], "rlnEstimatedResolution": np.minimum(class_resolution(state), FAR),
        "rlnOverallFourierCompleteness": (one.ssnr >= 1).mean(1), **home,
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
    return with_group_noise(ModelStar(_general(state, particles, plan), classes, spectra, table, noise, priors), optics_of_groups(particles))


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
    now, first = state.sampling, plan.search
    offsets = Offsets((now.offset_range, now.offset_step), (first.offset_range, 2 * first.offset_step))
    return sampling_star(plan.grid(now.order), first.healpix_order, offsets, now.perturbation)


def optimiser(state: "ClassState", folder: Path, root: str, plan: "ClassPlan") -> OptimiserStar:
    """optimiser.star."""
    from verglas.methods.classify.plan import Vdam

    now, search = state.progress, plan.search
    stage = Stage(state.iteration, plan.iterations, state.resolution, state.model.accuracy, now.angles, now.offsets, now.switched)
    return optimiser_star(folder, root, stage, {
        "rlnAdaptiveOversampleFraction": search.adaptive_fraction, "rlnRandomSeed": search.seed, "rlnParticleDiameter": search.diameter,
        "rlnDoCorrectNorm": int(search.correct_norm), "rlnDoCorrectScale": int(search.correct_scale), "rlnDoCorrectCtf": int(not search.ignore_ctf),
        "rlnDoIgnoreCtfUntilFirstPeak": int(search.intact_first_peak), "rlnNumberOfIterWithoutResolutionGain": state.without_gain,
        "rlnHighresLimitExpectation": plan.limit or -1.0, "rlnDoGradientRefine": int(isinstance(plan.algorithm, Vdam)),
        "rlnDoFastSubsetOptimisation": int(not isinstance(plan.algorithm, Vdam) and plan.algorithm.fast_subsets),
        "rlnDoSkipAlign": int(not plan.align), "rlnDoCenterClasses": int(plan.flat and plan.centre and plan.align),
    })
