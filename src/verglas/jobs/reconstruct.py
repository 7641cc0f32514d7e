"""reconstruct: a map, and both half maps, from particles with known poses."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.spec import Context, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    import numpy as np

    from verglas.methods.reconstruct import Grid, Result
    from verglas.types import Particles

BLOCK_BYTES = 256 << 20


class ReconstructParams(JobParams):
    """Options of `verglas reconstruct`."""

    particles: Path = option(help="Particle STAR file with poses (run_data.star).", relion="fn_img")
    symmetry: str = option("C1", help="Point group: Cn, Dn, T, O, I1 to I4.", relion="sym_name")
    halves: bool = option(False, help="Also both half maps (by _rlnRandomSubset) and their FSC.")
    padding: float = option(2.0, help="Oversampling of the Fourier transform of the map.", ge=1, le=3, relion="pad", level="advanced")
    max_resolution: float | None = option(None, help="Nothing finer than this; default Nyquist.", unit="Å", gt=0)
    intact_first_peak: bool = option(False, help="No CTF correction before its first peak.", level="advanced")


def check(params: ReconstructParams, context: Context) -> Plan:
    import numpy as np

    from verglas.core.symmetry import operators
    from verglas.io.image_check import validate_images
    from verglas.io.particles_star import project_root, read_particles
    from verglas.jobs.refine3d_input import read_mtfs

    count = len(operators(params.symmetry))
    particles = read_particles(params.particles)
    root = project_root(params.particles)
    warnings = validate_images(particles, root, str(params.particles))
    group = particles.optics[0]
    if group.box % 2:
        raise InputError(f"box of {group.box} px, expected an even number", where=f"{params.particles}, optics group {group.name}")
    members = np.bincount(particles.half, minlength=3)
    if params.halves and (members[1] == 0 or members[2] == 0):
        raise InputError(f"{members[1]} particles in half 1 and {members[2]} in half 2", where=f"{params.particles} (_rlnRandomSubset)",
                         remedy="--halves needs particles with their half sets, as in the run_data.star of a refinement")
    if not particles.poses.angles.any():
        warnings = (*warnings, "all angles are 0: has this particle set been refined?")
    grid = grid_of(params, particles)
    padded = (grid.padding * grid.box) ** 3
    lines = (
        PlanLine("particles", f"{len(particles)} in {len(particles.optics)} optics groups"),
        PlanLine("map", f"{grid.box} px of {grid.pixel_size:.4f} Å to {grid.box * grid.pixel_size / grid.shells:.2f} Å",
                 f"of optics group 1; point group {params.symmetry.upper()}, {count} operators"),
        PlanLine("memory", f"{(padded * 60 + 4 * BLOCK_BYTES) / 2**20 + 300:.0f} MB"),
        PlanLine("disk", f"{(3 if params.halves else 1) * 4 * grid.box**3 / 2**20:.0f} MB"),
    )
    return Plan(lines, (*warnings, *read_mtfs(particles, root)[1]), tuple(root / name for name in particles.images.stacks))


def grid_of(params: ReconstructParams, particles: "Particles") -> "Grid":
    """The grid of optics group 1."""
    from verglas.methods.reconstruct import Grid

    group = particles.optics[0]
    shells = group.box // 2
    if params.max_resolution is not None:
        shells = min(shells, max(1, int(group.box * group.pixel_size / params.max_resolution)))
    return Grid(group.box, group.pixel_size, shells, params.padding)


def run(params: ReconstructParams, context: Context) -> None:
    from verglas.core.ctf import CtfOptions
    from verglas.io.image_source import ImageSource
    from verglas.io.particles_star import project_root, read_particles
    from verglas.jobs.refine3d_input import read_mtfs
    from verglas.methods.reconstruct import solve, sums_of_halves

    particles = read_particles(params.particles)
    root, grid = project_root(params.particles), grid_of(params, particles)
    images = ImageSource(particles, root)
    options = CtfOptions(intact_first_peak=params.intact_first_peak)
    mtf = read_mtfs(particles, root)[0]

    def tell(done: int) -> None:
        context.progress.advance(done, len(particles), "inserted")
        context.stop_if_asked()

    blocks = images.batches(row_blocks(particles))
    sums = sums_of_halves(particles, blocks, grid, mtf, options, context.resources.device, tell)
    write(solve(sums, grid, params.symmetry, params.halves), context)


def row_blocks(particles: "Particles") -> "Iterator[np.ndarray]":
    """Rows of one optics group after the other, in the order of their stacks, in blocks of bounded size."""
    import numpy as np

    images = particles.images
    for number, group in enumerate(particles.optics):
        rows = np.flatnonzero(particles.optics_index == number)
        rows = rows[np.lexsort((images.index[rows], images.stack[rows]))]
        size = max(1, BLOCK_BYTES // (16 * group.box**2))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def write(result: "Result", context: Context) -> None:
    """The maps, the FSC as events.jsonl and in words."""
    from verglas.io.mrc import write_map

    write_map(context.output / "reconstruct.mrc", result.average)
    if result.halves is None or result.fsc is None:
        return
    for number, half in enumerate(result.halves, start=1):
        write_map(context.output / f"reconstruct_half{number}.mrc", half)
    fsc = result.fsc
    extent = result.average.box * result.average.pixel_size
    found = {name: crossing(fsc, limit, extent) for name, limit in (("0.5", 0.5), ("0.143", 0.143))}
    context.log("FSC of the half maps: " + ", ".join(f"{limit} at {where:.2f} Å" for limit, where in found.items()))
    context.event("fsc", fsc=[round(float(value), 5) for value in fsc], resolution_A=found["0.143"], half_A=found["0.5"])


def crossing(fsc: "np.ndarray", limit: float, extent: float) -> float:
    """Resolution in Å of the last shell before the FSC first falls below `limit`; Nyquist if it never does."""
    import numpy as np

    below = np.flatnonzero(fsc[1:] < limit)
    return extent / max(int(below[0]) if len(below) else len(fsc) - 1, 1)


JOB = Job(
    "reconstruct", "Reconstruct", "A map and half maps from particles with known poses.", ReconstructParams, check, run,
)
