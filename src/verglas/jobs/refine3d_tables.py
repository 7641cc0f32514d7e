"""A refinement's state as RELION's model, sampling and optimiser files (3.1 to 5)."""

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.model_star import ModelStar, noise_table, with_group_noise
from verglas.io.optimiser_star import OptimiserStar
from verglas.io.sampling_star import SamplingStar
from verglas.io.star import Table
from verglas.io.star_rows import text_column
from verglas.types import Particles
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.refine.plan import Plan
    from verglas.methods.refine.state import Model, State

UNLIMITED = 999
FAR = 999.0


def model(state: "State", half: int, map_name: str, particles: Particles, plan: "Plan") -> ModelStar:
    """model.star of one half (1 or 2)."""
    one, schedule = state.models[half - 1], state.schedule
    classes = Table({
        "rlnReferenceImage": text_column([map_name]), "rlnClassDistribution": np.ones(1),
        "rlnAccuracyRotations": np.array([degrees_or_never(schedule.accuracy_angle)]),
        "rlnAccuracyTranslationsAngst": np.array([schedule.accuracy_offset]),
        "rlnEstimatedResolution": np.array([state.resolution]),
    })
    noise = tuple(noise_table(sigma2, state.box, state.pixel_size) for sigma2 in one.sigma2)
    groups = _groups(one, particles, half)
    whole = ModelStar(_general(state, one, particles, plan), classes, (_spectra(state, one),), groups, noise, (one.direction_prior,))
    return with_group_noise(whole, optics_of_groups(particles))


def _general(state: "State", one: "Model", particles: Particles, plan: "Plan") -> dict[str, object]:
    sigma = state.sampling.sigma / DEGREE
    return {
        "rlnReferenceDimensionality": 3, "rlnDataDimensionality": 2, "rlnOriginalImageSize": state.box,
        "rlnCurrentResolution": state.resolution, "rlnCurrentImageSize": state.schedule.current_size,
        "rlnPaddingFactor": plan.padding, "rlnIsHelix": 0, "rlnFourierSpaceInterpolator": 1,
        "rlnMinRadiusNnInterpolation": 10, "rlnPixelSize": state.pixel_size, "rlnNrClasses": 1, "rlnNrBodies": 1,
        "rlnNrGroups": len(particles.group_names), "rlnNrOpticsGroups": len(particles.optics),
        "rlnTau2FudgeFactor": 1.0, "rlnNormCorrectionAverage": one.average_norm,
        "rlnSigmaOffsetsAngst": sqrt(one.sigma2_offset), "rlnOrientationalPriorMode": int(sigma > 0),
        "rlnSigmaPriorRotAngle": sigma, "rlnSigmaPriorTiltAngle": sigma, "rlnSigmaPriorPsiAngle": sigma,
        "rlnLogLikelihood": one.log_likelihood, "rlnAveragePmax": one.average_pmax,
    }


