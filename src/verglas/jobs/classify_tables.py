"""What the sampling and optimiser files of all classifications have in common, as RELION's readers (3.1 to 5) want it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.optimiser_star import OptimiserStar
from verglas.io.sampling_star import SamplingStar
from verglas.jobs.refine3d_tables import FAR, NEVER_USED
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.core.sampling import AnyGrid


@dataclass(frozen=True)
class Offsets:
    """Å: the coarse grid of shifts now and at first, (range, step)."""

    now: tuple[float, float]
    first: tuple[float, float]


def sampling_star(grid: "AnyGrid", first_order: int, offsets: Offsets, perturbation: float) -> SamplingStar:
    """sampling.star: the coarse grids."""
    from verglas.core.sampling import Grid
    from verglas.core.sphere import pix2ang_nest

    solid, degrees = isinstance(grid, Grid), grid.step / DEGREE
    general: dict[str, object] = {
        "rlnIs3DSampling": int(solid), "rlnIs3DTranslationalSampling": 0, "rlnHealpixOrder": grid.order if isinstance(grid, Grid) else first_order,
        "rlnSymmetryGroup": grid.symmetry.upper() if isinstance(grid, Grid) else "C1", "rlnTiltAngleLimit": -91.0, "rlnPsiStep": degrees,
        "rlnOffsetRange": offsets.now[0], "rlnOffsetStep": offsets.now[1], "rlnHelicalOffsetStep": -1.0, "rlnSamplingPerturbInstance": perturbation,
        "rlnSamplingPerturbFactor": 0.5, "rlnHealpixOrderOriginal": first_order, "rlnPsiStepOriginal": degrees,
        "rlnOffsetRangeOriginal": offsets.first[0], "rlnOffsetStepOriginal": offsets.first[1],
    }
    if not isinstance(grid, Grid):
        return SamplingStar(general)
    rot, tilt = pix2ang_nest(grid.order, grid.pixels)
    return SamplingStar(general, np.stack((rot, tilt), axis=1) / DEGREE)


@dataclass(frozen=True)
class Stage:
    """Where a classification is: iterations done and in all; best resolution (Å); accuracy (K, 2) in rad and Å, inf where unknown;
    changes since the iteration before: angles (rad), offsets (Å), switched (share)."""

    iteration: int
    iterations: int
    resolution: float
    accuracy: np.ndarray
    angles: float
    offsets: float
    switched: float


def optimiser_star(folder: Path, root: str, stage: Stage, options: dict[str, object]) -> OptimiserStar:
    """optimiser.star: names of the other files, counters, and the `options` of this job."""
    angle, offset = known_accuracy(stage.accuracy).min(0)
    values: dict[str, object] = NEVER_USED | {
        "rlnOutputRootName": str(folder / "run"), "rlnModelStarFile": str(folder / f"{root}_model.star"),
        "rlnExperimentalDataStarFile": str(folder / f"{root}_data.star"), "rlnOrientSamplingStarFile": str(folder / f"{root}_sampling.star"),
        "rlnCurrentIteration": stage.iteration, "rlnNumberOfIterations": stage.iterations, "rlnDoSplitRandomHalves": 0,
        "rlnJoinHalvesUntilThisResolution": -1.0, "rlnAdaptiveOversampleOrder": 1, "rlnAdaptiveOversampleFraction": 0.999,
        "rlnWidthMaskEdge": 5, "rlnDoZeroMask": 1, "rlnDoSolventFlattening": 1, "rlnDoSolventFscCorrection": 0, "rlnDoAutoRefine": 0,
        "rlnAutoLocalSearchesHealpixOrder": 4, "rlnIncrementImageSize": 10, "rlnNumberOfIterWithoutResolutionGain": 0,
        "rlnBestResolutionThusFar": 1.0 / stage.resolution, "rlnNumberOfIterWithoutChangingAssignments": 0,
        "rlnOverallAccuracyRotations": angle, "rlnOverallAccuracyTranslationsAngst": offset,
        "rlnChangesOptimalOrientations": min(stage.angles / DEGREE, FAR), "rlnChangesOptimalOffsets": stage.offsets,
        "rlnChangesOptimalClasses": stage.switched, "rlnSmallestChangesOrientations": FAR, "rlnSmallestChangesOffsets": FAR,
        "rlnSmallestChangesClasses": 9999999, "rlnHasConverged": 0, "rlnHasHighFscAtResolLimit": 0, "rlnHasLargeSizeIncreaseIterationsAgo": 0,
        "rlnRefsAreCtfCorrected": 1, "rlnDoCenterClasses": 0,
    }
    return OptimiserStar(values | options)


def known_accuracy(accuracy: np.ndarray) -> np.ndarray:
    """(K, 2) rad and Å -> degrees and Å, 999 where unknown."""
    return np.where(np.isfinite(accuracy), accuracy / (DEGREE, 1.0), FAR)
