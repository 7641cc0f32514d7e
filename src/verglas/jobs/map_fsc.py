"""map fsc: how alike two maps are, shell by shell."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.jobs.doors import open_map, open_mask, same_grid, volume_lines
from verglas.jobs.spec import Context, Job, JobParams, Plan, option

if TYPE_CHECKING:
    from verglas.methods.mapops import MapComparison


class FscParams(JobParams):
    """Options of `verglas map fsc`."""

    map1: Path = option(help="First map (MRC).")
    map2: Path = option(help="Second map on the same grid.")
    mask: Path | None = option(None, help="Multiplies both maps first; the curve is not corrected for it.")


def check(params: FscParams, context: Context) -> Plan:
    first = open_map(params.map1)
    same_grid(open_map(params.map2), params.map2, first, str(params.map1))
    if params.mask is not None:
        open_mask(params.mask, first, str(params.map1))
    return Plan(volume_lines(first.box, first.pixel_size, working=8, written=0))


def run(params: FscParams, context: Context) -> None:
    from verglas.io.mrc import read_map
    from verglas.methods.mapops import compare_maps

    mask = None if params.mask is None else read_map(params.mask)
    result = compare_maps(read_map(params.map1), read_map(params.map2), mask)
    write_fsc(context.output / "fsc.star", result)
    context.log(f"FSC 0.5 at {result.at_half:.2f} Å, 0.143 at {result.at_gold:.2f} Å, "
                f"mean {result.fsc[1:].mean():.3f}, correlation of the voxels {result.correlation:.4f}")
    context.event("result", at_half=result.at_half, at_gold=result.at_gold, correlation=result.correlation)


def write_fsc(path: Path, result: "MapComparison") -> None:
    """One block fsc with RELION's labels."""
    import numpy as np

    from verglas.io.star import Table, write_star

    columns = {
        "rlnSpectralIndex": np.arange(1, len(result.fsc)), "rlnAngstromResolution": np.round(result.resolution[1:], 4),
        "rlnFourierShellCorrelation": np.round(result.fsc[1:], 6),
    }
    write_star(path, {"fsc": Table(columns)})


JOB = Job("map fsc", "Map", "FSC and correlation of two maps.", FscParams, check, run)
