"""What rank-classes reads: the table of the classes, their averages, the mask and the particles."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.mrc import read_volume
from verglas.io.star import Table, read_star
from verglas.io.star_columns import Source, block_of
from verglas.jobs.select_tables import Chosen, read_chosen
from verglas.methods.rank import disc_radius

REFERENCE, PIXEL, DIAMETER = "rlnReferenceImage", "rlnPixelSize", "rlnParticleDiameter"


@dataclass(frozen=True)
class Classes:
    """images (K, B, B) in the order of the classes; stack: their file; radius: px of the mask; told: where it comes from; blocks: the model."""

    images: np.ndarray
    stack: Path
    radius: float
    told: str
    blocks: dict[str, Table]


def open_classes(model: Path, averages: Path | None, diameter: float | None, project: Path) -> Classes:
    """The model of a 2D classification with its averages; raises where something does not fit."""
    blocks = read_star(model)
    source = block_of(blocks, "model_classes", str(model))
    names = [name.partition("@") for name in source.texts(REFERENCE)]
    if not names:
        raise InputError("the table of the classes has no rows", where=source.where, remedy="give the model of a 2D classification")
    for row, (number, _, path) in enumerate(names):
        if not (path and number.isdigit() and int(number) > 0):
            raise InputError(f"_{REFERENCE} is {number + path!r}, expected NUMBER@STACK", where=source.at_row(row),
                             remedy="give the model of a 2D classification; maps of 3D classes cannot be ranked")
    stack = averages or _find(names[0][2], model, project)
    data = read_volume(stack)[0]
    wanted = np.array([int(number) - 1 for number, _, _ in names])
    if wanted.max() >= len(data) or data.shape[1] != data.shape[2]:
        raise InputError(f"{len(data)} images of {data.shape[2]} x {data.shape[1]} px, expected at least {wanted.max() + 1} square ones",
                         where=str(stack), remedy="give the class averages of this iteration")
    images = data[wanted]
    broken = np.flatnonzero(~np.isfinite(images).all((1, 2)))
    if len(broken):
        raise DataError(f"class average {broken[0] + 1} holds values that are not numbers", where=str(stack), remedy="use another iteration")
    if not (images.std((1, 2)) > 0).any():
        raise InputError("all class averages are flat", where=str(stack), remedy="use another iteration")
    radius, told = _radius(images, model, blocks, diameter)
    return Classes(images, stack, radius, told, blocks)


def _find(name: str, model: Path, project: Path) -> Path:
    """The stack that the model names: in the project, or beside the model."""
    tried = list(dict.fromkeys([project / name, Path(name), model.parent / Path(name).name]))
    for path in tried:
        if path.is_file():
            return path
    raise InputError(f"the class averages {name} are not there; looked for {', '.join(map(str, tried))}", where=str(model),
                     remedy="run in the project folder, or give --class-averages")


def _radius(images: np.ndarray, model: Path, blocks: dict[str, Table], diameter: float | None) -> tuple[float, str]:
    """(mask radius in px, where it comes from)."""
    box, told = images.shape[-1], "--mask-diameter"
    beside = Path(str(model).replace("_model.star", "_optimiser.star"))
    if diameter is None and beside != model and beside.is_file():
        table = read_star(beside).get("optimiser_general")
        if table is not None and DIAMETER in table:
            diameter, told = float(Source(table, str(beside), "optimiser_general").numbers(DIAMETER)[0]), str(beside)
    if diameter is None or diameter <= 0:
        return disc_radius(images), "seen in the averages"
    pixel = float(block_of(blocks, "model_general", str(model)).numbers(PIXEL)[0])
    radius = diameter / 2 / pixel
    if not 4 <= radius <= 0.75 * box:
        raise InputError(f"a mask of {diameter:g} Å is {2 * radius:.0f} px wide in averages of {box} px at {pixel:g} Å", where=told,
                         remedy="give the --mask-diameter of the classification")
    return min(radius, box / 2), told


def open_particles(model: Path, particles: Path | None, classes: int) -> Chosen | None:
    """The particles that were given, or those beside the model; None without either."""
    beside = Path(str(model).replace("_model.star", "_data.star"))
    path = particles or (beside if beside != model and beside.is_file() else None)
    if path is None:
        return None
    found = read_chosen(str(path), "particles")
    number = found.source.integers(L.CLASS_NUMBER)
    bad = np.flatnonzero((number < 1) | (number > classes))
    if len(bad):
        raise InputError(f"_{L.CLASS_NUMBER} is {number[bad[0]]}, but the model has classes 1 to {classes}",
                         where=found.source.at_row(int(bad[0])), remedy="give model and particles of the same iteration")
    return found
