"""postprocess.star and postprocess_fsc.xml under RELION's names."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.postprocess_star import PostprocessStar, write_fsc_xml, write_postprocess
from verglas.io.star import Table

if TYPE_CHECKING:
    from verglas.jobs.postprocess import PostprocessParams
    from verglas.methods.postprocess import PostprocessResult

FAR = 999.0
"""Å that RELION writes for shell 0."""


def write_curves(folder: Path, params: "PostprocessParams", result: "PostprocessResult") -> None:
    """Both files into `folder`."""
    tables = PostprocessStar(general(folder, params, result), fsc_table(result), guinier_table(result))
    write_postprocess(folder / "postprocess.star", tables, comment="verglas postprocess")
    masked = result.mask_use == "used"
    curve = result.curves.true if masked else result.curves.unmasked
    title = "verglas masked-corrected FSC" if masked else "verglas unmasked FSC"
    write_fsc_xml(folder / "postprocess_fsc.xml", shells(result)[0], curve, title)


def general(folder: Path, params: "PostprocessParams", result: "PostprocessResult") -> dict[str, object]:
    """The numbers that stand for the whole job."""
    rows: dict[str, object] = {
        "rlnFinalResolution": result.resolution, "rlnBfactorUsedForSharpening": result.bfactor,
        "rlnUnfilteredMapHalf1": str(params.half1), "rlnUnfilteredMapHalf2": str(params.half2),
        "rlnPostprocessedMap": str(folder / "postprocess.mrc"),
    }
    if result.masked is not None:
        rows["rlnMaskName"] = str(folder / "mask.mrc" if params.mask == "auto" else params.mask)
        rows["rlnPostprocessedMapMasked"] = str(folder / "postprocess_masked.mrc")
    optional = {
        "rlnParticleBoxFractionSolventMask": result.solvent_fraction, "rlnRandomiseFrom": result.randomise_resolution,
        "rlnParticleBoxFractionMolecularWeight": result.weight_fraction,
        "rlnMolecularWeight": params.molecular_weight,
    }
    rows |= {label: value for label, value in optional.items() if value is not None}
    fit = result.guinier.fit
    if fit is not None:
        rows |= {"rlnFittedSlopeGuinierPlot": fit.slope, "rlnFittedInterceptGuinierPlot": fit.intercept,
                 "rlnCorrelationFitGuinierPlot": fit.correlation}
    return rows


def shells(result: "PostprocessResult") -> tuple[np.ndarray, np.ndarray]:
    """(frequency in 1/Å, resolution in Å) of shells 0..B/2; shell 0 is 1/999 and 999."""
    volume = result.sharpened
    index = np.arange(len(result.curves.unmasked))
    resolution = np.where(index == 0, FAR, volume.box * volume.pixel_size / np.maximum(index, 1))
    return 1.0 / resolution, resolution


def fsc_table(result: "PostprocessResult") -> Table:
    """FSC by shell; without a mask only the unmasked curve, which is then also the corrected one."""
    curves = result.curves
    frequency, resolution = shells(result)
    final = curves.unmasked if result.mask_use == "dropped" else curves.true
    columns: dict[str, np.ndarray | None] = {
        "rlnSpectralIndex": np.arange(len(final)), "rlnResolution": frequency, "rlnAngstromResolution": resolution,
        "rlnFourierShellCorrelationCorrected": final,
        "rlnFourierShellCorrelationParticleMaskFraction": curves.mask_fraction,
        "rlnFourierShellCorrelationParticleMolWeight": curves.weight_fraction,
        "rlnFourierShellCorrelationUnmaskedMaps": curves.unmasked,
        "rlnFourierShellCorrelationMaskedMaps": curves.masked,
        "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps": curves.randomised,
    }
    return rounded(columns)


def guinier_table(result: "PostprocessResult") -> Table:
    """ln of the amplitudes against 1/d^2."""
    plot = result.guinier
    columns: dict[str, np.ndarray | None] = {
        "rlnResolutionSquared": plot.resolution_squared, "rlnLogAmplitudesOriginal": plot.original,
        "rlnLogAmplitudesMTFCorrected": plot.mtf_corrected, "rlnLogAmplitudesWeighted": plot.weighted,
        "rlnLogAmplitudesSharpened": plot.sharpened,
    }
    if plot.fit is not None:
        columns["rlnLogAmplitudesIntercept"] = np.full(len(plot.original), plot.fit.intercept)
    return rounded(columns)


def rounded(columns: dict[str, np.ndarray | None]) -> Table:
    """The columns that are there, with the digits that mean something (six decimals, as many as RELION reads)."""
    return Table({label: np.round(values, 6) for label, values in columns.items() if values is not None})
