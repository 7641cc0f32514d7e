"""Grids of orientations: HEALPix directions of one asymmetric unit times in-plane angles; finer and nearby ones."""

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
import torch
from torch import Tensor

from verglas.core.neighbours import LocalCandidates, near
from verglas.core.rotations import direction_to_vector, euler_to_matrix
from verglas.core.sphere import children as child_pixels
from verglas.core.sphere import npix, pix2ang_nest
from verglas.core.symmetry import first_of_mates, in_asymmetric_unit, operators, unit_axis


@dataclass(frozen=True, eq=False)
class Grid:
    """D directions times `psi_count` in-plane angles; rotation number = direction number * psi_count + psi number.

    `pixels` (D,) int64 are the NEST numbers, at HEALPix `order`, of the directions (rot, tilt); psi_i = i psi_step.
    """

    order: int
    symmetry: str
    pixels: np.ndarray
    psi_count: int

    @property
    def step(self) -> float:
        """Nominal angle between directions, 2 pi / (6 * 2^order) rad (60, 30, 15, 7.5, 3.75, ... degrees)."""
        return 2.0 * pi / (6 * 2**self.order)

    @property
    def psi_step(self) -> float:
        """Angle between in-plane rotations, rad."""
        return 2.0 * pi / self.psi_count

    @property
    def direction_count(self) -> int:
        return len(self.pixels)

    @property
    def rotation_count(self) -> int:
        return len(self.pixels) * self.psi_count

    @property
    def turns(self) -> int:
        """Fine rotations of one coarse one: 4 directions times 2 in-plane angles."""
        return 8


@dataclass(frozen=True)
class InPlane:
    """The orientations of 2D classification: `psi_count` in-plane angles psi_i = i psi_step of one direction."""

    psi_count: int
    direction_count: int = 1
    turns: int = 2

    @property
    def step(self) -> float:
        """rad."""
        return 2.0 * pi / self.psi_count

    @property
    def rotation_count(self) -> int:
        return self.psi_count


AnyGrid = Grid | InPlane


@lru_cache(maxsize=16)
def orientation_grid(order: int, symmetry: str) -> Grid:
    """All orientations at HEALPix `order` for a particle of point group `symmetry`, psi at the same step.

    Directions are the pixel centres in RELION's asymmetric unit, in NEST order; of directions that are mates of each
    other to within half a pixel's radius (they lie on the unit's border) only the first is kept.
    """
    pixels = np.arange(npix(order), dtype=np.int64)
    vectors = _pixel_vectors(order, pixels)
    inside = in_asymmetric_unit(symmetry, vectors)
    if not bool(inside.any()):  # a unit smaller than a pixel
        inside = vectors @ unit_axis(symmetry) >= (vectors @ unit_axis(symmetry)).max()
    pixels, vectors = pixels[inside.numpy()], vectors[inside]
    pixels = pixels[first_of_mates(vectors, operators(symmetry), 0.5 * sqrt(4.0 * pi / npix(order))).numpy()]
    pixels.setflags(write=False)
    return Grid(order, symmetry, pixels, 6 * 2**order)


def in_plane(angles: Tensor) -> Tensor:
    """Matrices (..., 3, 3) of in-plane rotations psi (rad)."""
    zero = torch.zeros_like(angles)
    return euler_to_matrix(torch.stack((zero, zero, angles), -1).reshape(-1, 3)).reshape(*angles.shape, 3, 3)


def rotations(grid: AnyGrid, indices: Tensor | None = None, perturbation: float = 0.0) -> Tensor:
    """Matrices A (R, 3, 3) float64 of the given rotation numbers (R,), or of the whole grid.

    perturbation p (in coarse steps): A <- A E(v, v, v), E the Euler matrix and v = p step, as RELION's random
    perturbation.
    """
    if indices is None:
        indices = torch.arange(grid.rotation_count)
    if isinstance(grid, InPlane):
        return in_plane((indices.double() + perturbation) * grid.step)
    return child_rotations(grid, indices_to_ids(grid, indices), 0, perturbation)


def indices_to_ids(grid: Grid, indices: Tensor) -> Tensor:
    """Grid-independent numbers NEST pixel * psi_count + psi number of rotation numbers (R,), int64."""
    pixels = torch.tensor(grid.pixels)
    direction = torch.div(indices, grid.psi_count, rounding_mode="floor")
    return pixels[direction] * grid.psi_count + indices % grid.psi_count


