"""assign-optics: optics groups of movies, micrographs or particles, from a STAR file, from their names, or from EPU's beam shifts."""

from pathlib import Path

from verglas.jobs.import_files import Patterns
from verglas.jobs.spec import Job, JobParams, deferred, option


class AssignParams(JobParams):
    """Options of `verglas assign-optics`."""

    input: Path = option(help="Movies, micrographs or particles (STAR).")
    optics: Path | None = option(None, help="Take the groups of this STAR file, whose movies or micrographs are found by name.")
    pattern: str | None = option(
        None, help="Split groups by what the ( ) of this regular expression match in the file name, such as '_Data_\\d+_(\\d+)_'.")
    epu: Patterns = option((), help="Split groups by the beam shifts in EPU's XML files: patterns in quotes, such as 'EPU/**/*.xml'.")
    groups: int | None = option(None, help="Number of groups of beam shifts; default: as many as stand apart.", ge=1, le=1000)


JOB = Job("assign-optics", "AssignOptics", "Optics groups from a STAR file, from file names, or from EPU's beam shifts.", AssignParams,
          deferred("assign_groups", "check"), deferred("assign_groups", "run"), light=True)
