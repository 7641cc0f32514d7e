"""mask: a soft solvent mask from a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.jobs.doors import open_map, volume_lines
from verglas.jobs.spec import Context, Job, JobParams, Plan, option

if TYPE_CHECKING:
    from verglas.methods.masking import MaskResult


class MaskParams(JobParams):
    """Options of `verglas mask`."""

    map: Path = option(help="Map to make the mask from (MRC).", relion="fn_in")
    lowpass: float = option(15.0, help="Low-pass filter before the threshold; 0: none.", unit="Å", ge=0, le=500,
                            relion="lowpass_filter")
    threshold: float | Literal["auto"] = option(
        "auto", help="Density from which a voxel belongs to the particle; auto: from the histogram.",
        relion="inimask_threshold")
    extend: float = option(3.0, help="Grow the binary mask (negative: shrink).", unit="px", ge=-100, le=100,
                           relion="extend_inimask")
    soft_edge: float = option(6.0, help="Width of the raised-cosine edge.", unit="px", ge=0, le=100,
                              relion="width_mask_edge")


def check(params: MaskParams, context: Context) -> Plan:
    volume = open_map(params.map)
    return Plan(volume_lines(volume.box, volume.pixel_size, working=8, written=1))


def run(params: MaskParams, context: Context) -> None:
    from verglas.io.mrc import read_map, write_map
    from verglas.methods.masking import make_mask

    result = make_mask(read_map(params.map), params.lowpass, params.threshold, params.extend, params.soft_edge)
    write_map(context.output / "mask.mrc", result.mask)
    tell(result, context)


def tell(result: "MaskResult", context: Context) -> None:
    """What the mask encloses, in the log, as an event, and what is doubtful about it as warnings."""
    context.log(
        f"mask: threshold {result.threshold:.4g}, {result.volume:.0f} Å³ (protein of {result.kilodalton:.0f} kDa), "
        f"{100 * result.box_fraction:.1f} % of the box, radius {result.radius:.0f} Å"
    )
    for text in result.warnings:
        context.warn(text)
    context.event(
        "mask", threshold=result.threshold, volume=result.volume, kilodalton=result.kilodalton,
        box_fraction=result.box_fraction, radius=result.radius, parts=result.parts,
    )


JOB = Job("mask", "MaskCreate", "Make a soft solvent mask from a map.", MaskParams, check, run, "relion.maskcreate")