def child_ids(grid: Grid, indices: Tensor, oversampling: int = 1) -> Tensor:
    """Numbers (K, 8^o) int64, unique among all fine orientations, of the children of rotation numbers (K,).

    id = child pixel * (psi_count 2^o) + child psi number; children of one parent are direction-major.
    """
    parents = indices_to_ids(grid, indices.cpu()).numpy()
    pixel, psi = np.divmod(parents, grid.psi_count)
    pixel = child_pixels(pixel, oversampling)
    psi = psi[:, None] * 2**oversampling + np.arange(2**oversampling)
    ids = pixel[:, :, None] * (grid.psi_count * 2**oversampling) + psi[:, None, :]
    return torch.from_numpy(ids.reshape(len(parents), -1))


def child_rotations(grid: Grid, ids: Tensor, oversampling: int = 1, perturbation: float = 0.0) -> Tensor:
    """Matrices A (..., 3, 3) float64 of fine orientations by their `child_ids` (...).

    The direction is the centre of the child pixel; psi = i step - step/2 + (k + 1/2) step / 2^o for child k of psi i.
    The perturbation is that of the coarse grid, so that both passes use the same one.
    """
    fine = grid.psi_count * 2**oversampling
    pixel, number = np.divmod(ids.reshape(-1).cpu().numpy(), fine)
    phi, theta = pix2ang_nest(grid.order + oversampling, pixel)
    psi = ((number + 0.5) / 2**oversampling - 0.5) * grid.psi_step
    matrices = euler_to_matrix(torch.from_numpy(np.stack((phi, theta, psi), axis=1)))
    return _perturbed(matrices, grid, perturbation).reshape(*ids.shape, 3, 3)


def children(grid: AnyGrid, indices: Tensor, oversampling: int = 1, perturbation: float = 0.0) -> Tensor:
    """Matrices A (K, 8^o, 3, 3) float64 of the children of rotation numbers (K,), in the order of `child_ids`; (K, 2^o, 3, 3) in the plane."""
    if isinstance(grid, InPlane):
        part = (torch.arange(2**oversampling, dtype=torch.float64) + 0.5) / 2**oversampling - 0.5
        return in_plane((indices.double()[:, None] + part + perturbation) * grid.step)
    return child_rotations(grid, child_ids(grid, indices, oversampling), oversampling, perturbation)


def local_candidates(
    grid: Grid, centres: Tensor, sigma_direction: float, sigma_psi: float, perturbation: float, operators: Tensor
) -> LocalCandidates:
    """Orientations of the perturbed grid within 3 sigma (rad) of the prior ones, `centres` (N, 3, 3), and log priors.

    operators (S, 3, 3) are those of the grid's point group; see `neighbours.near`. The perturbed grid is compared with
    the centres as they are, so that the prior stays on the particle's last orientation.
    """
    first = rotations(grid, torch.arange(grid.direction_count) * grid.psi_count, perturbation)
    return near(first, grid.psi_count, centres, sigma_direction, sigma_psi, operators)


def directions(grid: Grid, perturbation: float = 0.0) -> Tensor:
    """Viewing directions (D, 3) float64 of the grid, row 3 of its matrices."""
    return rotations(grid, torch.arange(grid.direction_count) * grid.psi_count, perturbation)[:, 2, :]


def next_perturbation(value: float, generator: torch.Generator, factor: float = 0.5) -> float:
    """The next iteration's perturbation in coarse steps: value + U(factor/2, factor) wrapped into [-factor, factor)."""
    if factor <= 0.0:
        return 0.0
    drawn = torch.rand((), generator=generator, dtype=torch.float64, device=generator.device).item()
    moved = value + factor * (0.5 + 0.5 * drawn) + factor
    return moved - 2.0 * factor * (moved // (2.0 * factor)) - factor


def _perturbed(matrices: Tensor, grid: Grid, perturbation: float) -> Tensor:
    """A E(v, v, v) with v = perturbation * step."""
    if perturbation == 0.0:
        return matrices
    return matrices @ euler_to_matrix(torch.full((3,), perturbation * grid.step, dtype=torch.float64))


def _pixel_vectors(order: int, pixels: np.ndarray) -> Tensor:
    """(D, 3) float64 unit vectors of NEST pixels."""
    phi, theta = pix2ang_nest(order, pixels)
    return direction_to_vector(torch.from_numpy(phi), torch.from_numpy(theta))
