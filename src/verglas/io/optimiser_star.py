"""run_itNNN_optimiser.star: options, counters and the names of the other files of an iteration."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, block_of, require_values

BLOCK = "optimiser_general"
REQUIRED = (
    "rlnOutputRootName", "rlnModelStarFile", "rlnExperimentalDataStarFile", "rlnOrientSamplingStarFile", "rlnCurrentIteration",
    "rlnNumberOfIterations", "rlnDoSplitRandomHalves", "rlnJoinHalvesUntilThisResolution", "rlnAdaptiveOversampleOrder",
    "rlnAdaptiveOversampleFraction", "rlnRandomSeed", "rlnParticleDiameter", "rlnWidthMaskEdge", "rlnDoZeroMask", "rlnDoSolventFlattening",
    "rlnSolventMaskName", "rlnSolventMask2Name", "rlnTauSpectrumName", "rlnMaximumCoarseImageSize", "rlnHighresLimitExpectation",
    "rlnIncrementImageSize", "rlnDoMapEstimation", "rlnDoAutoRefine", "rlnAutoLocalSearchesHealpixOrder",
    "rlnNumberOfIterWithoutResolutionGain", "rlnBestResolutionThusFar", "rlnNumberOfIterWithoutChangingAssignments", "rlnDoSkipAlign",
    "rlnOverallAccuracyRotations", "rlnOverallAccuracyTranslationsAngst", "rlnChangesOptimalOrientations", "rlnChangesOptimalOffsets",
    "rlnChangesOptimalClasses", "rlnSmallestChangesOrientations", "rlnSmallestChangesOffsets", "rlnSmallestChangesClasses", "rlnHasConverged",
    "rlnHasHighFscAtResolLimit", "rlnHasLargeSizeIncreaseIterationsAgo", "rlnDoCorrectNorm", "rlnDoCorrectScale", "rlnDoCorrectCtf",
    "rlnDoIgnoreCtfUntilFirstPeak", "rlnCtfDataArePhaseFlipped", "rlnDoOnlyFlipCtfPhases", "rlnRefsAreCtfCorrected",
    "rlnFixSigmaNoiseEstimates", "rlnFixSigmaOffsetEstimates", "rlnMaxNumberOfPooledParticles",
)
"""RELION stops when one of these is missing."""


@dataclass(frozen=True)
class OptimiserStar:
    """values: label -> int, float or str, in the order of the file. A split run also has rlnModelStarFile2."""

    values: Mapping[str, object]


def read_optimiser(path: Path | str) -> OptimiserStar:
    """Read and check for what RELION's own reader needs."""
    source = block_of(read_star(path), BLOCK, str(path))
    require_values(source, REQUIRED)
    return OptimiserStar(source.table.values())


def write_optimiser(path: Path | str, optimiser: OptimiserStar, comment: str = "") -> None:
    """Write atomically; raises when a value that RELION's reader needs is missing."""
    table = Table.of_values(dict(optimiser.values))
    require_values(Source(table, str(path), BLOCK), REQUIRED)
    write_star(path, {BLOCK: table}, comment)
