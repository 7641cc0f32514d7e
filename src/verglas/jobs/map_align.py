"""map align: one map laid on another."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.jobs.doors import open_map, volume_lines
from verglas.jobs.spec import Context, Job, JobParams, Plan, option

if TYPE_CHECKING:
    from verglas.methods.align import Alignment
    from verglas.methods.mapops import MapComparison


class MapAlignParams(JobParams):
    """Options of `verglas map align`."""

    map: Path = option(help="Map to turn and move (MRC).")
    reference: Path = option(help="Map that stays; the result has its box and pixel size.")
    symmetry: str = option("C1", help="Point group of the reference, axes as in RELION; saves time.")
    try_mirror: bool = option(False, help="Also try the mirror image and take the better hand.")
    resolution: float | None = option(None, help="Finest resolution to use; default an eighth of the particle's radius.", unit="Å",
                                      gt=0, le=500, level="advanced")


def check(params: MapAlignParams, context: Context) -> Plan:
    from verglas.core.symmetry import operators

    moving, fixed = open_map(params.map), open_map(params.reference)
    operators(params.symmetry)
    large = max(moving, fixed, key=lambda one: one.box)
    return Plan(volume_lines(large.box, large.pixel_size, working=14, written=1))


def run(params: MapAlignParams, context: Context) -> None:
    from verglas.io.mrc import read_map, write_map
    from verglas.jobs.map_fsc import write_fsc
    from verglas.methods import align, mapops

    moving, fixed = read_map(params.map), read_map(params.reference)
    found = align.align_maps(moving, fixed, symmetry=params.symmetry, hand=params.try_mirror, resolution=params.resolution)
    aligned = align.apply_alignment(moving, found, fixed)
    write_map(context.output / "aligned.mrc", aligned)
    result = mapops.compare_maps(fixed, aligned)
    write_fsc(context.output / "fsc.star", result)
    tell(found, result, context)


def tell(found: "Alignment", result: "MapComparison", context: Context) -> None:
    """The motion and the agreement after it."""
    import numpy as np

    from verglas.units import DEGREE

    angle = np.arccos(np.clip((np.trace(found.rotation) - 1) / 2, -1, 1)) / DEGREE
    x, y, z = found.shift
    context.log(f"turned by {angle:.1f}°, moved by ({x:.1f}, {y:.1f}, {z:.1f}) Å{', mirrored' if found.mirrored else ''}; correlation "
                f"{found.correlation:.3f} in the particle's sphere at {found.resolution:.1f} Å")
    if found.other_hand is not None:
        context.log(f"the other hand: correlation {found.other_hand:.3f}")
        if found.correlation - found.other_hand < 0.1 * (1 - found.other_hand):
            context.warn("both hands fit about equally well: at this resolution the hand is not told")
    context.log(f"whole boxes after it: FSC 0.5 at {result.at_half:.2f} Å, 0.143 at {result.at_gold:.2f} Å, correlation {result.correlation:.4f}")
    context.event(
        "result", rotation=found.rotation.ravel().tolist(), shift=found.shift.tolist(), mirrored=found.mirrored,
        correlation=found.correlation, other_hand=found.other_hand, at_half=result.at_half, at_gold=result.at_gold,
    )


JOB = Job("map align", "Map", "Lay one map on another, its mirror image too.", MapAlignParams, check, run)
