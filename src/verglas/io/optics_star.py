"""Optics groups: the optics table of RELION 3.1 and later, or the columns of RELION 3.0 that stand in for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.star_columns import Source
from verglas.io.star_rows import text_column
from verglas.io.star_table import Table
from verglas.types import OpticsGroup

_RANGES = {
    "voltage_kv": (10.0, 3000.0, "kV"),
    "cs_mm": (-100.0, 100.0, "mm"),
    "amplitude_contrast": (0.0, 1.0, "as a fraction"),
    "pixel_size": (1e-3, 1e4, "Å"),
}
_ALSO_OLD = ("voltage_kv", "cs_mm", "amplitude_contrast")


def optics_groups(source: Source) -> tuple[OpticsGroup, ...]:
    """The rows of an optics table. box is 0 where the file does not hold rlnImageSize."""
    if not len(source.table):
        raise InputError("no optics groups", where=source.where, remedy="the optics table needs at least one row")
    source.require((L.OPTICS_GROUP, *(column.label for column in L.OPTICS_NUMBERS.values())),
                   "add it to the optics table (a file without an optics table may hold it in the particle table)")
    _check_dimensionality(source)
    numbers = {name: source.numbers(column.label) for name, column in L.OPTICS_NUMBERS.items()}
    _check_ranges(source, numbers)
    columns = {
        **numbers,
        "group": _group_numbers(source), "box": source.integers(L.IMAGE_SIZE, 0),
        "name": source.texts(L.OPTICS_NAME) if L.OPTICS_NAME in source.table else _default_names(source),
        "original_pixel_size": source.numbers(L.ORIGINAL_PIXEL_SIZE) if L.ORIGINAL_PIXEL_SIZE in source.table else numbers["pixel_size"],
        "odd_zernike": _coefficients(source, L.ODD_ZERNIKE), "even_zernike": _coefficients(source, L.EVEN_ZERNIKE),
        "beam_tilt_mrad": _rows_of(source, L.BEAM_TILT, (0.0, 0.0)),
        "magnification": _rows_of(source, L.MAGNIFICATION, (1.0, 0.0, 0.0, 1.0)),
        "mtf_file": [_file_name(name) for name in source.texts(L.MTF_FILE, "")],
        **{name: source.integers(label, 0) != 0 for name, label in L.OPTICS_FLAGS.items()},
    }
    extra = {label: column for label, column in source.table.columns.items() if label not in L.OPTICS_LABELS}
    return tuple(OpticsGroup(**_row(columns, i), extra=_row(extra, i)) for i in range(len(source.table)))


def _row(columns: Mapping[str, Sequence[Any] | np.ndarray], i: int) -> dict[str, Any]:
    return {name: _plain(values[i]) for name, values in columns.items()}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _file_name(name: str) -> str:
    return "" if name == "None" else name


def _default_names(source: Source) -> np.ndarray:
    return text_column(f"opticsGroup{number}" for number in source.integers(L.OPTICS_GROUP))


def _group_numbers(source: Source) -> np.ndarray:
    numbers = source.integers(L.OPTICS_GROUP)
    for row, number in enumerate(numbers):
        if number in numbers[:row]:
            raise DataError(f"optics group {number} is defined twice", where=source.at_row(row), remedy="give each optics group its own number")
    return numbers


def _check_ranges(source: Source, numbers: dict[str, np.ndarray]) -> None:
    for name, (low, high, unit) in _RANGES.items():
        bad = np.flatnonzero((numbers[name] < low) | (numbers[name] > high))
        if len(bad):
            raise InputError(f"_{L.OPTICS_NUMBERS[name].label} is {numbers[name][bad[0]]:g}, expected {low:g} to {high:g} {unit}",
                             where=source.at_row(int(bad[0])), remedy="enter the right value in the optics table")


def _check_dimensionality(source: Source) -> None:
    dimensions = source.integers(L.IMAGE_DIMENSIONALITY, 2)
    if (dimensions != 2).any():
        raise InputError(f"_{L.IMAGE_DIMENSIONALITY} is {dimensions[dimensions != 2][0]}: subtomograms are not supported",
                         where=source.where, remedy="use two-dimensional particle images")


def _coefficients(source: Source, label: str) -> list[tuple[float, ...]]:
    """`[a,b,c]` as tuples."""
    parsed = []
    for row, text in enumerate(source.texts(label, "[]")):
        inner = text.strip().removeprefix("[").removesuffix("]")
        try:
            parsed.append(tuple(float(part) for part in inner.split(",")) if inner.strip() else ())
        except ValueError:
            raise DataError(f"_{label} is {text!r}, expected numbers as [a,b,c]", where=source.at_row(row), remedy="correct the value") from None
    return parsed


def _rows_of(source: Source, labels: tuple[str, ...], defaults: tuple[float, ...]) -> list[tuple[float, ...]]:
    columns = [source.numbers(label, default) for label, default in zip(labels, defaults)]
    return [tuple(float(value) for value in row) for row in zip(*columns)]


def old_optics(source: Source) -> tuple[Source, np.ndarray]:
    """RELION 3.0: an optics table made of the distinct values of the particles' own columns, and each particle's row in it (N,)."""
    source.require((L.DETECTOR_PIXEL_SIZE, L.DETECTOR_MAGNIFICATION, *(L.OPTICS_NUMBERS[name].label for name in _ALSO_OLD)),
                   "the file has no optics table (data_optics), so the particle table must hold this column")
    used = [label for label in L.OLD_OPTICS if label in source.table]
    values = np.stack([source.numbers(label) for label in used], axis=1)
    magnification = values[:, used.index(L.DETECTOR_MAGNIFICATION)]
    if (magnification <= 0).any():
        row = int(np.argmax(magnification <= 0))
        raise InputError(f"_{L.DETECTOR_MAGNIFICATION} is {magnification[row]:g}, expected a positive number", where=source.at_row(row),
                         remedy="correct the value")
    distinct, first, codes = np.unique(values, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    columns = {label: distinct[order, i] for i, label in enumerate(used)}
    detector, magnification = columns.pop(L.DETECTOR_PIXEL_SIZE), columns.pop(L.DETECTOR_MAGNIFICATION)
    columns[L.OPTICS_NUMBERS["pixel_size"].label] = 1e4 * detector / magnification
    columns[L.OPTICS_GROUP] = np.arange(1, len(order) + 1)
    return Source(Table(columns), source.path, source.block), np.argsort(order)[codes.reshape(-1)]


def optics_index(source: Source, optics: tuple[OpticsGroup, ...]) -> np.ndarray:
    """(N,) position of each row's group in `optics`."""
    if L.OPTICS_GROUP not in source.table and len(optics) == 1:
        return np.zeros(len(source.table), dtype=np.int64)
    numbers = source.integers(L.OPTICS_GROUP)
    known = np.array([group.group for group in optics])
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], numbers), len(known) - 1)
    bad = np.flatnonzero(known[order][place] != numbers)
    if len(bad):
        raise DataError(f"optics group {numbers[bad[0]]} is not in the optics table, which has {sorted(known.tolist())}",
                        where=source.at_row(int(bad[0])), remedy="add the group to data_optics or correct _rlnOpticsGroup")
    return order[place]


