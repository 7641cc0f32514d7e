"""The optics groups that assign-optics gives to movies, micrographs or particles."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.epu import read_beam_shift, xml_of
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, factorise
from verglas.io.star_rows import text_column
from verglas.jobs.assign_optics import AssignParams
from verglas.jobs.import_files import found
from verglas.jobs.spec import Context, Plan, PlanLine

KINDS = {"particles": L.MICROGRAPH_NAME, "micrographs": L.MICROGRAPH_NAME, "movies": L.MOVIE_NAME}
OWN = (L.IMAGE_PIXEL_SIZE, L.IMAGE_SIZE, L.IMAGE_DIMENSIONALITY, L.MICROGRAPH_PIXEL_SIZE, L.ORIGINAL_PIXEL_SIZE, L.OPTICS_GROUP,
       *L.OPTICS_FLAGS.values())
"""Columns of an optics table that belong to the images and are not taken over from another file."""


@dataclass(frozen=True)
class Assigned:
    """The tables to write; told: how many groups there are now."""

    kind: str
    blocks: dict[str, Table]
    told: str


def check(params: AssignParams, context: Context) -> Plan:
    done = assigned(params, context)
    return Plan((PlanLine(done.kind, str(len(done.blocks[done.kind]))), PlanLine("optics groups", done.told)))


def run(params: AssignParams, context: Context) -> None:
    done = assigned(params, context)
    write_star(context.output / f"{done.kind}.star", done.blocks)
    numbers, sizes = np.unique(done.blocks[done.kind][L.OPTICS_GROUP], return_counts=True)
    context.log(f"{done.kind}.star: {done.told}; from {sizes.min()} to {sizes.max()} {done.kind} in each")
    context.event("optics", groups=len(numbers), sizes=sizes.tolist())


def assigned(params: AssignParams, context: Context) -> Assigned:
    """The tables with their new groups."""
    given = [params.optics is not None, params.pattern is not None, bool(params.epu)]
    if sum(given) != 1:
        raise InputError(f"{sum(given)} sources of groups, expected one", remedy="give --optics, --pattern or --epu")
    if params.groups is not None and not params.epu:
        raise InputError("--groups is for --epu")
    blocks = read_star(params.input)
    kind = next((name for name in KINDS if name in blocks), "")
    if not kind or "optics" not in blocks:
        raise InputError(f"no table of movies, micrographs or particles with optics groups; there are {', '.join(blocks) or 'none'}",
                         where=str(params.input), remedy="give movies.star, micrographs_ctf.star or particles.star")
    source, optics = Source(blocks[kind], str(params.input), kind), Source(blocks["optics"], str(params.input), "optics")
    source.require((KINDS[kind], L.OPTICS_GROUP))
    names = source.texts(KINDS[kind])
    if params.optics is not None:
        table, numbers = _taken_over(source, optics, names, params.optics)
    else:
        keys = _by_pattern(names, params.pattern, source) if params.pattern else _by_shift(names, params, context)
        table, numbers = _split(source, optics, keys)
    rows = Table(blocks[kind].columns | {L.OPTICS_GROUP: numbers})
    return Assigned(kind, blocks | {"optics": table, kind: rows}, f"{len(table)}, before {len(optics.table)}")


def _by_pattern(names: np.ndarray, pattern: str, source: Source) -> np.ndarray:
    """(N,) what the parentheses match, joined by -."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--pattern {pattern!r} is not a regular expression: {error}") from error
    if not expression.groups:
        raise InputError(f"--pattern {pattern!r} has no ( )", remedy="put parentheses around what tells the groups apart")
    codes, distinct = factorise(names)
    keys = []
    for code, name in enumerate(distinct):
        match = expression.search(Path(name).name)
        if match is None:
            row = int(np.argmax(codes == code))
            raise InputError(f"--pattern {pattern!r} does not match {Path(name).name}", where=source.at_row(row), remedy="correct the pattern")
        keys.append("-".join(re.sub(r"[^A-Za-z0-9]", "", part or "") for part in match.groups()))
    return text_column(keys)[codes]


