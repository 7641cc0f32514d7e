"""What import knows of the microscope: one optics group, added to those of an earlier import."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.types import Micrographs, OpticsGroup

if TYPE_CHECKING:
    from verglas.jobs.import_movies import OpticsParams

TILT = 0.001
"""RELION leaves out smaller beam tilts (mrad)."""
FIELDS = ("voltage_kv", "cs_mm", "amplitude_contrast", "pixel_size", "original_pixel_size", "mtf_file", "beam_tilt_mrad")


def group_of(params: "OpticsParams", mtf: str) -> OpticsGroup:
    """The optics group of the options; its number is given later."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", params.optics_group):
        raise InputError(f"--optics-group {params.optics_group!r}: letters, digits, - and _ only")
    tilt = (params.beam_tilt_x, params.beam_tilt_y)
    return OpticsGroup(
        params.optics_group, 0, params.voltage, params.cs, params.amplitude_contrast, params.pixel_size, 0, params.pixel_size,
        beam_tilt_mrad=tilt if sum(map(abs, tilt)) > TILT else (0.0, 0.0), mtf_file=mtf)


def with_group(groups: tuple[OpticsGroup, ...], group: OpticsGroup, where: str) -> tuple[tuple[OpticsGroup, ...], int]:
    """(groups, position of `group` in them): the one with its name, which must be equal, or a new one with the next number."""
    for place, known in enumerate(groups):
        if known.name != group.name:
            continue
        wrong = [name for name in FIELDS if not _same(getattr(known, name), getattr(group, name))]
        if wrong:
            values = f"{getattr(known, wrong[0])} there and {getattr(group, wrong[0])} now"
            raise InputError(f"optics group {group.name} has {wrong[0]} {values}", where=where, remedy="give these files another --optics-group")
        return groups, place
    return (*groups, replace(group, group=max((known.group for known in groups), default=0) + 1)), len(groups)


def _same(one: object, other: object) -> bool:
    return one == other if isinstance(one, str) else bool(np.allclose(one, other, rtol=1e-6, atol=1e-9))  # type: ignore[arg-type]


def added(old: Micrographs | None, names: list[str], group: OpticsGroup, extra: Mapping[str, object], where: str) -> tuple[Micrographs, int]:
    """(all rows, how many are new): names that are listed already are passed over; under another optics group they are an error.

    `extra`: value of a column in all new rows; older rows that lack it get 0 or None.
    """
    groups, place = with_group(old.optics if old else (), group, where)
    known = dict(zip(old.name.tolist(), old.optics_index.tolist())) if old else {}
    for name in names:
        if known.get(name, place) != place:
            raise InputError(f"{name} is listed already, in optics group {groups[known[name]].name}", where=where,
                             remedy=f"give --optics-group {groups[known[name]].name}, or change groups with `verglas assign-optics`")
    new = [name for name in names if name not in known]
    before = len(known)
    columns = {label: column for label, column in old.extra.items()} if old else {}
    for label, value in extra.items():
        columns.setdefault(label, np.full(before, "None" if isinstance(value, str) else 0.0, dtype=object if isinstance(value, str) else np.float64))
    for label, column in columns.items():
        value = extra.get(label, "None" if column.dtype == object else 0)
        columns[label] = np.concatenate([column, np.full(len(new), value, dtype=column.dtype)])
    name_column = np.array([*known, *new], dtype=object)
    index = np.array([*known.values(), *[place] * len(new)], dtype=np.int64)
    return Micrographs(groups, name_column, index, columns), len(new)
