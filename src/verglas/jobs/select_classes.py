"""Which classes a table of classes recommends."""

import re
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source

FRACTION, RESOLUTION = "rlnClassDistribution", "rlnEstimatedResolution"
AVERAGES = "class_averages.star"
SCORES = ("verglasClassScore", "rlnPredictedClassScore", "rlnClassScore")


def numbers_of(text: str) -> list[int]:
    """1,3,7-9 -> [1, 3, 7, 8, 9]."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None or int(match[2] or match[1]) < int(match[1]) or int(match[2] or 0) - int(match[1]) > 10000:
            raise InputError(f"--classes {text}: {part.strip()!r} is not a class number or a range", remedy="write numbers such as 1,3,7-9")
        found.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def classes_of_model(path: Path, fraction: float | None, resolution: float | None, rank: float | None) -> tuple[np.ndarray, str]:
    """(numbers of the classes that meet all limits, the limits in words)."""
    source = _class_table(path)
    numbers = source.integers(L.CLASS_NUMBER) if L.CLASS_NUMBER in source.table else np.arange(1, len(source.table) + 1)
    keep, told = np.ones(len(numbers), dtype=bool), []
    if fraction is not None:
        keep &= _values(source, (FRACTION,)) >= fraction
        told.append(f"class fraction >= {fraction:g}")
    if resolution is not None:
        values = _values(source, (RESOLUTION,))
        keep &= (values <= resolution) & (values > 0)
        told.append(f"class resolution <= {resolution:g} Å")
    if rank is not None:
        keep &= _values(source, SCORES) >= rank
        told.append(f"class score >= {rank:g}")
    if not keep.any():
        raise InputError(f"none of the {len(numbers)} classes has {' and '.join(told)}", where=source.where, remedy="relax the limits")
    return numbers[keep], f"{' and '.join(told)} ({int(keep.sum())} of {len(numbers)} classes)"


def write_averages(path: Path, model: Path, kept: np.ndarray) -> int:
    """The rows of the table of classes for the class numbers that occur in `kept` (N,); how many there are."""
    source = _class_table(model)
    numbers = source.integers(L.CLASS_NUMBER) if L.CLASS_NUMBER in source.table else np.arange(1, len(source.table) + 1)
    rows = np.flatnonzero(np.isin(numbers, np.unique(kept)))
    write_star(path, {"": Table({label: column[rows] for label, column in source.table.columns.items()})})
    return len(rows)


def _class_table(path: Path) -> Source:
    tables = read_star(path)
    named = [name for name in ("model_classes", "classes") if name in tables]
    if not named:
        raise InputError("no table of classes; there are " + ", ".join("data_" + name for name in list(tables)[:8]), where=str(path),
                         remedy="give run_itNNN_model.star, or rank.star of verglas rank-classes")
    return Source(tables[named[0]], str(path), named[0])


def _values(source: Source, labels: tuple[str, ...]) -> np.ndarray:
    """The first of these columns that is there, as numbers (infinite and not-a-number values stay)."""
    label = next((one for one in labels if one in source.table), None)
    if label is None:
        raise InputError(f"missing column {' or '.join('_' + one for one in labels)}", where=source.where,
                         remedy="run verglas rank-classes for scores" if labels == SCORES else "give run_itNNN_model.star of a classification")
    column = source.table[label]
    if column.dtype == object:
        raise InputError(f"_{label} holds text such as {column[0]!r}, expected numbers", where=source.where, remedy="make the file again")
    return column.astype(np.float64)
