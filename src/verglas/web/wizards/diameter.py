"""Images on which a diameter is chosen: class averages, particles, windows of a micrograph, or projections of the reference."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verglas.api.project import Project
from verglas.errors import InputError, VerglasError
from verglas.io.mrc_header import read_header
from verglas.io.star import read_star
from verglas.methods.masking.diameter import visible_diameter
from verglas.project import graph
from verglas.project.layout import owner
from verglas.report.pictures import data_uri
from verglas.web.data import classes, images
from verglas.web.data.answers import stamp
from verglas.web.places import file_in
from verglas.web.wizards.asked import Asked, params_of
from verglas.web.wizards.recent import Recent

if TYPE_CHECKING:
    from verglas.types import Particles

SHOWN = 24
"""Images that are sent."""
MEASURED = 200
"""Particles whose mean is shown and from which the diameter is seen."""
SIDE = 256
WIDER, BACKGROUND = 1.4, 1.15
"""Over the visible diameter, a mask: views along the longest axis are few, and faint parts are to be inside; a background: some has to be left."""
MOST = 0.9
"""Of the box, that is suggested."""
LOWPASS = 20.0
"""Å: single particles are shown without finer detail, which is noise to the eye."""


_tables: "Recent[Particles]" = Recent(2)


@dataclass(frozen=True)
class Seen:
    """images (K, B, B) of `pixel` Å with a line each; measured: those that tell the diameter."""

    images: np.ndarray
    pixel: float
    words: tuple[str, ...]
    measured: np.ndarray
    noisy: bool = False


def look(project: Project, asked: Asked) -> dict[str, Any]:
    """The images of one source, which others there are, and a diameter to begin with."""
    found = sources(project, asked)
    if not found:
        raise InputError("there is nothing to look at", remedy="choose the input on the form first")
    source = asked.source if asked.source in found else next(iter(found))
    seen = _seen(project, asked, source, found[source])
    if seen.pixel <= 0:
        raise InputError("the images have no pixel size, so a diameter in Å cannot be drawn", where=found[source], remedy="set it in their header")
    box, wider = seen.images.shape[-1], BACKGROUND if source == "windows" else WIDER
    return {"source": source, "sources": [[key, SOURCES[key]] for key in found], "width": box * seen.pixel, "box": box, "pixel": seen.pixel,
            "images": [data_uri(_picture(one, seen)) for one in seen.images], "words": list(seen.words),
            "suggested": suggested(seen, wider), "visible": round(visible_diameter(seen.measured, seen.pixel), 1)}


SOURCES = {"averages": "class averages", "windows": "particles of a micrograph", "reference": "the reference, projected", "particles": "particles"}


def sources(project: Project, asked: Asked) -> dict[str, str]:
    """Source -> its file, the best one first."""
    given = {name: str(asked.params[name]) for name in ("model", "particles", "reference", "micrographs") if asked.params.get(name)}
    if asked.job == "rank-classes":
        return {"averages": given["model"]}
    if asked.job == "extract":
        return {"windows": given["micrographs"]}
    average = _averages_before(project, given.get("particles", ""))
    found = {"averages": average, "reference": given.get("reference", ""), "particles": given.get("particles", "")}
    return {name: file for name, file in found.items() if file}


def _averages_before(project: Project, particles: str) -> str:
    """A file of the last 2D classification that these particles come from, "" where there is none."""
    pipeline, job = project.graph, owner(particles)
    line = [*graph.ancestors(pipeline, job), job] if any(one.name == job for one in pipeline.processes) else []
    for name in reversed([one for one in line if one.startswith("Class2D/")]):
        for made in (node for process, node in pipeline.outputs if process == name):
            try:
                if classes.family(project, made).model:
                    return made
            except VerglasError:
                continue
    return ""


def _seen(project: Project, asked: Asked, source: str, file: str) -> Seen:
    if source == "averages":
        return _averages(project, file)
    if source == "windows":
        return _windows(project, asked)
    path = file_in(project, file)
    return _projections(*stamp(path)) if source == "reference" else _particles(project, path)


def _averages(project: Project, file: str) -> Seen:
    """The classes with most particles."""
    family = classes.family(project, file)
    numbers = sorted(classes.read_classes(project, family), key=lambda one: -one.share)
    found = classes.averages(project, family)
    used = [one for one in numbers if one.number <= len(found) and found[one.number - 1].std() > 0][:SHOWN]
    if not used:
        raise InputError("every class average is empty", where=file, remedy="look at the particles instead")
    stack = np.stack([found[one.number - 1] for one in used])
    return Seen(stack, _pixel(project, family), tuple(f"class {one.number}, {100 * one.share:.0f} % of the particles" for one in used), stack)


def _pixel(project: Project, family: classes.Family) -> float:
    """Å of the averages, as the model says."""
    general = read_star(file_in(project, family.model)).get("model_general")
    if general is not None and "rlnPixelSize" in general:
        return float(str(general["rlnPixelSize"].tolist()[0]))
    return read_header(file_in(project, family.stack)).pixel_size if family.stack else 0.0


def _particles(project: Project, path: Path) -> Seen:
    """The mean of some particles, spread over all, and some of them."""
    from verglas.io.image_source import ImageSource
    from verglas.io.particles_star import read_particles

    table = _tables.get(stamp(path), lambda: read_particles(path))
    rows = np.unique(np.linspace(0, len(table) - 1, min(MEASURED, len(table))).round().astype(int))
    first = table.optics_index[rows] == table.optics_index[rows[0]]
    for number in np.unique(table.images.stack[rows]):
        file_in(project, table.images.stacks[int(number)])
    stack = ImageSource(table, project.root).read(rows[first])
    pixel = table.optics[int(table.optics_index[rows[0]])].pixel_size
    return _of_particles(stack, pixel)


def _of_particles(stack: np.ndarray, pixel: float) -> Seen:
    words = (f"mean of {len(stack)} particles", *(f"particle {number}" for number in range(1, SHOWN)))
    shown = np.concatenate([stack.mean(0)[None], stack[: SHOWN - 1]])
    return Seen(shown, pixel, words[: len(shown)], stack, noisy=True)


def _windows(project: Project, asked: Asked) -> Seen:
    """Images as the job would cut them, from the micrograph with most particles."""
    from verglas.io.mrc import read_volume
    from verglas.jobs.extract_input import open_wanted, recipe_of, rows_of_each, xy_of
    from verglas.methods.extract import images as cut

    params = params_of(asked).model_copy(update={"background_diameter": None})
    if params.coordinates is None and params.particles is None:
        raise InputError("no picks are given", remedy="choose Coordinates on the form first")
    wanted = open_wanted(params, project.root)
    number, rows = max(rows_of_each(wanted.particles.images.stack), key=lambda one: len(one[1]))
    pixel = float(wanted.pixels[number])
    micrograph = read_volume(file_in(project, str(wanted.names[number])))[0][0]
    recipe = recipe_of(params, pixel)
    stack = np.concatenate([block.numpy() for block, _ in cut(micrograph, xy_of(wanted.particles)[rows[:MEASURED]], recipe)])
    return _of_particles(stack, pixel * recipe.box / recipe.rescale)


@lru_cache(maxsize=2)
def _projections(path: str, size: int, time: int) -> Seen:
    """Sums along the three axes."""
    from verglas.jobs.doors import open_map

    volume = open_map(Path(path))
    stack = np.stack([volume.data.sum(axis, dtype=np.float64) for axis in range(3)])
    return Seen(stack, volume.pixel_size, ("along z", "along y", "along x"), stack)


def suggested(seen: Seen, wider: float) -> float:
    """Å: a circle to begin with, in steps of 5, inside the box."""
    wide = wider * visible_diameter(seen.measured, seen.pixel)
    return float(5 * round(min(wide, MOST * seen.images.shape[-1] * seen.pixel) / 5))


def _picture(image: np.ndarray, seen: Seen) -> np.ndarray:
    shown = images.filtered(image, seen.pixel, LOWPASS, None) if seen.noisy else np.asarray(image, dtype=np.float32)
    n = -(-len(shown) // SIDE)
    rows = len(shown) // n
    return images.shaded(shown[: rows * n, : rows * n].reshape(rows, n, rows, n).mean((1, 3)), 4.0)
