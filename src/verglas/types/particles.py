"""Particle images as frozen columns of N rows; slicing with `take` is the only behaviour."""

from dataclasses import dataclass, fields, replace

import numpy as np

from verglas.types.optics import OpticsGroup


@dataclass(frozen=True)
class Defocus:
    """Per-particle CTF columns, each (N,) float64. u, v in Å (underfocus positive); angle, phase_shift in radians; bfactor in Å²."""

    u: np.ndarray
    v: np.ndarray
    angle: np.ndarray
    phase_shift: np.ndarray
    bfactor: np.ndarray
    scale: np.ndarray

    def take(self, rows: np.ndarray) -> "Defocus":
        return Defocus(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class Poses:
    """angles (N, 3) float64 radians = RELION's (rot, tilt, psi); origin (N, 2) float64 Å = RELION's rlnOriginX/YAngst."""

    angles: np.ndarray
    origin: np.ndarray

    def take(self, rows: np.ndarray) -> "Poses":
        return Poses(self.angles[rows], self.origin[rows])


@dataclass(frozen=True)
class ImageRefs:
    """Where the pixels are: image i is number `index[i]` (from 0) in `stacks[stack[i]]` (paths as written in the STAR file)."""

    stacks: tuple[str, ...]
    stack: np.ndarray
    index: np.ndarray

    def take(self, rows: np.ndarray) -> "ImageRefs":
        return ImageRefs(self.stacks, self.stack[rows], self.index[rows])


@dataclass(frozen=True)
class Particles:
    """N particle images and everything known about them.

    optics[optics_index[i]] is the optics group of image i. `group` is the 0-based scale group (by rlnGroupName, else by
    micrograph) named in `group_names`. `half` is 0 (unassigned), 1 or 2. `class_number` counts from 1 (0 = none).
    `extra` holds every other column of the input file by its label without the leading underscore, so that nothing is lost on writing.
    """

    optics: tuple[OpticsGroup, ...]
    images: ImageRefs
    optics_index: np.ndarray
    group: np.ndarray
    group_names: tuple[str, ...]
    defocus: Defocus
    poses: Poses
    half: np.ndarray
    class_number: np.ndarray
    norm: np.ndarray
    extra: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.optics_index)

    def take(self, rows: np.ndarray) -> "Particles":
        """The given rows (index or boolean mask), optics and group names unchanged."""
        cols = {k: np.asarray(v)[rows] for k, v in self.extra.items()}
        return replace(
            self, images=self.images.take(rows), optics_index=self.optics_index[rows], group=self.group[rows],
            defocus=self.defocus.take(rows), poses=self.poses.take(rows), half=self.half[rows],
            class_number=self.class_number[rows], norm=self.norm[rows], extra=cols,
        )
