"""What import movies and import micrographs find, and the STAR file that they write."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.micrographs_star import read_micrographs, write_micrographs
from verglas.io.mrc_header import read_header
from verglas.jobs.import_files import MICROGRAPHS, MOVIES, Placed, check_links, found, make_links, placed, require_file
from verglas.jobs.import_movies import MicrographsParams, MoviesParams, OpticsParams
from verglas.jobs.import_optics import added, group_of
from verglas.jobs.spec import Context, Plan, PlanLine
from verglas.types import Micrographs

TOLERANCE = 0.01


@dataclass(frozen=True)
class _Import:
    """All files with their names, the rows that the STAR file `star` will have, and how many of them are new."""

    files: tuple[Placed, ...]
    rows: Micrographs
    new: int
    star: Path


def check_movies(params: MoviesParams, context: Context) -> Plan:
    return _told(_movies(params, context), params, ())


def check_micrographs(params: MicrographsParams, context: Context) -> Plan:
    first = found(params.micrographs, context.project, "--micrographs", MICROGRAPHS)[0][0]
    header = read_header(first)
    if header.shape[0] != 1:
        raise InputError(f"{header.shape[0]} sections, expected one image", where=str(first), remedy="movies are for `verglas import movies`")
    odd = header.pixel_size > 0 and abs(header.pixel_size - params.pixel_size) > TOLERANCE * params.pixel_size
    warnings = (f"{first} has {header.pixel_size:.4f} Å in its header, --pixel-size is {params.pixel_size:g} Å.",) if odd else ()
    return _told(_micrographs(params, context), params, warnings)


def run_movies(params: MoviesParams, context: Context) -> None:
    _write(context.found if isinstance(context.found, _Import) else _movies(params, context), params, context)


def run_micrographs(params: MicrographsParams, context: Context) -> None:
    _write(context.found if isinstance(context.found, _Import) else _micrographs(params, context), params, context)


def _movies(params: MoviesParams, context: Context) -> _Import:
    require_file(params.gain, "--gain")
    files = found(params.movies, context.project, "--movies", MOVIES)
    gain = () if params.gain is None else (placed(params.gain, params.gain.parent, context, ""),)
    extra: dict[str, object] = {} if params.dose is None else {L.DOSE_RATE: params.dose}
    extra |= {L.GAIN_NAME: gain[0].name} if gain else {}
    return _import(params, files, gain, extra, context)


def _micrographs(params: MicrographsParams, context: Context) -> _Import:
    return _import(params, found(params.micrographs, context.project, "--micrographs", MICROGRAPHS), (), {}, context)


def _import(
    params: OpticsParams, files: list[tuple[Path, Path]], gain: tuple[Placed, ...], extra: Mapping[str, object], context: Context,
) -> _Import:
    """Everything that will be written, and nothing written yet."""
    require_file(params.mtf, "--mtf")
    folder = "Movies" if isinstance(params, MoviesParams) else "Micrographs"
    star = context.output / f"{folder.lower()}.star"
    old = read_micrographs(star) if context.continuing and star.exists() else None
    named = tuple(placed(file, fixed, context, folder) for file, fixed in files)
    mtf = () if params.mtf is None else (placed(params.mtf, params.mtf.parent, context, ""),)
    group = group_of(params, mtf[0].name if mtf else "")
    check_links(named + gain + mtf)
    rows, new = added(old, [one.name for one in named], group, extra, str(star))
    return _Import(named + gain + mtf, replace(rows, movies=folder == "Movies"), new, star)


def _told(one: _Import, params: OpticsParams, warnings: tuple[str, ...]) -> Plan:
    links = sum(file.link is not None for file in one.files)
    lines = [PlanLine(one.star.stem, str(len(one.rows)), f"{one.new} new"), PlanLine("optics group", params.optics_group)]
    return Plan((*lines, *([PlanLine("links", str(links), "to files outside the project folder")] if links else [])), warnings, found=one)


def _write(one: _Import, params: OpticsParams, context: Context) -> None:
    """Links and the STAR file; it is left alone when there is nothing new, so that later jobs see no change."""
    make_links(one.files)
    if one.new:
        write_micrographs(one.star, one.rows)
    context.log(f"{one.star.name}: {len(one.rows)}, {one.new} of them new in optics group {params.optics_group}")
    context.event("import", total=len(one.rows), new=one.new)