def shell_columns(box: int, pixel: float) -> dict[str, np.ndarray]:
    """Index, 1/Å and Å of shells 0 .. B//2; RELION calls shell 0 999 Å."""
    index, extent = np.arange(box // 2 + 1), box * pixel
    return {"rlnSpectralIndex": index, "rlnResolution": index / extent,
            "rlnAngstromResolution": np.where(index == 0, FAR, extent / np.maximum(index, 1))}


def _spectra(state: "State", one: "Model") -> Table:
    return Table(shell_columns(state.box, state.pixel_size) | {
        "rlnSsnrMap": one.ssnr, "rlnGoldStandardFsc": state.fsc, "rlnReferenceSigma2": one.sigma2_reference,
        "rlnReferenceTau2": one.tau2,
    })


def _groups(one: "Model", particles: Particles, half: int) -> Table:
    count = len(particles.group_names)
    members = np.bincount(particles.group[particles.half == half], minlength=count)
    return Table({
        "rlnGroupNumber": np.arange(1, count + 1), "rlnGroupName": text_column(particles.group_names),
        "rlnGroupNrParticles": members, "rlnGroupScaleCorrection": one.scale,
    })


def sampling(state: "State", plan: "Plan") -> SamplingStar:
    """sampling.star: the coarse grids."""
    from verglas.core.sampling import orientation_grid
    from verglas.core.sphere import pix2ang_nest

    now = state.sampling
    grid = orientation_grid(now.order, plan.symmetry)
    rot, tilt = pix2ang_nest(now.order, grid.pixels)
    general: dict[str, object] = {
        "rlnIs3DSampling": 1, "rlnIs3DTranslationalSampling": 0, "rlnHealpixOrder": now.order,
        "rlnSymmetryGroup": plan.symmetry.upper(), "rlnTiltAngleLimit": -91.0, "rlnPsiStep": grid.psi_step / DEGREE,
        "rlnOffsetRange": now.offset_range, "rlnOffsetStep": now.offset_step, "rlnHelicalOffsetStep": -1.0,
        "rlnSamplingPerturbInstance": now.perturbation, "rlnSamplingPerturbFactor": 0.5,
        "rlnHealpixOrderOriginal": plan.healpix_order, "rlnPsiStepOriginal": 60.0 / 2**plan.healpix_order,
        "rlnOffsetRangeOriginal": plan.offset_range, "rlnOffsetStepOriginal": 2 * plan.offset_step,
    }
    return SamplingStar(general, np.stack((rot, tilt), axis=1) / DEGREE)


def optimiser(state: "State", folder: Path, root: str, plan: "Plan") -> OptimiserStar:
    """optimiser.star: names of the other files, options, counters."""
    names: dict[str, object] = {
        "rlnOutputRootName": str(folder / "run"), "rlnModelStarFile": str(folder / f"{root}_half1_model.star"),
        "rlnModelStarFile2": str(folder / f"{root}_half2_model.star"),
        "rlnExperimentalDataStarFile": str(folder / f"{root}_data.star"),
        "rlnOrientSamplingStarFile": str(folder / f"{root}_sampling.star"),
        "rlnCurrentIteration": state.iteration, "rlnNumberOfIterations": plan.max_iterations or UNLIMITED,
    }
    return OptimiserStar(names | _options(plan) | _counters(state, plan) | NEVER_USED)


def _options(plan: "Plan") -> dict[str, object]:
    return {
        "rlnDoSplitRandomHalves": 1, "rlnJoinHalvesUntilThisResolution": plan.join or -1.0,
        "rlnAdaptiveOversampleOrder": 1, "rlnAdaptiveOversampleFraction": plan.adaptive_fraction,
        "rlnRandomSeed": plan.seed, "rlnParticleDiameter": plan.diameter, "rlnWidthMaskEdge": 5, "rlnDoZeroMask": 1,
        "rlnDoSolventFlattening": 1, "rlnDoSolventFscCorrection": int(plan.solvent_corrected),
        "rlnDoAutoRefine": 1, "rlnAutoLocalSearchesHealpixOrder": plan.local_from_order,
        "rlnDoCorrectNorm": int(plan.correct_norm), "rlnDoCorrectScale": int(plan.correct_scale),
        "rlnDoIgnoreCtfUntilFirstPeak": int(plan.intact_first_peak),
    }


def _counters(state: "State", plan: "Plan") -> dict[str, object]:
    now = state.schedule
    return {
        "rlnIncrementImageSize": now.increment, "rlnNumberOfIterWithoutResolutionGain": now.without_gain,
        "rlnBestResolutionThusFar": 1.0 / state.resolution,
        "rlnNumberOfIterWithoutChangingAssignments": now.without_change,
        "rlnOverallAccuracyRotations": degrees_or_never(now.accuracy_angle),
        "rlnOverallAccuracyTranslationsAngst": now.accuracy_offset,
        "rlnChangesOptimalOrientations": degrees_or_never(now.last.angles),
        "rlnChangesOptimalOffsets": now.last.offsets, "rlnChangesOptimalClasses": 0.0,
        "rlnSmallestChangesOrientations": degrees_or_never(now.smallest.angles),
        "rlnSmallestChangesOffsets": now.smallest.offsets, "rlnSmallestChangesClasses": 0,
        "rlnHasConverged": int(now.converged), "rlnHasHighFscAtResolLimit": int(now.high_fsc_at_limit),
        "rlnHasLargeSizeIncreaseIterationsAgo": 0,
        "rlnRefsAreCtfCorrected": int(state.iteration > 0 or plan.absolute_greyscale),
    }


def optics_of_groups(particles: Particles) -> np.ndarray:
    """(Q,) position of the optics group that each scale group has particles of."""
    out = np.zeros(len(particles.group_names), np.int64)
    out[particles.group] = particles.optics_index
    return out


def degrees_or_never(radians: float) -> float:
    """Degrees; what is not known yet stays 999."""
    from verglas.methods.refine.state import NEVER

    return FAR if radians >= NEVER else radians / DEGREE


NEVER_USED: dict[str, object] = {
    "rlnSolventMaskName": "None", "rlnSolventMask2Name": "None", "rlnBodyStarFile": "None", "rlnTauSpectrumName": "None",
    "rlnMaximumCoarseImageSize": -1, "rlnHighresLimitExpectation": -1.0, "rlnLowresLimitExpectation": -1.0,
    "rlnDoMapEstimation": 1, "rlnDoFastSubsetOptimisation": 0, "rlnDoExternalReconstruct": 0,
    "rlnDoStochasticGradientDescent": 0, "rlnMaximumSignificantPoses": -1, "rlnDoSkipAlign": 0, "rlnDoSkipRotate": 0,
    "rlnLocalSymmetryFile": "None", "rlnDoHelicalRefine": 0, "rlnDoCorrectCtf": 1, "rlnCtfDataArePhaseFlipped": 0,
    "rlnDoOnlyFlipCtfPhases": 0, "rlnFixSigmaNoiseEstimates": 0, "rlnFixSigmaOffsetEstimates": 0,
    "rlnMaxNumberOfPooledParticles": 30,
}
"""Options that RELION's reader insists on and that have one value here."""
