"""Particle STAR files of RELION 3.0 (no optics table), 3.1, 4 and 5: read into Particles, written in the layout of RELION 5."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.image_names import find_root, image_names, parse_image_names
from verglas.io.mrc_header import read_header
from verglas.io.optics_star import old_optics, optics_groups, optics_index, optics_table
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, factorise
from verglas.types import Defocus, ImageRefs, OpticsGroup, Particles, Poses
from verglas.units import DEGREE

__all__ = ["project_root", "read_particles", "stored_degrees", "write_particles"]

_DECIMALS = 10


def read_particles(path: Path | str, project: Path | None = None) -> Particles:
    """Read and check a particle STAR file.

    `project` is the folder that image names are relative to; it is only needed (and else searched, see `project_root`) where the file does
    not hold the box size, which is then taken from the stacks.
    """
    path = Path(path)
    tables = read_star(path)
    source = _particle_table(tables, path)
    images = parse_image_names(source)
    if "optics" in tables:
        optics = optics_groups(Source(tables["optics"], str(path), "optics"))
        index = optics_index(source, optics)
    else:
        old, index = old_optics(source)
        optics = optics_groups(old)
    optics = _with_boxes(optics, index, images, path, project)
    group, group_names = _groups(source, optics, index)
    old_labels = () if "optics" in tables else (*L.OLD_OPTICS, *L.OLD_DROPPED)
    return Particles(
        optics=optics, images=images, optics_index=index, group=group, group_names=group_names,
        defocus=_defocus(source, optics, index), poses=_poses(source, optics, index),
        half=_half(source), class_number=source.integers(L.CLASS_NUMBER, 0), norm=_norm(source),
        extra={label: column for label, column in source.table.columns.items() if label not in L.PARTICLE_LABELS and label not in old_labels},
    )


def project_root(star_path: Path | str) -> Path:
    """The folder that the image names of a particle STAR file are relative to."""
    source = _particle_table(read_star(star_path), Path(star_path))
    first = Source(Table({L.IMAGE_NAME: source.texts(L.IMAGE_NAME)[:1]}), source.path, source.block)
    return find_root(Path(star_path), parse_image_names(first).stacks)


def _particle_table(tables: dict[str, Table], path: Path) -> Source:
    named = [name for name in tables if name == "particles"] or [name for name, table in tables.items() if L.IMAGE_NAME in table]
    if not named:
        raise InputError(f"no particle table: none of the blocks {', '.join('data_' + name for name in tables)} has a column _{L.IMAGE_NAME}",
                         where=str(path), remedy="give a particle STAR file (particles.star, run_data.star)")
    if len(named) > 1:
        raise InputError(f"several particle tables: {', '.join('data_' + name for name in named)}", where=str(path), remedy="keep one of them")
    source = Source(tables[named[0]], str(path), named[0])
    source.require((L.IMAGE_NAME,))
    if not len(source.table):
        raise InputError("the particle table has no rows", where=source.where, remedy="select some particles")
    return source


def _with_boxes(
    optics: tuple[OpticsGroup, ...], optics_index: np.ndarray, images: ImageRefs, path: Path, project: Path | None,
) -> tuple[OpticsGroup, ...]:
    """Box sizes that the file does not hold, from the first stack of each group."""
    if all(group.box > 0 for group in optics):
        return optics
    root = project if project is not None else find_root(path, images.stacks)
    found = list(optics)
    for i, group in enumerate(optics):
        rows = np.flatnonzero(optics_index == i)
        if group.box <= 0 and len(rows):
            found[i] = replace(group, box=read_header(root / images.stacks[images.stack[rows[0]]]).shape[2])
    return tuple(found)


def _groups(source: Source, optics: tuple[OpticsGroup, ...], optics_index: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scale groups: by group name, else by micrograph, else by group number, else by optics group."""
    for label in (L.GROUP_NAME, L.MICROGRAPH_NAME, L.GROUP_NUMBER):
        if label in source.table:
            codes, names = factorise(source.texts(label))
            return codes, names if label != L.GROUP_NUMBER else tuple(f"group_{name}" for name in names)
    return optics_index, tuple(group.name for group in optics)


