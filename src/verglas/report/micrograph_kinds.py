"""What there is to say of each kind of job on movies or micrographs: its tables, and the quantities of a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from verglas.report.load_record import number
from verglas.report.micrograph_data import Kind, Quantity

Row = Mapping[str, Any]
"""What a job wrote of one micrograph, read from a file: anything may be missing."""


@dataclass(frozen=True)
class Layout:
    """Jobs whose name begins so, RELION's job type, tables (the first that is there), and how to read each quantity off a row.

    `leading`: the quantity by which the best and the worst are chosen, "" for none.
    """

    kind: Kind
    jobs: tuple[str, ...]
    relion: tuple[str, ...]
    tables: tuple[str, ...]
    noun: str
    leading: str
    quantities: tuple[tuple[Quantity, Callable[[Row], float]], ...]


def inside(*path: str) -> Callable[[Row], float]:
    """The number at a path of keys, NaN when there is none."""

    def read(row: Row) -> float:
        value: Any = row
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return number(value)

    return read


def _defocus(row: Row) -> float:
    """µm."""
    return 0.5e-4 * (number(row.get("defocus_u")) + number(row.get("defocus_v")))


def _astigmatism(row: Row) -> float:
    return number(row.get("defocus_u")) - number(row.get("defocus_v"))


MOTION = Layout("motion", ("motioncorr",), ("relion.motioncorr",), ("corrected_micrographs.star",), "movies", "motion", (
    (Quantity("motion", "Motion, whole track", "Å", "Good: a few Å to 20 Å, all alike. Tens of Å mean drift or a broken film of ice.", 1, "high",
              "motion"), inside("star", "rlnAccumMotionTotal")),
    (Quantity("early", "Motion in the first 4 e/Å²", "Å", "Good: under a few Å. The beam moves the specimen most at the start.", 1, "high",
              "early"), inside("star", "rlnAccumMotionEarly")),
    (Quantity("late", "Motion after the first 4 e/Å²", "Å", "Good: small and even; much late motion is drift of the stage.", 1, "high", "late"),
     inside("star", "rlnAccumMotionLate")),
    (Quantity("local", "Local motion, rms over the field", "Å", "Good: one Å or two; much more means doming or a bad fit.", 2, "high", "local"),
     inside("report", "local_rms")),
    (Quantity("hot", "Hot pixels found", "", "Good: about the same number in every movie; a jump means a new gain reference is due.", 0, "high",
              "hot pixels"), inside("report", "hot")),
))
CTF = Layout("ctf", ("ctf",), ("relion.ctffind",), ("micrographs_ctf.star",), "micrographs", "resolution", (
    (Quantity("defocus", "Defocus", "µm", "Good: spread over 0.5 to 3 µm, so that the zeros of the CTF fall on different resolutions.", 2),
     _defocus),
    (Quantity("astigmatism", "Astigmatism", "Å", "Good: under a few hundred Å; the same in all micrographs means that the microscope can be aligned.",
              0, "high"), _astigmatism),
    (Quantity("resolution", "Resolution of the fit", "Å", "Good: 3 to 6 Å. Beyond 8 Å the ice is thick, or the specimen moved.", 1, "high",
              "resolution"), inside("resolution")),
    (Quantity("merit", "Figure of merit", "", "How well the rings correlate with the fit; compare within one data set only.", 3, "low", "merit"),
     inside("merit")),
    (Quantity("ice", "Ice ring", "", "Good: near 0. The power at 3.7 Å beyond that of its surroundings: crystalline ice.", 2, "high", "ice ring"),
     inside("ice")),
    (Quantity("phase", "Phase shift", "°", "Good: between 30° and 120°, changing slowly from one micrograph to the next.", 0, "", "phase shift"),
     inside("phase_shift")),
    (Quantity("tilt", "Tilt of the specimen", "°", "Good: near that of the stage. A tilt that nobody set: a bent support.", 1, "high", "tilt"),
     inside("tilt")),
    (Quantity("thickness", "Thickness of the ice", "Å", "Good: a little more than the particle. Only where the rings reach their first node.", 0,
              "high", "thickness"), inside("thickness")),
))
PICKS = Layout("picks", ("pick ", "import coordinates"), ("relion.autopick", "relion.manualpick"),
               ("autopick.star", "manualpick.star", "coordinates.star"), "micrographs", "picks", (
    (Quantity("picks", "Particles per micrograph", "", "Good: one hump; a heap near 0 means bad micrographs, a tail of many means false picks.", 0,
              "low", "particles"), inside("picks")),
    (Quantity("threshold", "Least figure of merit", "", "Where the picker drew the line in each micrograph.", 2, "", "threshold"),
     inside("threshold")),
    (Quantity("false", "Expected false picks", "", "Good: a few percent of the picks. Judged by answers of the wrong sign.", 1, "high", "false"),
     inside("false")),
    (Quantity("signal", "Answer of a typical particle", "σ", "Good: well above 4 times the noise of the micrograph.", 1, "low", "signal"),
     inside("typical_sd")),
))
PARTICLES = Layout("particles", ("extract",), ("relion.extract",), ("particles.star",), "micrographs", "particles", (
    (Quantity("particles", "Particles per micrograph", "", "Good: one hump; a heap near 0 means bad micrographs.", 0, "low", "particles"),
     inside("particles")),
    (Quantity("sigma", "Standard deviation of the background", "", "Good: one narrow hump; outliers are thin or thick ice, or another detector "
              "setting. In the units of the micrographs, before normalisation.", 3, "high", "background σ"), inside("sigma")),
    (Quantity("flat", "Images with a flat background", "", "Good: none. They lie outside the picture.", 0, "high", "flat"), inside("flat")),
))
IMPORT = Layout("import", ("import movies", "import micrographs"), ("relion.import.movies", "relion.import.micrographs"),
                ("movies.star", "micrographs.star"), "files", "", ())
IMPORTED = Layout("particles", ("import particles",), (), ("particles.star",), "stacks", "particles", PARTICLES.quantities[:1])
LIVE = Layout("live", ("live",), (), (), "movies", "", ())
LAYOUTS = (MOTION, CTF, PICKS, PARTICLES, IMPORT, IMPORTED, LIVE)
FAINT = {"early", "late", "hot", "flat", "phase"}
"""Quantities that are left out where all of them are 0: nothing was measured, or nothing happened."""


def layout_of(job: str, relion: str) -> Layout | None:
    """By the name of the job, else by RELION's job type; None when it is no job of this sort."""
    for one in LAYOUTS:
        if any(job == name or (name.endswith(" ") and job.startswith(name)) for name in one.jobs):
            return one
    return next((one for one in LAYOUTS if not job and relion and any(relion.startswith(name) for name in one.relion)), None)
