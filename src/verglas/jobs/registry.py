"""All jobs: name of the command -> its module and one line of help. A job's module is imported when it is needed."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from verglas.errors import InputError

if TYPE_CHECKING:
    from verglas.jobs.spec import Job


class Entry(NamedTuple):
    """`module` and `attribute` of the Job, and its line in `verglas --help`."""

    module: str
    attribute: str
    summary: str


ENTRIES: dict[str, Entry] = {
    "motioncorr": Entry("verglas.jobs.motioncorr", "JOB", "Correct movies for motion and radiation damage."),
    "live": Entry("verglas.jobs.live", "JOB", "Movies become particles while they are recorded."),
    "import movies": Entry("verglas.jobs.import_movies", "MOVIES_JOB", "Movies with voltage, Cs, pixel size, dose and gain; links, never copies."),
    "import micrographs": Entry("verglas.jobs.import_movies", "MICROGRAPHS_JOB", "Micrographs with voltage, Cs and pixel size; links, never copies."),
    "import particles": Entry("verglas.jobs.import_particles", "JOB", "Particles of a STAR or cryoSPARC (.cs) file; links, never copies."),
    "import coordinates": Entry("verglas.jobs.import_coordinates", "COORDINATES", "Picks of other programs, for the given micrographs."),
    "import maps": Entry("verglas.jobs.import_coordinates", "MAPS", "Links to maps; half maps in pairs."),
    "assign-optics": Entry("verglas.jobs.assign_optics", "JOB", "Optics groups from a STAR file, from file names, or from EPU's beam shifts."),
    "export cryosparc": Entry("verglas.jobs.import_particles", "EXPORT", "Particles as a .cs file of cryoSPARC."),
    "extract": Entry("verglas.jobs.extract", "JOB", "Particle images from micrographs, at picks or where a refinement found the particles."),
    "refine3d": Entry(
        "verglas.jobs.refine3d", "JOB", "Refine one structure from particles and a starting map, halves kept independent."
    ),
    "pick log": Entry("verglas.jobs.pick_log", "JOB", "Find particles by their size."),
    "pick template": Entry("verglas.jobs.pick_template", "JOB", "Find particles with templates: 2D averages or a map."),
    "pick manual": Entry("verglas.jobs.pick_manual", "JOB", "Import and merge the coordinates of other pickers."),
    "class2d": Entry("verglas.jobs.class2d", "JOB", "2D class averages."),
    "class3d": Entry("verglas.jobs.class3d", "JOB", "3D classes with alignment (with --fixed-poses: class3d-fixed)."),
    "class3d-fixed": Entry("verglas.jobs.class3d_fixed", "JOB", "3D classes of particles whose poses stay as they are."),
    "initialmodel": Entry("verglas.jobs.initialmodel", "JOB", "A first 3D map from particles alone."),
    "reconstruct": Entry("verglas.jobs.reconstruct", "JOB", "A map and half maps from particles with known poses."),
    "mask": Entry("verglas.jobs.mask", "JOB", "Make a soft solvent mask from a map."),
    "postprocess": Entry(
        "verglas.jobs.postprocess", "JOB", "Resolution (FSC) and a sharpened map from two half maps."
    ),
    "ctf": Entry("verglas.jobs.ctf", "JOB", "Defocus, astigmatism and phase shift of micrographs from their Thon rings."),
    "rank-classes": Entry(
        "verglas.jobs.rank_classes", "JOB", "A score from 0 to 1 for 2D class averages, and the particles of the good ones."
    ),
    "select": Entry(
        "verglas.jobs.select", "JOB", "Particles by class, score, column or half; joined, split, without duplicates."
    ),
    "simulate particles": Entry(
        "verglas.jobs.simulate_particles", "JOB", "Images with known poses from a map, a model or the built-in phantom."
    ),
    "map resize": Entry("verglas.jobs.map_change", "RESIZE", "Another box or pixel size by Fourier interpolation."),
    "map crop": Entry("verglas.jobs.map_change", "CROP", "Another box around the centre, voxels unchanged."),
    "map lowpass": Entry("verglas.jobs.map_change", "LOWPASS", "Remove what is finer than a resolution."),
    "map symmetrise": Entry("verglas.jobs.map_change", "SYMMETRISE", "Average over a point group."),
    "map flip-hand": Entry("verglas.jobs.map_change", "FLIP_HAND", "The mirror image."),
    "map fsc": Entry("verglas.jobs.map_fsc", "JOB", "FSC and correlation of two maps."),
    "map align": Entry("verglas.jobs.map_align", "JOB", "Lay one map on another, its mirror image too."),
    "align-symmetry": Entry(
        "verglas.jobs.align_symmetry", "JOB", "Turn a map made without symmetry into the frame of its point group."
    ),
}


def find(name: str) -> "Job":
    """The job with this command name."""
    if name not in ENTRIES:
        raise InputError(f"there is no job {name!r}", remedy="one of: " + ", ".join(ENTRIES))
    job: Job = getattr(import_module(ENTRIES[name].module), ENTRIES[name].attribute)
    return job
