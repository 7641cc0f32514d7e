"""The conditions of select, one function each, and their order."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import read_star
from verglas.io.star_columns import Source, factorise
from verglas.jobs.select_classes import classes_of_model, numbers_of
from verglas.jobs.select_tables import Chosen, read_chosen
from verglas.methods.select import distinct

if TYPE_CHECKING:
    from verglas.jobs.select import SelectParams

QUALITY = "rlnMaxValueProbDistribution"
COORDINATES = ("rlnCoordinateX", "rlnCoordinateY")
MICROGRAPH_PIXEL = "rlnMicrographPixelSize"


@dataclass(frozen=True)
class Step:
    """One condition in words, and how many rows there were before and after it."""

    told: str
    before: int
    after: int


@dataclass(frozen=True)
class Selection:
    """rows: the numbers (from 0, ascending) of the rows that are kept."""

    source: Chosen
    rows: np.ndarray
    steps: tuple[Step, ...]


def select(params: "SelectParams") -> Selection:
    """Read the files and apply every condition that was asked for; raises when nothing is left."""
    source = read_chosen(*((params.particles, "particles") if params.particles is not None else (params.micrographs or "", "micrographs")))
    rows, steps = np.arange(len(source.table)), []
    for told, keep in conditions(params, source):
        before, rows = len(rows), rows[keep[rows]]
        steps.append(Step(told, before, len(rows)))
        if not len(rows):
            raise InputError(f"nothing is left: {told} removes all {before} {source.noun} that were left", where=source.source.where,
                             remedy="relax this condition")
    if params.remove_duplicates is not None:
        keep = no_duplicates(source, rows, params.remove_duplicates, params.micrograph_pixel_size)
        steps.append(Step(f"duplicates within {params.remove_duplicates:g} Å", len(rows), int(keep.sum())))
        rows = rows[keep]
    return Selection(source, rows, tuple(steps))


def conditions(params: "SelectParams", source: Chosen) -> list[tuple[str, np.ndarray]]:
    """What was asked for in words, and (N,) bool for each: which rows meet it."""
    found: list[tuple[str, np.ndarray]] = []
    if params.classes is not None:
        found.append((f"classes {params.classes}", of_classes(source.source, params.classes)))
    limits = (params.min_class_fraction, params.max_class_resolution, params.min_rank)
    if params.model is not None and any(one is not None for one in limits):
        kept, told = classes_of_model(params.model, *limits)
        found.append((told, np.isin(source.source.integers(L.CLASS_NUMBER), kept)))
    if params.rows is not None:
        found.append(listed(source, params.rows))
    if params.half is not None:
        found.append((f"half {params.half}", source.source.integers(L.HALF) == params.half))
    if params.column is not None:
        found.append(within(source.source, params.column.lstrip("_"), params.minimum, params.maximum))
    return found


def listed(source: Chosen, path: Path) -> tuple[str, np.ndarray]:
    """(the condition in words, rows whose name stands in the table of `path`)."""
    label = L.IMAGE_NAME if source.noun == "particles" else L.MICROGRAPH_NAME
    wanted = next((Source(table, str(path), block) for block, table in read_star(path).items() if label in table), None)
    if wanted is None:
        raise InputError(f"no column _{label}", where=str(path), remedy=f"give a STAR file with the names of the {source.noun} to keep")
    names = set(wanted.texts(label).tolist())
    keep = np.array([name in names for name in source.source.texts(label).tolist()], dtype=bool)
    return f"listed in {path.name}", keep


def of_classes(source: Source, text: str) -> np.ndarray:
    """Rows of the classes in a list such as 1,3,7-9; every class must have rows."""
    wanted, have = numbers_of(text), source.integers(L.CLASS_NUMBER)
    strange = sorted(set(wanted) - set(have.tolist()))
    if strange:
        there = sorted(set(have.tolist()))
        shown = ", ".join(map(str, there[:40])) + (", ..." if len(there) > 40 else "")
        raise InputError(f"--classes {text}: no rows of class {strange[0]}; there are {shown}", where=source.where, remedy="choose among these")
    return np.isin(have, wanted)


def within(source: Source, label: str, minimum: float | None, maximum: float | None) -> tuple[str, np.ndarray]:
    """(the condition in words, minimum <= value <= maximum). Not a number never meets it."""
    if label not in source.table:
        close = [one for one in source.table.columns if label.lower().removeprefix("rln") in one.lower()]
        raise InputError(f"missing column _{label}", where=source.where, remedy="columns: " + ", ".join(close or source.table.columns))
    values = source.table[label]
    if values.dtype == object:
        raise InputError(f"_{label} holds text such as {values[0]!r}, expected numbers", where=source.where, remedy="choose another column")
    low = -np.inf if minimum is None else minimum
    high = np.inf if maximum is None else maximum
    parts = [f">= {minimum:g}" if minimum is not None else "", f"<= {maximum:g}" if maximum is not None else ""]
    return f"{label} {' and '.join(filter(None, parts))}", (values >= low) & (values <= high)


def no_duplicates(source: Chosen, rows: np.ndarray, distance: float, pixel: float | None) -> np.ndarray:
    """(n,) bool for `rows`: centre = coordinate * micrograph pixel - origin, in Å, compared within each micrograph."""
    table = source.source
    table.require((L.MICROGRAPH_NAME, *COORDINATES), "duplicates are found by micrograph and coordinates; particles need these columns")
    micrograph = factorise(table.texts(L.MICROGRAPH_NAME)[rows])[0]
    coordinates = np.stack([table.numbers(label)[rows] for label in COORDINATES], axis=1)
    size = np.full(len(rows), pixel) if pixel else pixel_sizes(source, (MICROGRAPH_PIXEL, L.ORIGINAL_PIXEL_SIZE))[rows]
    centre = coordinates * size[:, None] - origins(source)[rows]
    quality = table.numbers(QUALITY, 0.0)[rows]
    return distinct(micrograph, centre, distance, quality)


def origins(source: Chosen) -> np.ndarray:
    """(N, 2) Å: rlnOriginXAngst and Y, or those of RELION 3.0 in pixels of the image; zero without either."""
    table = source.source
    if any(label in table.table for label in L.ORIGIN):
        return np.stack([table.numbers(label, 0.0) for label in L.ORIGIN], axis=1)
    pixels = np.stack([table.numbers(label, 0.0) for label in L.ORIGIN_PIXELS], axis=1)
    return pixels if not pixels.any() else pixels * pixel_sizes(source, (L.OPTICS_NUMBERS["pixel_size"].label,))[:, None]


def pixel_sizes(source: Chosen, labels: tuple[str, ...]) -> np.ndarray:
    """(N,) Å: the first of these columns in the rows or in the optics table; in files of RELION 3.0 from detector and magnification."""
    table = source.source
    for label in labels:
        if label in table.table:
            return table.numbers(label)
        if source.optics is not None and label in source.optics:
            optics = Source(source.optics, table.path, "optics")
            known = dict(zip(optics.integers(L.OPTICS_GROUP).tolist(), optics.numbers(label).tolist()))
            groups = table.integers(L.OPTICS_GROUP, next(iter(known)))
            strange = [row for row, group in enumerate(groups.tolist()) if group not in known]
            if strange:
                raise InputError(f"optics group {groups[strange[0]]} is not in the optics table", where=table.at_row(strange[0]),
                                 remedy="add the group to data_optics or correct _rlnOpticsGroup")
            return np.array([known[group] for group in groups.tolist()])
    if L.DETECTOR_PIXEL_SIZE in table.table and L.DETECTOR_MAGNIFICATION in table.table:
        return 1e4 * table.numbers(L.DETECTOR_PIXEL_SIZE) / table.numbers(L.DETECTOR_MAGNIFICATION)
    raise InputError(f"no pixel size: none of the columns {', '.join('_' + label for label in labels)}", where=table.where,
                     remedy="give --micrograph-pixel-size")
