"""Which frames of a point group are the same, and a grid of those that are not.

A frame R turns the standard axes of the group into those of a map: V'(x) = V(R x). R and R n give the same axes for every n of the
normaliser of the group among the rotations: the group itself for O and I, O for T and D2, D2n for Dn, and for Cn all turns about its
axis and those that reverse it.
"""

from math import pi

import torch
from torch import Tensor

from verglas.core.rotations import axis_rotation
from verglas.core.sampling import directions, orientation_grid, rotations
from verglas.core.symmetry import canonical, operators
from verglas.methods.align.search import ORDER


def _main_axis(symmetry: str) -> Tensor | None:
    """The axis of a group with only one (Cn, D1), about which the frame may be turned freely; None for the others."""
    name = canonical(symmetry)
    axis = (1.0, 0.0, 0.0) if name == "D1" else (0.0, 0.0, 1.0)
    return torch.tensor(axis, dtype=torch.float64) if name[0] == "C" or name == "D1" else None


def free_directions(symmetry: str) -> Tensor:
    """(2 or 3, 3) unit vectors of the new frame about which turning, and along which moving, makes a difference."""
    axis = _main_axis(symmetry)
    eye = torch.eye(3, dtype=torch.float64)
    return eye if axis is None else eye[(eye @ axis) == 0]


def equivalents(symmetry: str) -> Tensor:
    """The normaliser of the group among the rotations (N, 3, 3); for groups with one axis, in steps of 10 degrees about it."""
    name, axis = canonical(symmetry), _main_axis(symmetry)
    if axis is not None:
        about = axis_rotation(axis, torch.arange(36, dtype=torch.float64) * (pi / 18))
        return torch.cat((about, about @ axis_rotation(axis.roll(1), pi)))
    group = operators(_larger(name))
    return torch.cat((group, group @ axis_rotation((0.0, 2.0**0.5, 1.0), pi / 2))) if name == "T" else group


def _larger(name: str) -> str:
    """The normaliser where it has a name and its axes are those of the group."""
    return name if name[0] != "D" else "O" if name == "D2" else f"D{2 * int(name[1:])}"


def frames(symmetry: str) -> Tensor:
    """Rotations (K, 3, 3) float64, at 7.5 degrees, of which one is near some equivalent of every frame."""
    axis, name = _main_axis(symmetry), canonical(symmetry)
    if axis is not None:
        sphere = directions(orientation_grid(ORDER + 1, "C1"))
        return torch.stack([_shortest_arc(axis, d) for d in sphere[sphere @ axis >= -1e-9]])
    return rotations(orientation_grid(ORDER, _larger(name)))


def least_turn(symmetry: str, rotation: Tensor) -> Tensor:
    """Of all equivalent frames the one with the smallest angle of rotation."""
    axis = _main_axis(symmetry)
    if axis is not None:
        now = rotation @ axis
        return _shortest_arc(axis, now if float(now @ axis) >= 0 else -now)
    same = rotation @ equivalents(symmetry)
    return same[int(same.diagonal(dim1=1, dim2=2).sum(1).argmax())]


def _shortest_arc(start: Tensor, end: Tensor) -> Tensor:
    """The rotation (3, 3) with the smallest angle that takes one unit vector to another, not to its opposite."""
    normal = torch.linalg.cross(start, end)
    sine = torch.linalg.vector_norm(normal)
    if float(sine) < 1e-12:
        return torch.eye(3, dtype=torch.float64)
    return axis_rotation(normal, torch.atan2(sine, start @ end))
