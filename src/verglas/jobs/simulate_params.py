"""The options of simulate particles, and what follows from them: image size, number, source."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.doors import open_map
from verglas.jobs.spec import JobParams, option

if TYPE_CHECKING:
    import gemmi

    from verglas.types import Map


class SimulateParams(JobParams):
    """Options of `verglas simulate particles`."""

    map: Path | None = option(None, help="Source: a map (MRC).")
    model: Path | None = option(None, help="Source: an atomic model (mmCIF or PDB).")
    phantom: bool = option(False, help="Source: the built-in made-up protein.")
    symmetry: str = option("C1", help="Point group of the phantom.")
    mass: float = option(200.0, help="Mass of the phantom.", unit="kDa", gt=1, le=20000)
    phantom_seed: int = option(1, help="Another seed, another molecule.", ge=0, le=2**31 - 1, level="advanced")
    atom_b_factor: float | None = option(None, help="Replaces the B-factors of the model.", unit="Å²", ge=0, le=1000)
    number: int | None = option(None, help="Particles; with --poses as many as there are poses.", ge=1, le=10**8)
    box: int | None = option(None, help="Box of the images, even; default that of the map.", unit="px", ge=8, le=4096)
    pixel_size: float | None = option(None, help="Pixel of the images; default that of the map.", unit="Å", gt=0, le=50)
    snr: float = option(0.05, help="Variance of the signal over that of the noise.", gt=0, le=1000)
    noise: str = option("white", help="Its spectrum; none: exact images.", choices=("white", "coloured", "none"))
    poses: Path | None = option(None, help="Angles and origins from this STAR file instead of random ones.")
    offset_sd: float = option(7.0, help="Standard deviation of the particles' origins.", unit="Å", ge=0, le=200)
    defocus_min: float = option(8000.0, help="Least mean defocus of a micrograph.", unit="Å", ge=-100000, le=200000)
    defocus_max: float = option(22000.0, help="Largest mean defocus of a micrograph.", unit="Å", ge=-100000, le=200000)
    defocus_sd: float = option(150.0, help="Spread within a micrograph.", unit="Å", ge=0, le=10000)
    astigmatism_max: float = option(600.0, help="Largest difference of the two defoci.", unit="Å", ge=0, le=20000)
    phase_shift: float = option(0.0, help="Phase plate.", unit="degrees", ge=0, le=180, level="advanced")
    voltage: float = option(200.0, help="Acceleration voltage.", unit="kV", gt=10, le=1000)
    cs: float = option(1.4, help="Spherical aberration.", unit="mm", ge=0, le=10)
    amplitude_contrast: float = option(0.1, help="Amplitude contrast.", ge=0, le=1)
    per_micrograph: int = option(100, help="Particles of one micrograph (scale group).", ge=1, le=100000)
    optics_groups: int = option(1, help="Optics groups, one stack for each.", ge=1, le=1000, level="advanced")
    float16: bool = option(False, help="Write the images with 16 bits (MRC mode 12).", level="advanced")


def image_size(params: SimulateParams) -> tuple[int, float]:
    """(box, pixel in Å) of the images, from the options or the map."""
    box, pixel = params.box, params.pixel_size
    if params.map is not None:
        source = open_map(params.map)
        return box or source.box, pixel or source.pixel_size
    if box is None or pixel is None:
        raise InputError("--box and --pixel-size are needed without a map", remedy="give both")
    return box, pixel


def particle_number(params: SimulateParams) -> int:
    """--number, or the number of given poses."""
    from verglas.io.particles_star import read_particles

    if params.poses is None:
        if params.number is None:
            raise InputError("--number is required: how many particles", remedy="give --number or --poses")
        return params.number
    given = len(read_particles(params.poses))
    if params.number not in (None, given):
        raise InputError(f"{given} poses for --number {params.number}", where=str(params.poses), remedy="drop --number")
    return given


def read_model(path: Path) -> "gemmi.Structure":
    """The structure in an mmCIF or PDB file (gemmi)."""
    import gemmi

    try:
        structure = gemmi.read_structure(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"not an atomic model: {error}", where=str(path), remedy="give mmCIF or PDB") from error
    if not len(structure) or not any(True for _ in structure[0].all()):
        raise InputError("no atoms in this file", where=str(path), remedy="give another mmCIF or PDB file")
    return structure


def source_map(params: SimulateParams) -> "Map":
    """The density that is imaged, on the grid of the images where it is made here."""
    from verglas.io.mrc import read_map
    from verglas.methods import simulate

    box, pixel = image_size(params)
    if params.map is not None:
        return read_map(params.map)
    if params.model is not None:
        return simulate.density(simulate.atoms_of(read_model(params.model), params.atom_b_factor), box, pixel)
    return simulate.phantom(box, pixel, params.symmetry, params.mass, params.phantom_seed)
