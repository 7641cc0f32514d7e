"""From the sums of both halves to maps and their Fourier shell correlation."""

from dataclasses import dataclass

import numpy as np

from verglas.core import fsc as shell_correlation
from verglas.core import reconstruct
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
    """V = data / weight after summing over the point group; no prior (RELION's unfiltered maps). Uses up the sums."""
    parts = [sums for sums in (halves.one, halves.two, halves.rest) if sums is not None]
    for sums in parts:
        reconstruct.complete(sums, operators(symmetry))
    maps = [Map(reconstruct.solve(sums).cpu().numpy(), grid.pixel_size) for sums in parts[:2]] if with_halves else []
    for sums in parts[1:]:
        reconstruct.add(parts[0], sums)
    average = Map(reconstruct.solve(parts[0]).cpu().numpy(), grid.pixel_size)
    if not with_halves:
        return Result(average, None, None)
    return Result(average, (maps[0], maps[1]), map_fsc(*maps))


def map_fsc(one: Map, two: Map) -> np.ndarray:
    """FSC (S,) of two maps, shells 0 .. B//2."""
    import torch

    curve = shell_correlation.fsc(torch.from_numpy(np.array(one.data)), torch.from_numpy(np.array(two.data)))
    return np.asarray(curve.double())