def optics_table(groups: tuple[OpticsGroup, ...]) -> Table:
    """The optics table of RELION 5; optional columns only where some group needs them."""
    columns: dict[str, np.ndarray] = {
        L.OPTICS_NAME: text_column(group.name for group in groups),
        L.OPTICS_GROUP: np.array([group.group for group in groups], dtype=np.int64),
        L.ORIGINAL_PIXEL_SIZE: np.array([group.original_pixel_size for group in groups], dtype=np.float64),
    }
    if any(group.mtf_file for group in groups):
        columns[L.MTF_FILE] = text_column(group.mtf_file or "None" for group in groups)
    for name, column in L.OPTICS_NUMBERS.items():
        columns[column.label] = np.array([getattr(group, name) for group in groups], dtype=np.float64)
    columns[L.IMAGE_SIZE] = np.array([group.box for group in groups], dtype=np.int64)
    columns[L.IMAGE_DIMENSIONALITY] = np.full(len(groups), 2, dtype=np.int64)
    return Table(columns | _optional_columns(groups) | _kept_columns(groups))


def _optional_columns(groups: tuple[OpticsGroup, ...]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    for name, label in L.OPTICS_FLAGS.items():
        if any(getattr(group, name) for group in groups):
            columns[label] = np.array([getattr(group, name) for group in groups], dtype=np.int64)
    if any(any(group.beam_tilt_mrad) for group in groups):
        columns |= {label: np.array([group.beam_tilt_mrad[i] for group in groups]) for i, label in enumerate(L.BEAM_TILT)}
    for name, label in (("odd_zernike", L.ODD_ZERNIKE), ("even_zernike", L.EVEN_ZERNIKE)):
        if any(getattr(group, name) for group in groups):
            columns[label] = text_column("[" + ",".join(repr(float(c)) for c in getattr(group, name)) + "]" for group in groups)
    if any(group.magnification != (1.0, 0.0, 0.0, 1.0) for group in groups):
        columns |= {label: np.array([group.magnification[i] for group in groups]) for i, label in enumerate(L.MAGNIFICATION)}
    return columns


def _kept_columns(groups: tuple[OpticsGroup, ...]) -> dict[str, np.ndarray]:
    """Columns that were in the file of every group but mean nothing to verglas."""
    shared = [label for label in groups[0].extra if all(label in group.extra for group in groups)]
    return {label: _typed([group.extra[label] for group in groups]) for label in shared}


def _typed(values: list[object]) -> np.ndarray:
    if all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, dtype=np.float64)
    return text_column(str(value) for value in values)
