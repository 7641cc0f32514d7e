"""One micrograph as the report shows it: spectrum and fit, or the motion of its movie."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import HTTPException

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.report.load_micrographs import texts_of
from verglas.report.load_rows import Rows, read_table
from verglas.report.load_shown import read_shown
from verglas.report.micrograph_data import CtfShown, Kind, MotionShown, Shown, Thumbnail
from verglas.report.micrograph_kinds import Row
from verglas.report.pictures import data_uri
from verglas.web.data.answers import known, stamp
from verglas.web.places import file_in

UNREAD = ("rlnMicrographGainName", "rlnMicrographDefectFile")


def shown(project: Project, name: str, kind: Kind, row: int) -> Shown:
    """Of row `row` (from 0) of a table of micrographs. What the table names must be files of the project."""
    path = file_in(project, name)
    rows = _rows(*stamp(path), kind)
    if not 0 <= row < len(rows.done):
        raise InputError(f"row {row + 1} of {len(rows.done)}", where=name)
    micrograph, numbers = rows.done[row]
    for text in texts_of(_without_unread(numbers)):
        _require_inside(project, text.removesuffix(":mrc"))
    found = read_shown(path.parent, project.root, kind, row, micrograph, numbers, {})
    if found is None:
        raise InputError("nothing is known of it but its row", where=f"{name}, row {row + 1}")
    return found


def _without_unread(numbers: Row) -> Row:
    """A gain reference lies beside the raw movies, mostly on another disk; nothing here reads it."""
    star = numbers.get("star")
    return {**numbers, "star": {name: value for name, value in star.items() if name not in UNREAD}} if isinstance(star, dict) else numbers


def _require_inside(project: Project, text: str) -> None:
    """A name in a table that leads out of the project is not followed; one of no file is left to the reader."""
    try:
        file_in(project, text)
    except HTTPException as error:
        if error.status_code == 403:
            raise


@lru_cache(maxsize=8)
def _rows(path: str, size: int, time: int, kind: Kind) -> Rows:
    return read_table(Path(path), kind)


def as_json(one: Shown) -> dict[str, Any]:
    """Curves as lists and pictures as data URIs."""
    match one:
        case CtfShown():
            k, average, fit, agreement = (_list(row) for row in one.curves)
            return {"kind": "ctf", "picture": _picture(one.picture), "edge": known(one.edge), "resolution": known(one.resolution), "k": k,
                    "average": average, "fit": fit, "agreement": agreement}
        case MotionShown():
            patches = [{"centre": _list(patch.centre), "path": _list(patch.path), "fit": _list(patch.fit)} for patch in one.patches]
            return {"kind": "motion", "picture": _picture(one.thumbnail), "track": _list(one.track), "field": list(one.field), "patches": patches}
        case _:
            raise InputError("only spectra and motion are shown here")


def _list(values: np.ndarray) -> list[Any]:
    """Nested lists with None for what is not finite."""
    found: list[Any] = np.where(np.isfinite(values), values, np.nan).astype(object).tolist()
    return [_list(np.asarray(one, dtype=float)) if isinstance(one, list) else None if one != one else one for one in found]


def _picture(one: Thumbnail | None) -> str | None:
    return data_uri(one.pixels) if one is not None else None
