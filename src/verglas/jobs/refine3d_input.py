"""What a refinement reads, checked and brought to one grid: particles, pixels, starting map, mask, detector curves."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.io.mrc import MrcStack
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


@dataclass(frozen=True)
class Inputs:
    """`root`: the folder that image names are relative to; `reference` on the grid of optics group 1."""

    particles: Particles
    root: Path
    reference: Map
    mask: Map | None
    notes: tuple[str, ...]

    @property
    def box(self) -> int:
        return self.particles.optics[0].box

    @property
    def pixel_size(self) -> float:
        return self.particles.optics[0].pixel_size


def open_inputs(params: "Refine3dParams", project: Path) -> Inputs:
    """Read the tables and maps (not the images)."""
    particles = read_particles(params.particles)
    root = project_root(params.particles)
    group = particles.optics[0]
    reference, notes = fit_map(open_map(params.reference), params.reference, group.box, group.pixel_size)
    mask = None if params.mask is None else open_mask(params.mask, reference, "the particles' grid")
    return Inputs(particles, root, reference, mask, notes)


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


class StackReader:
    """Pixels of particles by row, from the stacks of one project."""

    def __init__(self, particles: Particles, root: Path) -> None:
        self.images, self.box = particles.images, particles.optics[0].box
        self.stacks = [MrcStack(root / name) for name in particles.images.stacks]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n,) -> (n, B, B) float32."""
        stack, index = self.images.stack[rows], self.images.index[rows]
        parts, places = [], []
        for number in np.unique(stack):
            where = np.flatnonzero(stack == number)
            parts.append(self.stacks[number].read(index[where]))
            places.append(where)
        out = np.empty((len(rows), *parts[0].shape[1:]), dtype=np.float32)
        for where, part in zip(places, parts):
            out[where] = part
        return out
