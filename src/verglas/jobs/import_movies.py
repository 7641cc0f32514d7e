"""import movies, import micrographs: a STAR file of files that stay where they are, with what the microscope was set to."""

from pathlib import Path

from verglas.jobs.import_files import Patterns
from verglas.jobs.spec import Job, JobParams, deferred, option


class OpticsParams(JobParams):
    """Options of the microscope, the same for all files of one import."""

    pixel_size: float = option(help="Pixel size of the files (EER: as they are rendered).", unit="Å", gt=0, le=1000, relion="angpix")
    voltage: float = option(300.0, help="Acceleration voltage.", unit="kV", ge=10, le=3000, relion="kV")
    cs: float = option(2.7, help="Spherical aberration.", unit="mm", ge=-100, le=100, relion="Cs")
    amplitude_contrast: float = option(0.1, help="Amplitude contrast.", ge=0, le=1, relion="Q0")
    optics_group: str = option("opticsGroup1", help="Name of the optics group of these files.", relion="optics_group_name")
    mtf: Path | None = option(None, help="STAR file with the modulation transfer function of the detector.", relion="fn_mtf")
    beam_tilt_x: float = option(0.0, help="Beam tilt along x, if it is known.", unit="mrad", ge=-100, le=100, relion="beamtilt_x")
    beam_tilt_y: float = option(0.0, help="Beam tilt along y.", unit="mrad", ge=-100, le=100, relion="beamtilt_y")


class MoviesParams(OpticsParams):
    """Options of `verglas import movies`."""

    movies: Patterns = option(help="Movies (MRC, TIFF, EER, compressed MRC), or patterns in quotes: 'Movies/*.tiff'.", relion="fn_in_raw")
    dose: float | None = option(None, help="Exposure of one frame (EER: of one fraction).", unit="e/Å²", gt=0, le=1000)
    gain: Path | None = option(None, help="Gain reference of these movies.")


class MicrographsParams(OpticsParams):
    """Options of `verglas import micrographs`."""

    micrographs: Patterns = option(help="Micrographs (MRC), or patterns in quotes: 'Micrographs/*.mrc'.", relion="fn_in_raw")


MOVIES_JOB = Job("import movies", "Import", "Movies with voltage, Cs, pixel size, dose and gain; links, never copies.", MoviesParams,
                 deferred("import_rows", "check_movies"), deferred("import_rows", "run_movies"), "relion.import.movies", can_continue=True,
                 light=True)
MICROGRAPHS_JOB = Job("import micrographs", "Import", "Micrographs with voltage, Cs and pixel size; links, never copies.", MicrographsParams,
                      deferred("import_rows", "check_micrographs"), deferred("import_rows", "run_micrographs"), "relion.import.movies",
                      can_continue=True, light=True)
