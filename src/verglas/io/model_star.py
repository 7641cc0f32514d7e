"""run_itNNN_model.star: what a refinement knows about its maps, noise and groups, in RELION's tables (3.1 to 5)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, block_of, require_values

GENERAL = (
    "rlnReferenceDimensionality", "rlnOriginalImageSize", "rlnCurrentResolution", "rlnCurrentImageSize", "rlnPaddingFactor",
    "rlnFourierSpaceInterpolator", "rlnMinRadiusNnInterpolation", "rlnPixelSize", "rlnNrClasses", "rlnNrGroups", "rlnTau2FudgeFactor",
    "rlnNormCorrectionAverage", "rlnSigmaOffsetsAngst", "rlnOrientationalPriorMode", "rlnSigmaPriorRotAngle", "rlnSigmaPriorTiltAngle",
    "rlnSigmaPriorPsiAngle", "rlnLogLikelihood", "rlnAveragePmax",
)
"""RELION stops when one of these is missing."""
CLASSES = ("rlnReferenceImage", "rlnClassDistribution", "rlnAccuracyRotations", "rlnAccuracyTranslationsAngst")
CLASS_SHELLS = ("rlnSpectralIndex", "rlnSsnrMap", "rlnGoldStandardFsc", "rlnReferenceSigma2", "rlnReferenceTau2")
GROUPS = ("rlnGroupNumber", "rlnGroupName", "rlnGroupNrParticles", "rlnGroupScaleCorrection")
NOISE = ("rlnSpectralIndex", "rlnResolution", "rlnSigma2Noise")
PDF_ORIENT = "rlnOrientationDistribution"


@dataclass(frozen=True)
class ModelStar:
    """K classes, G optics groups, S shells.

    general: label -> value; classes (K rows); class_shells: K tables of S rows; groups: one row per scale group; optics_groups: G tables of
    the shells with positive noise; pdf_orient: K arrays, one value per direction of the sampling (empty in 2D);
    group_noise: RELION 3.1 kept a noise spectrum per scale group instead (written only when given); other: further blocks, kept.
    """

    general: Mapping[str, object]
    classes: Table
    class_shells: tuple[Table, ...]
    groups: Table
    optics_groups: tuple[Table, ...]
    pdf_orient: tuple[np.ndarray, ...] = ()
    group_noise: tuple[Table, ...] = ()
    other: Mapping[str, Table] | None = None


def read_model(path: Path | str) -> ModelStar:
    """Read and check for the columns that RELION's own reader needs."""
    tables, name = read_star(path), str(path)
    general = block_of(tables, "model_general", name)
    require_values(general, GENERAL)
    classes, groups = block_of(tables, "model_classes", name), block_of(tables, "model_groups", name)
    classes.require(CLASSES)
    groups.require(GROUPS)
    shells = [block_of(tables, f"model_class_{k}", name) for k in range(1, len(classes.table) + 1)]
    for shell in shells:
        shell.require(CLASS_SHELLS)
    optics, group_noise = _numbered(tables, "model_optics_group_", name), _numbered(tables, "model_group_", name)
    for noise in (*optics, *group_noise):
        noise.require(NOISE)
    pdfs = _numbered(tables, "model_pdf_orient_class_", name)
    used = {source.block for source in (general, classes, groups, *shells, *optics, *group_noise, *pdfs)}
    return ModelStar(
        general.table.values(), classes.table, tuple(s.table for s in shells), groups.table, tuple(s.table for s in optics),
        tuple(s.numbers(PDF_ORIENT) for s in pdfs), tuple(s.table for s in group_noise),
        {block: table for block, table in tables.items() if block not in used},
    )


def _numbered(tables: dict[str, Table], prefix: str, path: str) -> list[Source]:
    """The blocks prefix1, prefix2, ... as far as they go."""
    found: list[Source] = []
    while f"{prefix}{len(found) + 1}" in tables:
        found.append(block_of(tables, f"{prefix}{len(found) + 1}", path))
    return found


def model_blocks(model: ModelStar) -> dict[str, Table]:
    """RELION's blocks in RELION's order."""
    blocks = {"model_general": Table.of_values(dict(model.general)), "model_classes": model.classes}
    blocks |= {f"model_class_{k}": table for k, table in enumerate(model.class_shells, start=1)}
    blocks["model_groups"] = model.groups
    blocks |= {f"model_optics_group_{g}": table for g, table in enumerate(model.optics_groups, start=1)}
    blocks |= {f"model_group_{g}": table for g, table in enumerate(model.group_noise, start=1)}
    blocks |= {f"model_pdf_orient_class_{k}": Table({PDF_ORIENT: pdf}) for k, pdf in enumerate(model.pdf_orient, start=1)}
    return blocks | dict(model.other or {})


def write_model(path: Path | str, model: ModelStar, comment: str = "") -> None:
    """Write atomically; raises when a column that RELION's reader needs is missing."""
    name = str(path)
    require_values(Source(Table.of_values(dict(model.general)), name, "model_general"), GENERAL)
    Source(model.classes, name, "model_classes").require(CLASSES)
    Source(model.groups, name, "model_groups").require(GROUPS)
    for k, table in enumerate(model.class_shells, start=1):
        Source(table, name, f"model_class_{k}").require(CLASS_SHELLS)
    for g, table in enumerate((*model.optics_groups, *model.group_noise), start=1):
        Source(table, name, f"noise spectrum {g}").require(NOISE)
    write_star(path, model_blocks(model), comment)


def with_group_noise(model: ModelStar, optics_of_group: np.ndarray) -> ModelStar:
    """The model with a noise spectrum for each scale group, that of its optics group (position; one per row of groups).

    RELION 3.1 knows only these and stops with a zero sum of weights without them; RELION 4 and 5 ignore them.
    """
    return replace(model, group_noise=tuple(model.optics_groups[optics] for optics in optics_of_group))


def noise_table(sigma2: np.ndarray, box: int, pixel_size: float) -> Table:
    """One noise spectrum sigma2 (S,), power per component on RELION's scale: the shells where it is positive, as RELION writes them."""
    kept = np.flatnonzero(np.asarray(sigma2) > 0)
    return Table({"rlnSpectralIndex": kept, "rlnResolution": kept / (box * pixel_size), "rlnSigma2Noise": np.asarray(sigma2, dtype=np.float64)[kept]})
