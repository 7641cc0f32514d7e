"""simulate particles: images with known poses from a map, an atomic model or the built-in phantom."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.folder import named_in
from verglas.jobs.simulate_params import SimulateParams, image_size, particle_number, read_model, source_map
from verglas.jobs.spec import Context, Job, Plan, PlanLine
from verglas.units import DEGREE

if TYPE_CHECKING:
    from verglas.methods.simulate import ColouredNoise, Design, ImageBlock, NoNoise, WhiteNoise
    from verglas.types import Particles


def check(params: SimulateParams, context: Context) -> Plan:
    sources = [params.map is not None, params.model is not None, params.phantom]
    if sum(sources) != 1:
        raise InputError(f"{sum(sources)} sources given, expected one", remedy="give --map, --model or --phantom")
    if params.model is not None:
        read_model(params.model)
    box, pixel = image_size(params)
    if box % 2:
        raise InputError(f"--box {box}: must be even", remedy=f"use {box + 1}")
    if params.defocus_min > params.defocus_max:
        raise InputError(f"--defocus-min {params.defocus_min:g} is above --defocus-max {params.defocus_max:g}")
    number = particle_number(params)
    size, width = number * box**2, 2 if params.float16 else 4
    return Plan((
        PlanLine("particles", f"{number}, {box} px at {pixel:.4f} Å"),
        PlanLine("memory", f"{(8 * box**3 * 8 + 256 * box**2 * 32) / 1024**2:.0f} MB", "padded transform, 256 images"),
        PlanLine("disk", f"{size * width / 1024**2:.0f} MB"),
    ))


def run(params: SimulateParams, context: Context) -> None:
    from verglas.io.mrc import write_map
    from verglas.io.particles_star import write_particles
    from verglas.methods import mapops, simulate

    box, pixel = image_size(params)
    source = source_map(params)
    write_map(context.output / "map.mrc", mapops.resize(source, box, pixel))
    truth = simulate.design(design_of(params, stack_name(context), context.resources.seed))
    seed, device = context.resources.seed, context.resources.device
    blocks = simulate.images(source, truth, noise_of(params), seed, device=device)
    for done in write_stacks(blocks, truth, context.project, "float16" if params.float16 else "float32"):
        context.progress.advance(done, len(truth), "images")
        context.stop_if_asked()
    write_particles(context.output / "truth.star", truth)
    write_particles(context.output / "particles.star", simulate.blind(truth))
    context.log(f"particles.star: {len(truth)} particles without poses; truth.star: with them; map.mrc: what they show")


def design_of(params: SimulateParams, stack: str, seed: int) -> "Design":
    """Who, where, seen how: poses, defocus and optics groups from the options."""
    from verglas.io.particles_star import read_particles
    from verglas.methods import simulate

    box, pixel = image_size(params)
    groups = (
        replace(
            simulate.optics_group(pixel, box, g + 1, params.voltage, params.cs),
            amplitude_contrast=params.amplitude_contrast,
        )
        for g in range(params.optics_groups)
    )
    poses = None if params.poses is None else simulate.GivenPoses(read_particles(params.poses).poses)
    spread = simulate.DefocusSpread(
        params.defocus_min, params.defocus_max, params.defocus_sd,
        (min(100.0, params.astigmatism_max), params.astigmatism_max), params.phase_shift * DEGREE,
    )
    return simulate.Design(
        particle_number(params), tuple(groups), poses or simulate.UniformPoses(params.offset_sd), spread,
        params.per_micrograph, stack, seed,
    )


def write_stacks(blocks: "Iterable[ImageBlock]", truth: "Particles", root: Path, width: str) -> Iterator[int]:
    """Writes the images as they come, one stack for each optics group, names relative to `root`; yields how many."""
    from verglas.io.mrc import StackWriter

    done = 0
    with ExitStack() as stacks:
        writers = [
            stacks.enter_context(StackWriter(root / name, group.pixel_size, width))
            for name, group in zip(truth.images.stacks, truth.optics)
        ]
        for block in blocks:
            writers[truth.optics_index[block.rows[0]]].append(block.pixels)
            done += len(block.rows)
            yield done


def noise_of(params: SimulateParams) -> "WhiteNoise | ColouredNoise | NoNoise":
    """The option --noise as the method wants it."""
    from verglas.methods import simulate

    match params.noise:
        case "white":
            return simulate.WhiteNoise(params.snr)
        case "coloured":
            return simulate.ColouredNoise(params.snr)
        case _:
            return simulate.NoNoise()


def stack_name(context: Context) -> str:
    """The stack without .mrcs: relative to the project, as RELION wants it, or absolute when it lies elsewhere."""
    output, project = context.output.resolve(), context.project.resolve()
    return str(Path(named_in(project, output)) / "particles")


JOB = Job("simulate particles", "Simulate", "Images with known poses from a map, a model or the built-in phantom.",
          SimulateParams, check, run)
