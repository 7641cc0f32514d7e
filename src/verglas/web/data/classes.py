"""The classes of a classification: numbers from the model, pictures from the stack, members from the particle table."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import read_star
from verglas.jobs.select_classes import SCORES
from verglas.report.load_classes import class_rows
from verglas.web.data.images import read_images
from verglas.web.data.table import open_tables
from verglas.web.places import file_in

MOST = 2000
REFERENCE = "rlnReferenceImage"


@dataclass(frozen=True)
class Family:
    """Files of one iteration, by their names in the project; "" where there is none. `stack`: averages or first map."""

    model: str
    particles: str
    stack: str


@dataclass(frozen=True)
class OneClass:
    """A class: share of the particles 0..1, resolution Å, score 0..1 and number of members; NaN or -1 where unknown."""

    number: int
    share: float
    resolution: float
    score: float
    members: int


def family(project: Project, name: str) -> Family:
    """From any file of an iteration (model, optimiser, data, classes), or a model with scores of rank-classes."""
    root = re.sub(r"_(model|optimiser|data|sampling|classes|unmasked_classes|half1_model)\.(star|mrcs)$", "", name)
    if root == name:
        folder = name.rpartition("/")[0]
        return Family(_there(project, f"{folder}/ranked_model.star") or name, _there(project, f"{folder}/particles.star"), "")
    if root.endswith("/ranked"):
        return Family(name, _there(project, f"{name.rpartition('/')[0]}/particles.star"), "")
    found = Family(*(_there(project, f"{root}{ending}") for ending in ("_model.star", "_data.star", "_classes.mrcs")))
    if not found.model:
        raise InputError(f"there is no {root}_model.star", where=name, remedy="open the model.star of a classification")
    return found


def _there(project: Project, name: str) -> str:
    return name if (project.root / name).is_file() else ""


def read_classes(project: Project, files: Family) -> tuple[OneClass, ...]:
    """By number."""
    tables = read_star(file_in(project, files.model))
    block = next((one for one in ("model_classes", "classes") if one in tables), "")
    if not block:
        raise InputError("no table of classes", where=files.model, remedy="open run_itNNN_model.star of a classification")
    table = tables[block]
    label = next((one for one in SCORES if one in table and table[one].dtype != object), None)
    members = counted(project, files.particles, len(table))
    rows = class_rows({"model_classes": table}, None, "")
    scores = table[label].astype(float) if label else np.full(len(table), np.nan)
    numbers = table[L.CLASS_NUMBER].tolist() if L.CLASS_NUMBER in table else [one.number for one in rows]
    found = [OneClass(int(number), one.share, one.resolution, float(score), int(count))
             for number, one, score, count in zip(numbers, rows, scores, members[np.array(numbers, dtype=int) - 1])]
    return tuple(sorted(found, key=lambda one: one.number))


def counted(project: Project, particles: str, classes: int) -> np.ndarray:
    """(K,) members of each class; -1 where there is no table of particles."""
    if not particles:
        return np.full(classes, -1)
    for one in open_tables(file_in(project, particles)).values():
        if L.CLASS_NUMBER in one.values and L.IMAGE_NAME in one.values:
            numbers = one.numbers(L.CLASS_NUMBER).astype(np.int64)
            return np.bincount(numbers[(numbers > 0) & (numbers <= classes)], minlength=classes + 1)[1 : classes + 1]
    return np.full(classes, -1)


def averages(project: Project, files: Family) -> list[np.ndarray]:
    """A picture of each class by number: its average, or the central section of its map."""
    tables = read_star(file_in(project, files.model))
    table = tables.get("model_classes") or tables.get("classes")
    if table is None or REFERENCE not in table:
        raise InputError(f"no column _{REFERENCE}", where=files.model, remedy="open the model.star of a classification")
    numbers = table[L.CLASS_NUMBER].tolist() if L.CLASS_NUMBER in table else range(1, len(table) + 1)
    named = [name for _, name in sorted(zip(numbers, map(str, table[REFERENCE].tolist())))][:MOST]
    return read_images([_place(project, files, name) for name in named])


def _place(project: Project, files: Family, name: str) -> tuple[Path, int]:
    """File and section (from 0) of a reference; one of another folder (a moved project) is looked for beside the model."""
    number, _, path = name.rpartition("@")
    beside = f"{files.model.rpartition('/')[0]}/{path.rpartition('/')[2]}"
    file = file_in(project, path if _there(project, path) else beside)
    if number.isdigit() and int(number) > 0:
        return file, int(number) - 1
    from verglas.io.mrc_header import read_header

    return file, read_header(file).shape[0] // 2
