"""What a refinement reads, brought to one grid: particles, pixels, starting map, mask, detector curves."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.image_check import validate_images
from verglas.io.mtf import read_mtf
from verglas.io.particles_star import project_root, read_particles
from verglas.jobs.doors import open_map, open_mask
from verglas.types import Map, Particles

if TYPE_CHECKING:
    from verglas.jobs.refine3d import Refine3dParams
    from verglas.methods.refine.plan import Plan

DIAMETER_SHARE = 0.9
"""Of the box, when no mask diameter is given."""
SAME_PIXEL = 1e-3
"""Å; pixel sizes closer than this are the same (headers round)."""
Mtf = tuple[np.ndarray, np.ndarray]
"""(frequency in 1/detector pixel, value)."""


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """`root`: the folder that image names are relative to; `mtf`: one for each optics group; `stacks`: the image files."""

    particles: Particles
    root: Path
    mtf: tuple[Mtf | None, ...]
    stacks: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def box(self) -> int:
        return self.particles.optics[0].box

    @property
    def pixel_size(self) -> float:
        return self.particles.optics[0].pixel_size


@dataclass(frozen=True, kw_only=True)
class Inputs(ImageInputs):
    """`reference`, `mask`: on the grid of optics group 1; `notes` and `warnings` are for the user."""

    reference: Map
    mask: Map | None


def open_images(path: Path) -> ImageInputs:
    """Read a particle table and the headers of its stacks."""
    particles = read_particles(path)
    root = project_root(path)
    warnings = validate_images(particles, root, str(path))
    mtf, missing = read_mtfs(particles, root)
    stacks = tuple(root / name for name in particles.images.stacks)
    return ImageInputs(particles=particles, root=root, mtf=mtf, stacks=stacks, warnings=(*warnings, *missing))


def open_inputs(params: "Refine3dParams") -> Inputs:
    """Read tables, headers and maps (no images)."""
    images = open_images(params.particles)
    reference, notes = fit_map(open_map(params.reference), params.reference, images.box, images.pixel_size)
    mask = None if params.mask is None else open_mask(params.mask, reference, "the particles' grid")
    return Inputs(**{**vars(images), "notes": notes}, reference=reference, mask=mask)


def fit_map(volume: Map, path: Path, box: int, pixel: float) -> tuple[Map, tuple[str, ...]]:
    """The map on `box` voxels of `pixel` Å, and a sentence when it had to be resampled."""
    if volume.box == box and abs(volume.pixel_size - pixel) < SAME_PIXEL:
        return replace(volume, pixel_size=pixel), ()
    import torch

    from verglas.core.resample import resample

    data = resample(torch.from_numpy(np.array(volume.data)), volume.pixel_size, pixel, box).numpy()
    note = (f"{path.name}: resampled from {volume.box} px of {volume.pixel_size:.4f} Å to {box} px of {pixel:.4f} Å, "
            "the grid of the particles")
    return Map(np.ascontiguousarray(data, dtype=np.float32), pixel), (note,)


def read_mtfs(particles: Particles, root: Path) -> tuple[tuple[Mtf | None, ...], tuple[str, ...]]:
    """The detector curve of every optics group that names one; a sentence for each file that is not there."""
    curves: list[Mtf | None] = []
    missing = []
    for group in particles.optics:
        path = root / group.mtf_file
        if group.mtf_file and not path.is_file():
            missing.append(f"the MTF file {group.mtf_file} of optics group {group.name} is not in {root}: no MTF correction")
        curves.append(read_mtf(path) if group.mtf_file and path.is_file() else None)
    return tuple(curves), tuple(missing)


def make_plan(params: "Refine3dParams", box: int, pixel: float, seed: int) -> "Plan":
    """The options in Å and radians."""
    from verglas.methods.refine.plan import Plan

    return Plan(
        symmetry=params.symmetry, diameter=params.mask_diameter or DIAMETER_SHARE * box * pixel,
        initial_lowpass=params.initial_lowpass, absolute_greyscale=params.absolute_greyscale,
        healpix_order=params.healpix_order, local_from_order=params.local_from_order,
        offset_range=params.offset_range * pixel, offset_step=params.offset_step * pixel,
        solvent_corrected=params.solvent_corrected_fsc, join=params.low_resolution_join,
        max_iterations=params.max_iterations, padding=params.padding, correct_norm=params.norm_correction,
        correct_scale=params.scale_correction, intact_first_peak=params.intact_first_peak, seed=seed,
    )
