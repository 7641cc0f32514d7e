"""pick manual: coordinates of other pickers, of one or of many, as one set of picks for these micrographs."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.folder import named_in
from verglas.jobs.spec import Context, Files, Job, JobParams, Plan, PlanLine, option

if TYPE_CHECKING:
    from verglas.types import Coordinates, Micrographs


class PickManualParams(JobParams):
    """Options of `verglas pick manual`."""

    micrographs: Path = option(help="STAR file of micrographs.", relion="fn_in")
    from_: Files = option(help="Coordinates: .star (a list, a table, or one file per micrograph), .box, .cbox, or Topaz's .txt/.csv; the first "
                               "file named wins where picks coincide.")
    min_distance: float = option(0.0, help="Of picks nearer than this one stays.", unit="Å", ge=0)
    scale: float = option(1.0, help="Multiply the coordinates (picked on micrographs shrunk by this factor).", gt=0)
    threshold: float | None = option(None, help="Only picks with at least this figure of merit.", relion="minimum_pick_fom")


def check(params: PickManualParams, context: Context) -> Plan:
    table, parts, lost = matched(params, context.project)
    lines = (PlanLine("micrographs", str(len(table)), f"{sum(bool(one) for one in parts)} with picks"),
             PlanLine("picks", str(sum(len(one) for found in parts for one in found))))
    warning = f"{len(lost)} files or names belong to none of the micrographs, the first: {lost[0]}" if lost else ""
    return Plan(lines, (warning,) if warning else ())


def run(params: PickManualParams, context: Context) -> None:
    import numpy as np

    from verglas.io.coordinates import no_coordinates, write_coordinate_files, write_coordinates
    from verglas.jobs.pick_one import coordinates_name
    from verglas.methods.picking.merge import merge_picks

    table, parts, _ = matched(params, context.project)
    folder = Path(named_in(context.project, context.output))
    files, total, given = [], 0, 0
    for index, (name, found) in enumerate(zip(table.name.tolist(), parts)):
        pixel = table.optics[table.optics_index[index]].pixel_size
        picks = merge_picks(found, params.min_distance / pixel) if found else no_coordinates()
        if params.threshold is not None:
            picks = picks.take(np.flatnonzero(picks.fom >= params.threshold))
        target = coordinates_name(name)
        target = target.with_name(target.name.replace("_autopick.star", "_manualpick.star"))
        (context.output / target).parent.mkdir(parents=True, exist_ok=True)
        write_coordinates(context.output / target, picks)
        files.append(str(folder / target))
        total, given = total + len(picks), given + sum(len(one) for one in found)
    write_coordinate_files(context.output / "manualpick.star", table.name.tolist(), files)
    context.log(f"{total} of {given} picks in {len(table)} micrographs; manualpick.star")
    context.event("picks", particles=total, micrographs=len(table), given=given)


def matched(params: PickManualParams, project: Path) -> "tuple[Micrographs, list[list[Coordinates]], list[str]]":
    """The micrographs, the picks of each (one list for each file that has some), and names that fit no micrograph."""
    from dataclasses import replace

    from verglas.io.coordinates import read_coordinates, stem
    from verglas.jobs.pick_params import open_micrographs

    table = open_micrographs(params.micrographs, project)
    names = [str(one) for one in table.name]
    whole = {name: i for i, name in enumerate(names)}
    twice = {one for one, count in Counter(stem(name) for name in names).items() if count > 1}
    short = {stem(name): i for i, name in enumerate(names) if stem(name) not in twice}
    parts: list[list[Coordinates]] = [[] for _ in names]
    lost = []
    for path in params.from_:
        for name, picks in read_coordinates(path, project).items():
            index = whole.get(name, short.get(stem(name)))
            if index is None and stem(name) in twice:
                raise InputError(f"{name} fits several micrographs of that name", where=str(path), remedy="give a table with the full names")
            if index is None:
                lost.append(f"{name} ({path})")
            else:
                parts[index].append(replace(picks, xy=picks.xy * params.scale))
    if not any(parts):
        raise InputError(f"no coordinates of these micrographs; the names are {', '.join(lost[:3]) or 'none'}", where=str(params.from_[0]),
                         remedy=f"files and micrographs find each other by name, such as {stem(names[0])}.box")
    return table, parts, lost


JOB = Job("pick manual", "ManualPick", "Import and merge the coordinates of other pickers.", PickManualParams, check, run, "relion.manualpick",
          light=True)
