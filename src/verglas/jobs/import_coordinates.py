"""import coordinates: picks of other programs as tables of the given micrographs; import maps: links to maps, half maps in pairs."""

from pathlib import Path

from verglas.jobs.import_files import Patterns
from verglas.jobs.spec import Context, Job, JobParams, Plan, option


class CoordinatesParams(JobParams):
    """Options of `verglas import coordinates`."""

    coordinates: Patterns = option(
        help="Coordinate files (STAR, EMAN .box, crYOLO .cbox, Topaz or plain text), or patterns in quotes: 'picks/*.box'.", relion="fn_in_other")
    micrographs: Path = option(help="The micrographs they belong to (STAR); files are matched by name.")


class MapsParams(JobParams):
    """Options of `verglas import maps`."""

    maps: Patterns = option(help="Maps (MRC) or patterns in quotes; half1 brings its half2.", relion="fn_in_other")


def check_coordinates(params: CoordinatesParams, context: Context) -> Plan:
    from verglas.jobs import import_picks

    return import_picks.check_coordinates(params, context)


def run_coordinates(params: CoordinatesParams, context: Context) -> None:
    from verglas.jobs import import_picks

    import_picks.run_coordinates(params, context)


def check_maps(params: MapsParams, context: Context) -> Plan:
    from verglas.jobs import import_picks

    return import_picks.check_maps(params, context)


def run_maps(params: MapsParams, context: Context) -> None:
    from verglas.jobs import import_picks

    import_picks.run_maps(params, context)


COORDINATES = Job("import coordinates", "Import", "Picks of other programs, for the given micrographs.", CoordinatesParams, check_coordinates,
                  run_coordinates, "relion.import.other")
MAPS = Job("import maps", "Import", "Links to maps; half maps in pairs.", MapsParams, check_maps, run_maps, "relion.import.other")
