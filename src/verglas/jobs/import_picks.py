"""Picks that import coordinates writes, and maps that import maps links."""

from collections import Counter
from pathlib import Path

from verglas.errors import InputError
from verglas.io.coordinates import read_coordinates, stem, write_coordinate_files, write_coordinates
from verglas.io.micrographs_star import read_micrographs
from verglas.io.mrc import read_map
from verglas.jobs.folder import named_in
from verglas.jobs.import_coordinates import CoordinatesParams, MapsParams
from verglas.jobs.import_files import Placed, check_links, found, make_links, whole
from verglas.jobs.spec import Context, Plan, PlanLine
from verglas.types import Coordinates

KINDS = (".star", ".box", ".cbox", ".csv", ".tsv", ".txt")


def check_coordinates(params: CoordinatesParams, context: Context) -> Plan:
    picks, total, warnings = _picks(params, context)
    return Plan((PlanLine("picks", str(sum(map(len, picks.values())))), PlanLine("micrographs", f"{len(picks)} of {total}")), warnings)


def run_coordinates(params: CoordinatesParams, context: Context) -> None:
    picks = _picks(params, context)[0]
    output, project = whole(context.output), whole(context.project)
    files = {}
    for name, one in picks.items():
        path = output / f"{stem(name)}_picks.star"
        write_coordinates(path, one)
        files[name] = named_in(project, path)
    write_coordinate_files(context.output / "coordinates.star", list(files), list(files.values()))
    context.log(f"coordinates.star: {sum(map(len, picks.values()))} picks in {len(picks)} micrographs")
    context.event("import", total=sum(map(len, picks.values())), micrographs=len(picks))


def _picks(params: CoordinatesParams, context: Context) -> tuple[dict[str, Coordinates], int, tuple[str, ...]]:
    """(picks by the name of the micrograph, number of micrographs, warnings)."""
    names = {stem(name): name for name in read_micrographs(params.micrographs).name.tolist()}
    given: dict[str, Coordinates] = {}
    for path, _ in found(params.coordinates, context.project, "--coordinates", KINDS):
        for name, one in read_coordinates(path, context.project).items():
            if stem(name) in given:
                raise InputError(f"a second list of picks for {name}", where=str(path), remedy="give one file for each micrograph")
            given[stem(name)] = one
    lost = [name for name in given if name not in names]
    if len(lost) == len(given):
        raise InputError(f"none of the {len(given)} lists ({lost[0] if lost else 'none'}) belongs to a micrograph of {params.micrographs}",
                         where=", ".join(params.coordinates), remedy="files are matched by name: give the micrographs that were picked")
    warnings = (f"{len(lost)} lists belong to no micrograph, for example {lost[0]}; left out.",) if lost else ()
    return {full: given[name] for name, full in names.items() if name in given}, len(names), warnings


def check_maps(params: MapsParams, context: Context) -> Plan:
    files = _maps(params, context)
    check_links(one for one, _ in files)
    maps = [read_map(path) for _, path in files]
    lines = tuple(PlanLine(path.name, f"{one.box} px at {one.pixel_size:.4f} Å") for one, (_, path) in zip(maps, files))
    sizes = Counter(one.box for one in maps)
    return Plan(lines, ("The maps have different boxes.",) if len(sizes) > 1 else ())


def run_maps(params: MapsParams, context: Context) -> None:
    files = _maps(params, context)
    make_links(one for one, _ in files)
    context.log("\n".join(one.name for one, _ in files))
    context.event("import", total=len(files))


def _maps(params: MapsParams, context: Context) -> list[tuple[Placed, Path]]:
    """Every map with its link, which it gets also inside the project: the job folder holds what it imported."""
    paths = [path for path, _ in found(params.maps, context.project, "--maps", (".mrc", ".map", ".ccp4"))]
    halves = [path.with_name(path.name.replace("half1", "half2")) for path in paths if "half1" in path.name]
    missing = [path for path in halves if not path.is_file()]
    if missing:
        raise InputError(f"there is no {missing[0].name} beside its half1", where=str(missing[0].parent), remedy="put both half maps there")
    every = list(dict.fromkeys([*paths, *halves]))
    output = whole(context.output)
    return [(Placed(str(output / path.name), output / path.name, whole(path)), path) for path in every]
