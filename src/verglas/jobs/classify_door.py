"""The door of class2d, class3d and initialmodel: what they read, what is refused, and the forecast."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.classify_params import ClassifyParams
from verglas.jobs.doors import open_map, open_mask
from verglas.jobs.refine3d_check import check_disk, check_sizes, look_at_images
from verglas.jobs.refine3d_forecast import ROW_BYTES
from verglas.jobs.refine3d_input import DIAMETER_SHARE, ImageInputs, fit_map, open_images
from verglas.jobs.refine3d_remarks import duplicate_remarks, gpu_remarks
from verglas.jobs.spec import Context, Plan, PlanLine
from verglas.types import Map
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.classify.plan import ClassPlan
    from verglas.methods.refine import plan as refine_plan

MEGABYTE = 2.0**20


@dataclass(frozen=True)
class ClassInputs:
    """Images, and maps on their grid (none in 2D or when the models are made from the particles)."""

    images: ImageInputs
    references: tuple[Map, ...]
    mask: Map | None
    notes: tuple[str, ...] = ()


def open_class_inputs(particles: Path, references: tuple[Path, ...] = (), mask: Path | None = None) -> ClassInputs:
    """Read tables, headers and maps (no images)."""
    images = open_images(particles)
    maps: list[Map] = []
    notes: list[str] = []
    for path in references:
        volume, said = fit_map(open_map(path), path, images.box, images.pixel_size)
        maps.append(volume)
        notes += said
    like = maps[0] if maps else None
    if mask is not None and like is None:
        raise InputError("a mask needs a reference on the same grid", where="--mask", remedy="leave --mask out")
    opened = None if mask is None or like is None else open_mask(mask, like, "the particles' grid")
    return ClassInputs(images, tuple(maps), opened, tuple(notes))


def search_plan(params: ClassifyParams, images: ImageInputs, seed: int, **rest: object) -> "refine_plan.Plan":
    """The options of the search in Å and radians."""
    from verglas.methods.refine.plan import Plan

    pixel = images.pixel_size
    return Plan(
        diameter=params.mask_diameter or DIAMETER_SHARE * images.box * pixel, offset_range=params.offset_range * pixel,
        offset_step=params.offset_step * pixel, intact_first_peak=params.ignore_ctf_until_first_peak, ignore_ctf=not params.ctf_correction,
        seed=seed, **rest,  # type: ignore[arg-type]
    )


def check_classification(params: ClassifyParams, inputs: ClassInputs, plan: "ClassPlan", context: Context, files: int) -> Plan:
    """Raise on what cannot be classified; otherwise the forecast. `files`: iterations that are written."""
    images, count = inputs.images, len(inputs.images.particles)
    if count < 2 * plan.classes:
        raise InputError(f"{count} particles for {plan.classes} classes", where=str(params.particles), remedy="ask for fewer classes")
    check_sizes(plan.search, images)
    disk = disk_bytes(images, plan, files)
    check_disk(disk, context.output)
    warnings = (*images.warnings, *gpu_remarks(context.resources.device), *duplicate_remarks(images.particles))
    warnings = (*warnings, *look_at_images(params.particles, images, plan.search.diameter, params.skip_image_checks))
    return Plan(_lines(inputs, plan, context, disk), warnings, images.stacks)


def disk_bytes(images: ImageInputs, plan: "ClassPlan", files: int) -> float:
    """Maps and tables of the iterations that are written."""
    voxels = images.box ** (2 if plan.flat else 3)
    return files * (4.0 * plan.classes * voxels + ROW_BYTES * len(images.particles)) + 4 * plan.classes * 40.0 * voxels


def _lines(inputs: ClassInputs, plan: "ClassPlan", context: Context, disk: float) -> tuple[PlanLine, ...]:
    from verglas.methods.classify.plan import subset_size
    from verglas.runtime.blocks import budget

    images, n = inputs.images, len(inputs.images.particles)
    first, last = subset_size(plan, 1, n), subset_size(plan, plan.iterations, n)
    voxels = (plan.search.padding * images.box) ** (2 if plan.flat else 3) / 2
    momentum = 0 if plan.search.padding > 1.5 and not plan.flat else 24
    memory = budget(context.resources.memory_gb)
    needed = plan.classes * voxels * (20 + momentum) + memory.work * 3 + min(memory.cache, 8.0 * n * images.box**2) + 600 * MEGABYTE
    grid = plan.grid(plan.search.healpix_order)
    degrees = grid.step / DEGREE
    return (
        PlanLine("particles", f"{n} in {len(images.particles.optics)} optics and {len(images.particles.group_names)} scale groups"),
        PlanLine("box", f"{images.box} px of {images.pixel_size:.4f} Å", "of optics group 1"),
        PlanLine("classes", str(plan.classes), f"{plan.iterations} iterations of {first} to {last} particles, T = {plan.tau:g}"),
        PlanLine("mask diameter", f"{plan.search.diameter:.0f} Å"),
        PlanLine("search", f"{grid.rotation_count} orientations ({degrees:.3g} degrees, then {degrees / 2:.3g})"),
        *(PlanLine("reference", note) for note in inputs.notes),
        PlanLine("memory", f"{needed / MEGABYTE:.0f} MB"),
        PlanLine("disk", f"{disk / MEGABYTE:.0f} MB"),
    )
