"""import coordinates: picks of other programs as tables of the given micrographs; import maps: links to maps, half maps in pairs."""

from pathlib import Path

from verglas.jobs.import_files import Patterns
from verglas.jobs.spec import Job, JobParams, deferred, option


class CoordinatesParams(JobParams):
    """Options of `verglas import coordinates`."""

    coordinates: Patterns = option(
        help="Coordinate files (STAR, EMAN .box, crYOLO .cbox, Topaz or plain text), or patterns in quotes: 'picks/*.box'.", relion="fn_in_other")
    micrographs: Path = option(help="The micrographs they belong to (STAR); files are matched by name.")


class MapsParams(JobParams):
    """Options of `verglas import maps`."""

    maps: Patterns = option(help="Maps (MRC) or patterns in quotes; half1 brings its half2.", relion="fn_in_other")


COORDINATES = Job("import coordinates", "Import", "Picks of other programs, for the given micrographs.", CoordinatesParams,
                  deferred("import_picks", "check_coordinates"), deferred("import_picks", "run_coordinates"), "relion.import.other", light=True)
MAPS = Job("import maps", "Import", "Links to maps; half maps in pairs.", MapsParams,
           deferred("import_picks", "check_maps"), deferred("import_picks", "run_maps"), "relion.import.other", light=True)
