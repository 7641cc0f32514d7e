"""Numbers of RELION's model, sampling, optimiser and postprocess tables; a column that is absent becomes NaN or empty.

The strict readers of `io` refuse incomplete files; a report shows what is there, so it looks columns up itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from verglas.errors import DataError
from verglas.io.star import Table, read_star
from verglas.report.data import NAN, Iteration, Model, PostProcess

SETTINGS = {
    "rlnSymmetryGroup": "symmetry",
    "rlnParticleDiameter": "mask diameter (Å)",
    "rlnHealpixOrderOriginal": "first HEALPix order",
    "rlnOffsetRangeOriginal": "offset range (Å)",
    "rlnOffsetStepOriginal": "offset step (Å)",
    "rlnAutoLocalSearchesHealpixOrder": "local searches from HEALPix order",
    "rlnAdaptiveOversampleOrder": "oversampling order",
    "rlnJoinHalvesUntilThisResolution": "halves joined to (Å)",
    "rlnDoSolventFscCorrection": "solvent-corrected FSC",
    "rlnSolventMaskName": "solvent mask",
    "rlnRandomSeed": "random seed",
    "rlnPaddingFactor": "padding",
    "rlnTau2FudgeFactor": "tau² factor",
}
"""What a folder without job.json still tells about its parameters."""


@dataclass(frozen=True)
class Values:
    """A simple block as a lookup that never fails."""

    row: Mapping[str, object] = field(default_factory=dict)

    def number(self, label: str) -> float:
        value = self.row.get(label)
        return float(value) if isinstance(value, int | float) else NAN

    def text(self, label: str) -> str:
        return str(self.row.get(label, ""))


def values(tables: Mapping[str, Table], block: str) -> Values:
    """The single row of a block, empty when the block is absent."""
    table = tables.get(block)
    return Values(table.values() if table is not None and len(table) else {})


def column(tables: Mapping[str, Table], block: str, label: str) -> np.ndarray:
    """(N,) float64, empty when absent or not numeric."""
    table = tables.get(block)
    if table is None or label not in table or table[label].dtype == object:
        return np.zeros(0)
    return np.asarray(table[label], dtype=float)


def read_if_there(path: Path) -> dict[str, Table]:
    """All tables of a file, {} when there is no such file."""
    return read_star(path) if path.exists() else {}


def iteration_numbers(folder: Path) -> list[int]:
    """Numbers N of the run_itN_model.star or run_itN_half1_model.star in the folder, ascending."""
    names = (re.fullmatch(r"run_it(\d+)(_half1)?_model\.star", path.name) for path in folder.glob("run_it*_model.star"))
    return sorted({int(name.group(1)) for name in names if name})


def model_path(folder: Path, number: int) -> Path:
    """The model of the first half, or of the only one, of an iteration."""
    half = folder / f"run_it{number:03d}_half1_model.star"
    return half if half.exists() else folder / f"run_it{number:03d}_model.star"


def read_model(path: Path, *, final: bool, iteration: int) -> Model:
    """Spectra and groups of one model.star; before the first iteration nothing has been compared yet."""
    return model_of(read_star(path), str(path), final=final, iteration=iteration)


def model_of(tables: Mapping[str, Table], where: str, *, final: bool, iteration: int) -> Model:
    """`read_model` of tables that have been read."""
    general, group = values(tables, "model_general"), tables.get("model_groups")
    names = group["rlnGroupName"] if group is not None and "rlnGroupName" in group else ()
    box, pixel = general.number("rlnOriginalImageSize"), general.number("rlnPixelSize")
    if not (2 <= box < 1e5 and 0 < pixel < 1e3):
        raise DataError(f"box {box:g} and pixel size {pixel:g} Å in model_general make no sense", where=where)
    return Model(
        box=int(box),
        pixel_size=pixel,
        final=final,
        iteration=iteration,
        resolution=general.number("rlnCurrentResolution") if iteration else NAN,
        ave_pmax=general.number("rlnAveragePmax"),
        norm_average=general.number("rlnNormCorrectionAverage"),
        sigma_offset=general.number("rlnSigmaOffsetsAngst"),
        accuracy_rot_deg=_first(column(tables, "model_classes", "rlnAccuracyRotations")),
        accuracy_trans=_first(column(tables, "model_classes", "rlnAccuracyTranslationsAngst")),
        fsc=column(tables, "model_class_1", "rlnGoldStandardFsc")[: None if iteration else 0],
        tau2=column(tables, "model_class_1", "rlnReferenceTau2"),
        group_names=tuple(str(name) for name in names),
        group_counts=column(tables, "model_groups", "rlnGroupNrParticles"),
        group_scales=column(tables, "model_groups", "rlnGroupScaleCorrection"),
    )


def _first(values: np.ndarray) -> float:
    return float(values[0]) if values.size and values[0] < 900 else NAN


def iteration_of_files(model: Model, tables: Mapping[str, Table], sampling: Values, optimiser: Values) -> Iteration:
    """What the STAR files of one iteration say; `tables` of its model; steps are those of the fine (oversampled) search."""
    finer = 2.0 ** np.nan_to_num(optimiser.number("rlnAdaptiveOversampleOrder"))
    descent = optimiser.number("rlnDoGradientRefine") == 1
    several = len(tables.get("model_classes", Table({}))) > 1
    return Iteration(
        number=model.iteration,
        resolution=model.resolution,
        current_size=values(tables, "model_general").number("rlnCurrentImageSize"),
        healpix_order=sampling.number("rlnHealpixOrder"),
        angular_step_deg=sampling.number("rlnPsiStep") / finer,
        offset_range=sampling.number("rlnOffsetRange"),
        offset_step=sampling.number("rlnOffsetStep") / finer,
        accuracy_rot_deg=_known(optimiser.number("rlnOverallAccuracyRotations")) if several else model.accuracy_rot_deg,
        accuracy_trans=_known(optimiser.number("rlnOverallAccuracyTranslationsAngst")) if several else model.accuracy_trans,
        ave_pmax=model.ave_pmax,
        change_angles_deg=_known(optimiser.number("rlnChangesOptimalOrientations")),
        change_offsets=_known(optimiser.number("rlnChangesOptimalOffsets")),
        change_classes=optimiser.number("rlnChangesOptimalClasses") if several else NAN,
        subset=_subset(optimiser) if descent else NAN,
        step_size=optimiser.number("rlnGradCurrentStepsize") if descent else NAN,
        tau=values(tables, "model_general").number("rlnTau2FudgeFactor"),
        fsc=model.fsc,
        class_sizes=column(tables, "model_classes", "rlnClassDistribution"),
        class_resolution=column(tables, "model_classes", "rlnEstimatedResolution"),
    )


def _subset(optimiser: Values) -> float:
    """Particles of one step of a gradient descent; RELION writes -1 for all of them."""
    size = optimiser.number("rlnSgdSubsetSize")
    return size if size > 0 else NAN


def _known(value: float) -> float:
    """RELION writes 999 where it does not know yet."""
    return value if value < 900 else NAN


def iterations_of_files(folder: Path) -> tuple[Iteration, ...]:
    """One row per iteration that left a model.star; for folders without an event log."""
    return tuple(_one_iteration(folder, model_path(folder, n), f"run_it{n:03d}", n) for n in iteration_numbers(folder) if n)


def final_iteration(folder: Path, number: int) -> Iteration:
    """The last pass over all data, from run_model.star."""
    return _one_iteration(folder, folder / "run_model.star", "run", number)


def _one_iteration(folder: Path, path: Path, root: str, number: int) -> Iteration:
    sampling = values(read_if_there(folder / f"{root}_sampling.star"), "sampling_general")
    optimiser = values(read_if_there(folder / f"{root}_optimiser.star"), "optimiser_general")
    tables = read_star(path)
    return iteration_of_files(model_of(tables, str(path), final=root == "run", iteration=number), tables, sampling, optimiser)


def read_settings(folder: Path, root: str) -> tuple[Values, tuple[tuple[str, str], ...]]:
    """The optimiser's and sampling's values together, and those a reader may want to see, by plain name."""
    optimiser = values(read_if_there(folder / f"{root}_optimiser.star"), "optimiser_general").row
    sampling = values(read_if_there(folder / f"{root}_sampling.star"), "sampling_general").row
    merged = Values({**optimiser, **sampling})
    return merged, tuple((name, _plain(merged.row[label])) for label, name in SETTINGS.items() if label in merged.row)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_command(folder: Path, root: str) -> tuple[str, str]:
    """(program and version, arguments) that RELION leaves as the first two comments of the optimiser file."""
    path = folder / f"{root}_optimiser.star"
    if not path.exists():
        return "", ""
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [file.readline().strip() for _ in range(2)]
    notes = [line.lstrip("# ") for line in lines if line.startswith("#")]
    padded = [*notes, "", ""]
    return padded[0], padded[1]


def read_postprocess(path: Path) -> PostProcess:
    """FSC curves, B-factor and Guinier plot of a postprocess.star."""
    tables = read_star(path)
    general, fsc, guinier = values(tables, "general"), "fsc", "guinier"
    rows = (
        ("map", "rlnLogAmplitudesOriginal"),
        ("MTF-corrected", "rlnLogAmplitudesMTFCorrected"),
        ("FSC-weighted", "rlnLogAmplitudesWeighted"),
        ("sharpened", "rlnLogAmplitudesSharpened"),
    )
    curves = tuple((name, y) for name, y in ((name, column(tables, guinier, label)) for name, label in rows) if y.size)
    root = "rlnFourierShellCorrelation"
    return PostProcess(
        resolution=general.number("rlnFinalResolution"),
        b_factor=general.number("rlnBfactorUsedForSharpening"),
        mask=general.text("rlnMaskName"),
        randomise_from=general.number("rlnRandomiseFrom"),
        frequency=column(tables, fsc, "rlnResolution"),
        corrected=column(tables, fsc, f"{root}Corrected"),
        unmasked=column(tables, fsc, f"{root}UnmaskedMaps"),
        masked=column(tables, fsc, f"{root}MaskedMaps"),
        randomised=column(tables, fsc, "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"),
        guinier=curves,
        guinier_x=column(tables, guinier, "rlnResolutionSquared"),
        fit=(general.number("rlnFittedSlopeGuinierPlot"), general.number("rlnFittedInterceptGuinierPlot")),
        mask_fraction=general.number("rlnParticleBoxFractionSolventMask"),
    )
