"""Particles and stacks that import particles takes over, and the file that export cryosparc writes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io.cryosparc_cs import read_cs, write_cs
from verglas.io.image_names import find_root
from verglas.io.mrc import MrcStack, StackWriter
from verglas.io.mrc_header import read_header
from verglas.io.particles_star import project_root, read_particles, write_particles
from verglas.jobs.extract_input import rows_of_each
from verglas.jobs.folder import named_in
from verglas.jobs.import_files import Placed, check_links, make_links, placed, whole
from verglas.jobs.import_particles import CryosparcParams, ParticlesParams
from verglas.jobs.spec import Context, Plan, PlanLine
from verglas.types import ImageRefs, Particles

FOLDER = "Particles"
BLOCK = 256 * 1024**2
"""Bytes of a stack worked on at once when it is inverted."""


@dataclass(frozen=True)
class _Import:
    """files: the stacks in the order of images.stacks; root: what their old names are relative to."""

    particles: Particles
    files: tuple[Placed, ...]
    root: Path
    warnings: tuple[str, ...]


def check(params: ParticlesParams, context: Context) -> Plan:
    one = _opened(params, context)
    check_links(one.files)
    group = one.particles.optics[0]
    links = sum(file.link is not None for file in one.files)
    return Plan((
        PlanLine("particles", f"{len(one.particles)} in {len(one.files)} stacks", f"relative to {one.root}"),
        PlanLine("images", f"{group.box} px at {group.pixel_size:.4f} Å"),
        PlanLine("half sets", "yes" if one.particles.half.any() else "no"),
        PlanLine("written anew" if params.invert else "links", str(len(one.files) if params.invert else links)),
    ), one.warnings)


def _opened(params: ParticlesParams, context: Context) -> _Import:
    if params.particles.suffix == ".cs":
        found = read_cs(params.particles, params.passthrough)
        particles, warnings = found.particles, found.remarks
        root = params.stacks or find_root(params.particles, particles.images.stacks)
        if found.dark and not params.invert:
            warnings += ("blob/sign is -1: the particles may be darker than the background; if they are, import them with --invert.",)
    else:
        root = params.stacks or project_root(params.particles)
        particles, warnings = read_particles(params.particles, root), ()
    if params.optics_group is not None:
        if len(particles.optics) > 1:
            raise InputError(f"--optics-group: there are {len(particles.optics)} groups", where=str(params.particles),
                             remedy="change them with `verglas assign-optics`")
        particles = replace(particles, optics=(replace(particles.optics[0], name=params.optics_group),))
    _check_stacks(particles, root, str(params.particles))
    files = tuple(placed(root / name, root, context, FOLDER, ".mrcs") for name in particles.images.stacks)
    if params.invert:
        files = tuple(_written(file, root / name, root, context) for file, name in zip(files, particles.images.stacks))
    return _Import(particles, files, root, warnings)


def _check_stacks(particles: Particles, root: Path, where: str) -> None:
    """Every stack is there, with as many images of the box as the table says."""
    for number, rows in rows_of_each(particles.images.stack):
        path = root / particles.images.stacks[number]
        if not path.is_file():
            raise InputError(f"there is no stack {path}", where=where, remedy="give the folder that the names are relative to: --stacks")
        sections, height, width = read_header(path).shape
        box = particles.optics[int(particles.optics_index[rows][0])].box
        if (height, width) != (box, box) or int(particles.images.index[rows].max()) >= sections:
            raise InputError(f"{sections} images of {width} x {height} px, expected image {int(particles.images.index[rows].max()) + 1} of {box} px",
                             where=str(path), remedy="give the stacks that the table was made with: --stacks")


def _written(file: Placed, source: Path, root: Path, context: Context) -> Placed:
    """The stack in the job folder, also where none would be needed."""
    if file.link is not None:
        return file
    project, target = whole(context.project), whole(source)
    below = target.relative_to(whole(root)) if target.is_relative_to(whole(root)) else Path(target.name)
    link = whole(context.output) / FOLDER / below
    return Placed(named_in(project, link), link, target)


def run(params: ParticlesParams, context: Context) -> None:
    one = _opened(params, context)
    if params.invert:
        for done, file in enumerate(one.files, start=1):
            _invert(file)
            context.progress.advance(done, len(one.files), "stacks")
            context.stop_if_asked()
    else:
        make_links(one.files)
    images = one.particles.images
    named = replace(one.particles, images=ImageRefs(tuple(file.name for file in one.files), images.stack, images.index))
    write_particles(context.output / "particles.star", named)
    context.log(f"particles.star: {len(named)} particles, {len(named.optics)} optics groups")
    context.event("import", total=len(named))


def _invert(file: Placed) -> None:
    """The stack at `target` times -1, at `link`."""
    if file.link is None or file.target is None:
        return
    file.link.parent.mkdir(parents=True, exist_ok=True)
    with MrcStack(file.target) as stack, StackWriter(file.link, stack.pixel_size, "float16" if stack.header.mode == 12 else "float32") as writer:
        for rows in _blocks(stack):
            writer.append(-stack.read(rows))


def _blocks(stack: MrcStack) -> Iterator[np.ndarray]:
    count, height, width = stack.shape
    step = max(1, BLOCK // (4 * height * width))
    for start in range(0, count, step):
        yield np.arange(start, min(count, start + step))


def check_export(params: CryosparcParams, context: Context) -> Plan:
    particles = read_particles(params.particles, context.project)
    return Plan((PlanLine("particles", str(len(particles))), PlanLine("half sets", "yes" if particles.half.any() else "no")))


def run_export(params: CryosparcParams, context: Context) -> None:
    particles = read_particles(params.particles, context.project)
    for text in write_cs(context.output / "particles.cs", particles, params.dark):
        context.warn(text)
    context.log(f"particles.cs: {len(particles)} particles; stacks are named relative to {context.project.resolve()}")
    context.event("export", total=len(particles))
