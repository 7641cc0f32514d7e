"""From the sums of both halves to maps and their Fourier shell correlation."""

from dataclasses import dataclass

import numpy as np

from verglas.core import fsc as shell_correlation
from verglas.core import reconstruct
from verglas.core.reconstruct import Sums
from verglas.core.symmetry import operators
from verglas.methods.reconstruct.backproject import Grid, Halves
from verglas.types import Map


@dataclass(frozen=True)
class Result:
    """`average` of all particles; `halves` and `fsc` (S,) of the two half maps, when both have particles."""

    average: Map
    halves: tuple[Map, Map] | None
    fsc: np.ndarray | None


def solve(halves: Halves, grid: Grid, symmetry: str, with_halves: bool) -> Result:
    """V = data / weight after summing over the point group; no prior (RELION's unfiltered maps)."""
    average = _map(halves.all, grid, symmetry)
    if not with_halves:
        return Result(average, None, None)
    one, two = (_map(sums, grid, symmetry) for sums in (halves.one, halves.two))
    return Result(average, (one, two), map_fsc(one, two))


def map_fsc(one: Map, two: Map) -> np.ndarray:
    """FSC (S,) of two maps, shells 0 .. B//2."""
    import torch

    curve = shell_correlation.fsc(torch.from_numpy(np.array(one.data)), torch.from_numpy(np.array(two.data)))
    return np.asarray(curve.double())


def _map(sums: Sums, grid: Grid, symmetry: str) -> Map:
    whole = reconstruct.symmetrise(reconstruct.hermitian(sums), operators(symmetry))
    return Map(reconstruct.solve(whole, None).cpu().numpy(), grid.pixel_size)