def _by_shift(names: np.ndarray, params: AssignParams, context: Context) -> np.ndarray:
    """(N,) the group of beam shifts of each file."""
    from verglas.methods.optics import clusters

    files = {path.stem: path for path, _ in found(params.epu, context.project, "--epu", (".xml",))}
    codes, distinct = factorise(names)
    matched = [xml_of(name, files) for name in distinct]
    lost = [name for name, path in zip(distinct, matched) if path is None]
    if lost:
        raise InputError(f"{len(lost)} of {len(distinct)} files have no XML file, for example {lost[0]}", where=", ".join(params.epu),
                         remedy="XML files are found by name: FoilHole_..._Data_....xml for FoilHole_..._Data_..._Fractions.tiff")
    shifts = np.array([read_beam_shift(path) for path in matched if path is not None])
    return text_column(f"shift{group + 1}" for group in clusters(shifts, params.groups).tolist())[codes]


def _split(source: Source, optics: Source, keys: np.ndarray) -> tuple[Table, np.ndarray]:
    """(optics table, group of each row): one group for each old group and key, named after both, with the old values."""
    old = source.integers(L.OPTICS_GROUP)
    known = optics.integers(L.OPTICS_GROUP)
    names = optics.texts(L.OPTICS_NAME) if L.OPTICS_NAME in optics.table else text_column(f"opticsGroup{number}" for number in known)
    pairs = sorted(set(zip(old.tolist(), keys.tolist())), key=lambda pair: (pair[0], len(pair[1]), pair[1]))
    number = {pair: place + 1 for place, pair in enumerate(pairs)}
    place = {int(group): row for row, group in enumerate(known.tolist())}
    unknown = [group for group, _ in pairs if group not in place]
    if unknown:
        raise InputError(f"optics group {unknown[0]} is not in the optics table", where=source.where, remedy="correct the file")
    rows = np.array([place[group] for group, _ in pairs])
    columns = {label: column[rows] for label, column in optics.table.columns.items()}
    columns[L.OPTICS_NAME] = text_column(f"{names[place[group]]}_{key}" for group, key in pairs)
    columns[L.OPTICS_GROUP] = np.arange(1, len(pairs) + 1)
    return Table(columns), np.array([number[pair] for pair in zip(old.tolist(), keys.tolist())], dtype=np.int64)


def _taken_over(source: Source, optics: Source, names: np.ndarray, path: Path) -> tuple[Table, np.ndarray]:
    """(optics table, group of each row) as another file has them for the same micrographs."""
    blocks = read_star(path)
    kind = next((name for name in KINDS if name in blocks), "")
    if not kind or "optics" not in blocks:
        raise InputError("no table of movies, micrographs or particles with optics groups", where=str(path), remedy="give such a STAR file")
    other, theirs = Source(blocks[kind], str(path), kind), Source(blocks["optics"], str(path), "optics")
    other.require((KINDS[kind], L.OPTICS_GROUP))
    group = {Path(name).stem: number for name, number in zip(other.texts(KINDS[kind]), other.integers(L.OPTICS_GROUP).tolist())}
    lost = [name for name in dict.fromkeys(names.tolist()) if Path(name).stem not in group]
    if lost:
        raise InputError(f"{len(lost)} files of {source.path} are not in it, for example {lost[0]}", where=str(path),
                         remedy="give the file that has all")
    wanted = np.array([group[Path(name).stem] for name in names.tolist()], dtype=np.int64)
    old = source.integers(L.OPTICS_GROUP)
    pairs = sorted(set(zip(wanted.tolist(), old.tolist())))
    if len({number for number, _ in pairs}) < len(pairs):
        raise InputError("a group there would hold images of several groups here, whose pixel or box sizes may differ", where=str(path),
                         remedy="assign groups to one kind of images at a time")
    at, here = ({int(n): row for row, n in enumerate(one.integers(L.OPTICS_GROUP).tolist())} for one in (theirs, optics))
    missing = [number for number, _ in pairs if number not in at]
    if missing:
        raise InputError(f"optics group {missing[0]} is not in its optics table", where=str(path), remedy="correct the file")
    rows, before = np.array([at[number] for number, _ in pairs]), np.array([here[number] for _, number in pairs])
    columns = {label: column[before] for label, column in optics.table.columns.items()}
    columns |= {label: column[rows] for label, column in theirs.table.columns.items() if label not in OWN}
    return Table(columns | {L.OPTICS_GROUP: np.array([number for number, _ in pairs])}), wanted
