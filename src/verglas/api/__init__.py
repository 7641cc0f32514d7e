"""The verbs of verglas for scripts and notebooks: `import verglas as vg`.

Maps and particles go in and come out as values; nothing is written unless a function says so. Heavy libraries are
loaded by the first call that needs them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.api.job import Job
from verglas.api.project import Project, new_project, open_project
from verglas.api.refinement import Iteration, Refinement, refine3d
from verglas.types import Map, Particles

if TYPE_CHECKING:
    import numpy as np

    from verglas.methods.mapops import MapComparison
    from verglas.methods.masking import MaskResult
    from verglas.methods.postprocess import PostprocessResult, Settings
    from verglas.methods.reconstruct import Result

__all__ = [
    "Iteration", "Job", "Map", "Particles", "Project", "Refinement", "compare_maps", "make_mask", "new_project", "open_project",
    "particle_diameter", "phantom", "postprocess", "read_map", "read_particles", "reconstruct", "refine3d", "simulate_particles", "write_map",
    "write_particles",
]


def read_particles(path: str | Path, project: str | Path | None = None) -> Particles:
    """The particles of a STAR file (RELION 3.0 to 5); image names are relative to `project`."""
    from verglas.io.particles_star import read_particles

    return read_particles(Path(path), None if project is None else Path(project))


def write_particles(path: str | Path, particles: Particles) -> None:
    """A particle STAR file with an optics table, readable by RELION 3.1 and later."""
    from verglas.io.particles_star import write_particles

    write_particles(Path(path), particles)


def read_map(path: str | Path) -> Map:
    """A cubic map: data [z, y, x] float32, pixel_size in Å."""
    from verglas.io.mrc import read_map

    return read_map(Path(path))


def write_map(path: str | Path, volume: Map) -> None:
    """An MRC file of 32-bit floats."""
    from verglas.io.mrc import write_map

    write_map(Path(path), volume)


def reconstruct(particles: str | Path, symmetry: str = "C1", *, halves: bool = True, padding: float = 2.0) -> "Result":
    """The map (`.average`), half maps (`.halves`) and their `.fsc` from the poses in a STAR file.

    Half sets are those of the file; without any, `halves` must be False.
    """
    from verglas.io.image_source import ImageSource
    from verglas.io.particles_star import project_root
    from verglas.jobs.reconstruct import row_blocks
    from verglas.jobs.refine3d_input import read_mtfs
    from verglas.methods import reconstruct as method

    table, root = read_particles(particles), project_root(particles)
    group = table.optics[0]
    grid = method.Grid(group.box, group.pixel_size, group.box // 2, padding)
    blocks = ImageSource(table, root).batches(row_blocks(table))
    sums = method.sums_of_halves(table, blocks, grid, read_mtfs(table, root)[0])
    return method.solve(sums, grid, symmetry, halves)


def make_mask(
    volume: Map, lowpass: float = 15.0, threshold: float | Literal["auto"] = "auto", extend: float = 3.0,
    soft_edge: float = 6.0,
) -> "MaskResult":
    """A soft mask (`.mask`) and what it encloses; `lowpass` in Å, `extend` and `soft_edge` in pixels."""
    from verglas.methods.masking import make_mask

    return make_mask(volume, lowpass, threshold, extend, soft_edge)


def particle_diameter(images: "np.ndarray", pixel_size: float) -> float:
    """How wide the particle in class averages or particles (K, B, B) looks, in Å; a circular mask should be a little wider."""
    from verglas.methods.masking import visible_diameter

    return visible_diameter(images, pixel_size)


def postprocess(
    half1: Map, half2: Map, mask: Map | None = None, settings: "Settings | None" = None, device: str = "cpu"
) -> "PostprocessResult":
    """FSC curves (`.curves`), `.resolution` in Å and the `.sharpened` map of two unfiltered half maps."""
    from verglas.methods.postprocess import postprocess

    return postprocess(half1, half2, mask, settings, device)


def compare_maps(one: Map, other: Map, mask: Map | None = None) -> "MapComparison":
    """FSC of two maps on one grid (`.fsc`, `.at_half` in Å) and the correlation of their voxels."""
    from verglas.methods.mapops import compare_maps

    return compare_maps(one, other, mask)


def phantom(box: int, pixel_size: float, symmetry: str = "C1", mass: float = 200.0, seed: int = 1) -> Map:
    """The map of a made-up protein; `pixel_size` in Å, `mass` in kDa."""
    from verglas.methods import simulate

    return simulate.phantom(box, pixel_size, symmetry, mass, seed)


def simulate_particles(
    volume: Map, number: int, folder: str | Path, *, snr: float = 0.05, offset_sd: float = 7.0, seed: int = 0
) -> Particles:
    """Images of a map in random poses under random CTFs, and the truth about them.

    Writes particles.mrcs, particles.star (without poses) and truth.star into `folder`; `snr` is the variance of the
    signal over that of the white noise, `offset_sd` the spread of the origins in Å.
    """
    from verglas.jobs.simulate_particles import write_stacks
    from verglas.methods import simulate

    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True)
    optics = simulate.optics_group(volume.pixel_size, volume.box)
    plan = simulate.Design(number, (optics,), simulate.UniformPoses(offset_sd), stack=str(place / "particles"), seed=seed)
    truth = simulate.design(plan)
    for _ in write_stacks(simulate.images(volume, truth, simulate.WhiteNoise(snr), seed), truth, place, "float32"):
        pass
    write_particles(place / "truth.star", truth)
    write_particles(place / "particles.star", simulate.blind(truth))
    return truth