def _defocus(source: Source, optics: tuple[OpticsGroup, ...], optics_index: np.ndarray) -> Defocus:
    if all(group.ctf_corrected for group in optics) and L.DEFOCUS["u"].label not in source.table:
        columns = {name: np.zeros(len(source.table)) for name in ("u", "v")}
    else:
        source.require((L.DEFOCUS["u"].label,), "estimate the CTF first, or set _rlnCtfDataAreCtfCorrected 1 in the optics table")
        u = source.numbers(L.DEFOCUS["u"].label)
        columns = {"u": u, "v": source.numbers(L.DEFOCUS["v"].label) if L.DEFOCUS["v"].label in source.table else u}
    rest = {name: source.numbers(column.label, column.default) * column.scale for name, column in L.DEFOCUS.items() if name not in columns}
    return Defocus(**columns, **rest)


def _poses(source: Source, optics: tuple[OpticsGroup, ...], optics_index: np.ndarray) -> Poses:
    angles = np.stack([source.numbers(label, 0.0) for label in L.ANGLES], axis=1) * DEGREE
    if not any(label in source.table for label in L.ORIGIN) and any(label in source.table for label in L.ORIGIN_PIXELS):
        pixel_size = np.array([group.pixel_size for group in optics])[optics_index]
        return Poses(angles, np.stack([source.numbers(label, 0.0) for label in L.ORIGIN_PIXELS], axis=1) * pixel_size[:, None])
    return Poses(angles, np.stack([source.numbers(label, 0.0) for label in L.ORIGIN], axis=1))


def _half(source: Source) -> np.ndarray:
    half = source.integers(L.HALF, 0)
    bad = np.flatnonzero((half < 0) | (half > 2))
    if len(bad):
        raise DataError(f"_{L.HALF} is {half[bad[0]]}, expected 1 or 2 (0 = not assigned)", where=source.at_row(int(bad[0])),
                        remedy="correct the value or remove the column, then halves are drawn anew")
    return half


def _norm(source: Source) -> np.ndarray:
    norm = source.numbers(L.NORM, 1.0)
    bad = np.flatnonzero(norm <= 0)
    if len(bad):
        raise DataError(f"_{L.NORM} is {norm[bad[0]]}, expected a positive number", where=source.at_row(int(bad[0])), remedy="set it to 1")
    return norm


def stored_degrees(radians: np.ndarray) -> np.ndarray:
    """Degrees as they are written: to 1e-10. stored_degrees(x) * DEGREE survives any number of writes and reads unchanged."""
    return np.round(np.asarray(radians, dtype=np.float64) / DEGREE, _DECIMALS)


def particles_table(particles: Particles, extra_columns: dict[str, np.ndarray] | None = None) -> Table:
    """The particle table: other columns of the input first, in their order, then ours; `extra_columns` replace or follow."""
    columns: dict[str, np.ndarray] = dict(particles.extra)
    columns[L.IMAGE_NAME] = image_names(particles.images)
    columns[L.OPTICS_GROUP] = np.array([group.group for group in particles.optics], dtype=np.int64)[particles.optics_index]
    for name, column in L.DEFOCUS.items():
        values = getattr(particles.defocus, name)
        columns[column.label] = stored_degrees(values) if column.scale == DEGREE else values
    for i, label in enumerate(L.ANGLES):
        columns[label] = stored_degrees(particles.poses.angles[:, i])
    for i, label in enumerate(L.ORIGIN):
        columns[label] = particles.poses.origin[:, i]
    columns[L.GROUP_NUMBER] = particles.group + 1
    columns[L.CLASS_NUMBER], columns[L.NORM] = particles.class_number, particles.norm
    if particles.half.any():
        columns[L.HALF] = particles.half
    if L.GROUP_NAME not in columns and L.MICROGRAPH_NAME not in columns:
        columns[L.GROUP_NAME] = np.array(particles.group_names, dtype=object)[particles.group]
    return Table(columns | (extra_columns or {}))


def write_particles(path: Path | str, particles: Particles, extra_columns: dict[str, np.ndarray] | None = None) -> None:
    """Write optics and particles blocks, atomically. `extra_columns`: label without underscore -> (N,), for example
    rlnLogLikeliContribution, rlnMaxValueProbDistribution, rlnNrOfSignificantSamples."""
    write_star(path, {"optics": optics_table(particles.optics), "particles": particles_table(particles, extra_columns)})
