"""STAR files of movies (block data_movies) and of micrographs (data_micrographs), in the layout of RELION 3.1 to 5."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.optics_star import optics_groups, optics_index, optics_table
from verglas.io.particles_star import stored_degrees
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source
from verglas.types import Defocus, Micrographs, OpticsGroup
from verglas.units import DEGREE

NAMES = {"movies": L.MOVIE_NAME, "micrographs": L.MICROGRAPH_NAME}


def read_micrographs(path: Path | str) -> Micrographs:
    """Movies or micrographs, whichever the file holds."""
    tables, where = read_star(path), str(path)
    named = [name for name in NAMES if name in tables]
    if not named or "optics" not in tables:
        present = ", ".join("data_" + name for name in tables)
        raise InputError(f"no table of movies or micrographs with its optics groups; there are {present}", where=where,
                         remedy="give movies.star, corrected_micrographs.star or micrographs_ctf.star")
    source = Source(tables[named[0]], where, named[0])
    source.require((NAMES[named[0]],))
    optics = _optics(Source(tables["optics"], where, "optics"))
    used = {NAMES[named[0]], L.OPTICS_GROUP, *(column.label for column in L.DEFOCUS.values())}
    extra = {label: column for label, column in source.table.columns.items() if label not in used}
    return Micrographs(optics, source.texts(NAMES[named[0]]), optics_index(source, optics), extra, _defocus(source), named[0] == "movies")


def _optics(source: Source) -> tuple[OpticsGroup, ...]:
    """Pixel size: of the images, else of the micrographs, else of the detector."""
    label = next((one for one in (L.IMAGE_PIXEL_SIZE, L.MICROGRAPH_PIXEL_SIZE, L.ORIGINAL_PIXEL_SIZE) if one in source.table), None)
    if label is None:
        source.require((L.MICROGRAPH_PIXEL_SIZE,))
    columns = dict(source.table.columns)
    columns[L.IMAGE_PIXEL_SIZE] = columns[str(label)]
    columns.pop(L.MICROGRAPH_PIXEL_SIZE, None)
    return tuple(replace(group, box=0) for group in optics_groups(Source(Table(columns), source.path, source.block)))


def _defocus(source: Source) -> Defocus | None:
    u = L.DEFOCUS["u"].label
    if u not in source.table:
        return None
    both = {"u": source.numbers(u), "v": source.numbers(L.DEFOCUS["v"].label)}
    return Defocus(**both, **{n: source.numbers(c.label, c.default) * c.scale for n, c in L.DEFOCUS.items() if n not in both})


def write_micrographs(path: Path | str, micrographs: Micrographs) -> None:
    """Optics and movies or micrographs, atomically; defocus and phase shift only where they are known."""
    kind = "movies" if micrographs.movies else "micrographs"
    optics = optics_table(micrographs.optics)
    columns = {k: v for k, v in optics.columns.items() if k not in (L.IMAGE_PIXEL_SIZE, L.IMAGE_SIZE, L.IMAGE_DIMENSIONALITY)}
    if not micrographs.movies:
        columns[L.MICROGRAPH_PIXEL_SIZE] = np.array([group.pixel_size for group in micrographs.optics])
    rows = {NAMES[kind]: micrographs.name, L.OPTICS_GROUP: np.array([g.group for g in micrographs.optics])[micrographs.optics_index]}
    if micrographs.defocus is not None:
        rows |= _ctf_columns(micrographs.defocus)
    write_star(path, {"optics": Table(columns), kind: Table(rows | micrographs.extra)})


def _ctf_columns(defocus: Defocus) -> dict[str, np.ndarray]:
    wanted = {"u", "v", "angle"} | ({"phase_shift"} if defocus.phase_shift.any() else set())
    named = {name: column for name, column in L.DEFOCUS.items() if name in wanted}
    return {c.label: stored_degrees(getattr(defocus, n)) if c.scale == DEGREE else getattr(defocus, n) for n, c in named.items()}
