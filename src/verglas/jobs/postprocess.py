"""postprocess: FSC with and without a mask, resolution, and the sharpened map of two half maps."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.errors import InputError
from verglas.jobs.doors import open_map, open_mask, same_grid, volume_lines
from verglas.jobs.mask import tell
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    from verglas.methods.postprocess import PostprocessResult, Settings
    from verglas.types import Map


class PostprocessParams(JobParams):
    """Options of `verglas postprocess`."""

    half1: Path = option(help="Unfiltered map of half 1, as run_half1_class001_unfil.mrc.", relion="fn_in")
    half2: Path = option(help="Unfiltered map of half 2.")
    mask: Path | Literal["auto"] | None = option(
        None, help="Soft mask with values 0 to 1; auto: made from the average of the halves.", relion="fn_mask")
    mtf: Path | None = option(None, help="STAR table with the detector's MTF at this voltage.", relion="fn_mtf")
    detector_pixel_size: float | None = option(
        None, help="Pixel of the detector before binning, for --mtf.", unit="Å", gt=0, le=100, relion="mtf_angpix")
    calibrated_pixel_size: float | None = option(
        None, help="True pixel size, replaces the one in the headers.", unit="Å", gt=0, le=100, relion="angpix")
    b_factor: float | Literal["auto"] = option(
        "auto", help="Sharpening; auto: from the slope of the Guinier plot; negative sharpens; 0: none.", unit="Å²",
        ge=-5000, le=5000, relion="adhoc_bfac")
    fit_from: float = option(10.0, help="The Guinier fit starts at this resolution.", unit="Å", gt=0, le=100,
                             relion="autob_lowres", level="advanced")
    lowpass: float | None = option(None, help="Low-pass instead of weighting by the FSC; 0: at the resolution found.",
                                   unit="Å", ge=0, le=500, relion="low_pass", level="advanced")
    randomise_from: float | None = option(
        None, help="Randomise phases beyond this resolution; without it where the FSC falls below 0.8.", unit="Å", gt=0,
        level="advanced")
    molecular_weight: float | None = option(
        None, help="Mass of the particle, for the FSC of its share of the box.", unit="kDa", gt=0, level="advanced")
    keep_mask: bool = option(False, help="Use the mask even if the unmasked FSC reaches further.", level="advanced")


def check(params: PostprocessParams, context: Context) -> Plan:
    half1, half2 = open_map(params.half1), open_map(params.half2)
    same_grid(half2, params.half2, half1, str(params.half1))
    if (half1.data == half2.data).all():
        raise InputError("is the same map as --half1, so the FSC would be 1 everywhere", where=str(params.half2),
                         remedy="give the maps of the two independent halves")
    if isinstance(params.mask, Path):
        open_mask(params.mask, half1, str(params.half1))
    if params.mtf is not None:
        from verglas.io.mtf import read_mtf

        read_mtf(params.mtf)
        if params.detector_pixel_size is None:
            raise InputError("--mtf needs the pixel of the detector", remedy="give --detector-pixel-size")
    pixel = params.calibrated_pixel_size or half1.pixel_size
    written = 2 if params.mask is None else 3
    lines = volume_lines(half1.box, pixel, working=14, written=written)
    changed = PlanLine("pixel size", f"{pixel:.4f} Å", f"calibrated; the header says {half1.pixel_size:.4f} Å")
    return Plan((*lines, changed) if params.calibrated_pixel_size else lines)


def settings(params: PostprocessParams, seed: int) -> "Settings":
    """The options as the method wants them."""
    from verglas.io.mtf import read_mtf
    from verglas.methods import postprocess as method

    sharpening = method.AutoB(params.fit_from) if params.b_factor == "auto" else method.FixedB(params.b_factor)
    start, detector = params.randomise_from, params.detector_pixel_size
    return method.Settings(
        bfactor=method.NoB() if params.b_factor == 0 else sharpening,
        weighting=method.FscWeighting() if params.lowpass is None else method.Lowpass(params.lowpass or None),
        randomise=method.RandomiseBelow() if start is None else method.RandomiseFrom(start),
        mtf=method.Mtf(*read_mtf(params.mtf), detector) if params.mtf and detector else None,
        molecular_weight=None if params.molecular_weight is None else 1000.0 * params.molecular_weight,
        mask_even_if_worse=params.keep_mask, seed=seed,
    )


def run(params: PostprocessParams, context: Context) -> None:
    from verglas.io.mrc import read_map, write_map
    from verglas.jobs.postprocess_files import write_curves
    from verglas.methods.postprocess import postprocess

    half1, half2 = (_calibrated(read_map(path), params) for path in (params.half1, params.half2))
    mask = solvent_mask(params, half1, half2, context)
    result = postprocess(half1, half2, mask, settings(params, context.resources.seed), context.resources.device)
    write_map(context.output / "postprocess.mrc", result.sharpened)
    if result.masked is not None:
        write_map(context.output / "postprocess_masked.mrc", result.masked)
    write_curves(context.output, params, result)
    _tell(result, context)


def solvent_mask(params: PostprocessParams, half1: "Map", half2: "Map", context: Context) -> "Map | None":
    """The given mask, or the automatic one (written as mask.mrc), or none."""
    from verglas.io.mrc import read_map, write_map
    from verglas.methods.masking import make_mask

    if params.mask is None:
        return None
    if isinstance(params.mask, Path):
        return _calibrated(read_map(params.mask), params, like=half1)
    found = make_mask(replace(half1, data=0.5 * (half1.data + half2.data)))
    write_map(context.output / "mask.mrc", found.mask)
    tell(found, context)
    return found.mask


def _calibrated(volume: "Map", params: PostprocessParams, like: "Map | None" = None) -> "Map":
    """The map with the calibrated pixel size, or with that of the map it belongs to."""
    pixel = params.calibrated_pixel_size or (like.pixel_size if like else volume.pixel_size)
    return replace(volume, pixel_size=pixel)


def _tell(result: "PostprocessResult", context: Context) -> None:
    for text in result.warnings:
        context.warn(text)
    context.log(f"resolution {result.resolution:.2f} Å (FSC 0.143), {result.resolution_half:.2f} Å (0.5), "
                f"{result.resolution_unmasked:.2f} Å without mask; B-factor {result.bfactor:.1f} Å²")
    context.event(
        "result", resolution=result.resolution, resolution_unmasked=result.resolution_unmasked, b_factor=result.bfactor,
        mask_use=result.mask_use,
    )


JOB = Job("postprocess", "PostProcess", "Resolution (FSC) and a sharpened map from two half maps.", PostprocessParams,
          check, run, "relion.postprocess")
