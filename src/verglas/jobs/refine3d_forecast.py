"""What a refinement is going to need: memory, disk, time per iteration; and the values that were chosen for the user."""

from math import pi
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from verglas.jobs.refine3d_input import DIAMETER_SHARE, Inputs
from verglas.jobs.spec import Context, PlanLine
from verglas.runtime.resources import torch_threads

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.methods.refine.plan import Plan

ITERATIONS = 20
"""A refinement takes 10 to 25."""
ROW_BYTES = 350
"""Of a particle in a data.star."""
REST = 20.0
"""A middling iteration as a multiple of the coarse products of the first: the fine pass is most of it (beta-galactosidase,
1,400 particles of 64 px: 8 to 80)."""
MEGABYTE = 2.0**20
PROGRAM = 600 * MEGABYTE
"""Python, torch and the compiled kernels."""


def forecast(params: "Refine3dParams", inputs: Inputs, plan: "Plan", context: Context) -> tuple[PlanLine, ...]:
    """The lines of a dry run."""
    particles, box, pixel = inputs.particles, inputs.box, inputs.pixel_size
    known = bool((particles.half > 0).all())
    memory, memory_why = memory_line(inputs, plan, context)
    seconds, seconds_why = time_line(inputs, plan, context)
    count = ITERATIONS if params.max_iterations == 0 else min(params.max_iterations, ITERATIONS)
    lines = [
        PlanLine("particles", f"{len(particles)} in {len(particles.optics)} optics and {len(particles.group_names)} scale groups",
                 "half sets as in the file" if known else f"half sets drawn with seed {plan.seed}"),
        PlanLine("box", f"{box} px of {pixel:.4f} Å", "of optics group 1"),
        PlanLine("mask diameter", f"{plan.diameter:.0f} Å",
                 "" if params.mask_diameter else f"{100 * DIAMETER_SHARE:.0f} % of the box; --mask-diameter fits it to the particle"),
        PlanLine("first search", first_search(plan), f"point group {plan.symmetry.upper()}"),
        *(PlanLine("reference", note) for note in inputs.notes),
        PlanLine("memory", f"{memory / MEGABYTE:.0f} MB", memory_why),
        PlanLine("disk", f"{disk_bytes(inputs, count) / MEGABYTE:.0f} MB", f"{count} iterations"),
        PlanLine("time per iteration", clock(seconds), seconds_why),
    ]
    return tuple(lines)


def first_search(plan: "Plan") -> str:
    """Grids of the first iteration in words."""
    rotations, shifts = grid_sizes(plan)
    angle = 60.0 / 2**plan.healpix_order
    return f"{rotations} orientations ({angle:g} degrees, then {angle / 2:g}) x {shifts} translations"


def grid_sizes(plan: "Plan") -> tuple[int, int]:
    """(rotations, translations) of the coarse pass of a global search."""
    from verglas.core.sampling import orientation_grid
    from verglas.core.shifts import offset_grid

    return orientation_grid(plan.healpix_order, plan.symmetry).rotation_count, len(offset_grid(plan.offset_range, 2 * plan.offset_step))


def half_plane_pixels(diameter: float) -> float:
    """Independent Fourier pixels within a circle of `diameter` px."""
    return pi / 2 * (diameter / 2) ** 2


def memory_line(inputs: Inputs, plan: "Plan", context: Context) -> tuple[float, str]:
    """Bytes at the peak: transforms kept in the cache, one block, maps and their padded transforms, torch itself."""
    from verglas.runtime.blocks import budget

    box, count = inputs.box, len(inputs.particles)
    planned = budget(context.resources.memory_gb)
    each = 16 * half_plane_pixels(box) + 2 * box
    cached = count * each <= planned.cache
    half = (plan.padding * box) ** 3 / 2
    volumes = 2 * 12 * half + 8 * half + 4 * 4 * box**3  # sums of both halves, a padded reference, maps
    total = (count * each if cached else 0) + 3 * min(planned.work, count * 20 * each) + volumes + PROGRAM
    fate = "stay in memory" if cached else "do not fit and are made anew in every iteration"
    return total, f"{count * each / MEGABYTE:.0f} MB of transformed images {fate}"


def disk_bytes(inputs: Inputs, iterations: int = ITERATIONS) -> float:
    """Maps and tables of every iteration, and two exact states."""
    maps, rows = 4.0 * inputs.box**3, float(ROW_BYTES * len(inputs.particles))
    return (iterations + 2) * (2 * maps + rows) + 3 * (2 * maps + 0.3 * rows) + MEGABYTE


def time_line(inputs: Inputs, plan: "Plan", context: Context) -> tuple[float, str]:
    """Seconds of a global iteration from the number of products and the speed of a matrix product measured here."""
    from verglas.methods.refine.converge import coarse_angle, coarse_size

    rotations, shifts = grid_sizes(plan)
    size = coarse_size(coarse_angle(plan.healpix_order), plan.diameter, inputs.box * inputs.pixel_size, inputs.box)
    pixels = half_plane_pixels(size)
    operations = 2.0 * len(inputs.particles) * rotations * pixels * (2 * shifts + 1)
    rate = product_rate(context.resources.threads)
    return REST * operations / rate, (
        f"first global search: {operations / 1e12:.2g} Tflop in products of {pixels:.0f} pixels, measured {rate / 1e9:.0f} Gflop/s; "
        f"a whole iteration takes 8 to 80 times as long")


def product_rate(threads: int) -> float:
    """Floating-point operations per second of float32 matrix products on this machine; takes some hundredths of a second."""
    import torch

    with torch_threads(threads):
        a, b = torch.ones(512, 1024), torch.ones(1024, 512)
        seconds = []
        for _ in range(4):
            begun = perf_counter()
            a @ b
            seconds.append(perf_counter() - begun)
    return float(2 * 512 * 1024 * 512 / np.min(seconds))


def clock(seconds: float) -> str:
    """'8 s' or '3.5 min'."""
    return f"about {max(seconds, 1):.0f} s" if seconds < 100 else f"about {seconds / 60:.3g} min"
