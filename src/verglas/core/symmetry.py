"""Point groups of chiral molecules with RELION's axes: operators, asymmetric units, averaging of maps.

An operator R (3, 3) moves object coordinates so that V(R x) = V(x); the poses A and A R are then indistinguishable,
and the viewing directions d (row 3 of A) and R^T d too. A group is the closure of the rotations of `_GENERATORS`.
"""

import re
from functools import lru_cache
from math import cos, pi, sin, sqrt

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from verglas.core.rotations import axis_rotation
from verglas.core.turn import spline_coefficients, turned
from verglas.errors import InputError

Axis = tuple[float, float, float]

_PHI = (1.0 + sqrt(5.0)) / 2.0
_COS53, _SIN53 = sqrt((5.0 + 2.0 * sqrt(5.0)) / 15.0), sqrt((10.0 - 2.0 * sqrt(5.0)) / 15.0)
_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

_GENERATORS: dict[str, tuple[tuple[Axis, int], ...]] = {
    "T": ((_Z, 3), ((0.0, sqrt(2.0), 1.0), 2)),
    "O": ((_Z, 4), ((1.0, 1.0, 1.0), 3)),
    "I1": ((_X, 2), ((_PHI, 0.0, -1.0), 5), ((_PHI**2, 1.0, 0.0), 3)),
    "I2": ((_Z, 2), ((1.0, 0.0, _PHI), 5), ((0.0, 1.0, _PHI**2), 3)),
    "I3": ((_Z, 5), ((-1.0, 0.0, _PHI), 2), ((-_SIN53 * cos(pi / 5), _SIN53 * sin(pi / 5), _COS53), 3)),
    "I4": (((1.0, 0.0, _PHI), 2), ((2.0, 0.0, 1.0), 5), ((_SIN53 * cos(pi / 5), _SIN53 * sin(pi / 5), _COS53), 3)),
}
"""(axis, order) as RELION lists them, with exact instead of rounded axes; Cn is z n, Dn is z n and x 2."""

_UNIT_AXES: dict[str, tuple[Axis, Axis]] = {
    "T": ((0.0, sqrt(2.0), 1.0), (-sqrt(6.0), sqrt(2.0), 1.0)),
    "O": (_Z, _Y),
    "I1": ((-1.0, 0.0, 0.0), (-(_PHI**2), 1.0, 0.0)),
    "I2": (_Z, (0.0, 1.0, _PHI**2)),
    "I3": ((-1.0, 0.0, _PHI), (-_SIN53 * cos(pi / 5), _SIN53 * sin(pi / 5), _COS53)),
    "I4": ((-_PHI, 0.0, 1.0), (-2.0 * _PHI**2, 0.0, 1.0)),
}
"""For `in_asymmetric_unit`: a two-fold axis (z for O) and the axis towards which the cell around it is kept."""

_UNDERSTOOD = "C1, Cn, Dn (n a whole number from 1), T, O, I (the same as I2), I1, I2, I3, I4"
_MIRRORED = re.compile(r"C[ISVH]|[CD]\d+[VH]|[TOI]\d?[DVH]")


def canonical(symbol: str) -> str:
    """The name of a point group in one spelling ("i" -> "I2", "c04" -> "C4"); InputError when it is not one we know."""
    name = symbol.strip().upper()
    cyclic = re.fullmatch(r"([CD])0*([1-9]\d{0,2})", name)
    if cyclic:
        return "".join(cyclic.groups())
    name = "I2" if name == "I" else name
    if name in _GENERATORS:
        return name
    if _MIRRORED.fullmatch(name):
        raise InputError(
            f"symmetry {symbol!r} has mirrors or inversion, which no chiral molecule has; expected {_UNDERSTOOD}",
            remedy=f"use its rotations only: {_rotation_part(name)}",
        )
    raise InputError(
        f"symmetry {symbol!r} is not a point group verglas knows; expected one of {_UNDERSTOOD}",
        remedy="give one of these names; use C1 if the particle has no symmetry",
    )


def _rotation_part(name: str) -> str:
    """The chiral point group inside one with mirrors: C5V -> C5, TD -> T, IH -> I, CS -> C1."""
    return "C1" if name in ("CI", "CS", "CV", "CH") else name[:-1]


def operators(symbol: str) -> Tensor:
    """All rotations of the group, (S, 3, 3) float64, the identity first, closed under products and inverses."""
    return _closure(canonical(symbol)).clone()


def in_asymmetric_unit(symbol: str, directions: Tensor) -> Tensor:
    """Which unit vectors d (D, 3) lie in the closed asymmetric unit of viewing directions -> (D,) bool.

    The unit is where d is, among its symmetry mates R d, the nearest to a first axis c1, and among the mates under the
    rotations that keep c1, the nearest to c2. Every orbit meets it once, or more than once on its border only. The axes
    are chosen such that the unit is RELION's: |rot| <= pi/n for Cn, |rot - pi/2| <= pi/n and tilt <= pi/2 for Dn.
    """
    group = _closure(canonical(symbol)).to(directions)
    keep = torch.ones(directions.shape[0], dtype=torch.bool, device=directions.device)
    for axis in _unit_axes(canonical(symbol)):
        c = torch.tensor(axis, dtype=directions.dtype, device=directions.device)
        c = c / torch.linalg.vector_norm(c)
        mates = c @ group
        keep &= directions @ c >= (directions @ mates.T).amax(1) - 1e-9
        group = group[torch.linalg.vector_norm(mates - c, dim=1) < 1e-6]
    return keep


def unit_axis(symbol: str) -> Tensor:
    """(3,) float64, the unit vector c1 at or on the border of the asymmetric unit (see `in_asymmetric_unit`)."""
    axis = torch.tensor(_unit_axes(canonical(symbol))[0], dtype=torch.float64)
    return axis / torch.linalg.vector_norm(axis)


def first_of_mates(directions: Tensor, group: Tensor, angle: float) -> Tensor:
    """(D,) bool: False for unit vectors (D, 3) within `angle` rad of a symmetry mate of an earlier one that is kept."""
    keep = np.ones(len(directions), dtype=bool)
    tree, reach = cKDTree(directions.numpy()), 2.0 * np.sin(min(angle, pi) / 2.0)
    close = [
        tree.sparse_distance_matrix(cKDTree((directions @ g).numpy()), reach, output_type="ndarray") for g in group[1:]
    ]
    pairs = sorted({(int(i), int(j)) for found in close for i, j in zip(found["i"], found["j"]) if i < j})
    for i, j in pairs:
        if keep[i]:
            keep[j] = False
    return torch.from_numpy(keep)


def _unit_axes(name: str) -> tuple[Axis, ...]:
    """The axes c1, c2 of `in_asymmetric_unit`; c2 has trivial stabiliser among the rotations about c1."""
    if name[0] == "C":
        return (_X,)
    if name[0] == "D":
        return (_Z, _Y)
    return _UNIT_AXES[name]


def symmetrise_map(data: Tensor, operators: Tensor) -> Tensor:
    """The average (1/S) sum_s V(R_s x) of a map (B, B, B) [z, y, x] about voxel B // 2, over a group R (S, 3, 3).

    Rotations that map voxels onto voxels are exact (periodic at the faces of an even box); for the rest, cubic splines
    on the map upsampled twice by Fourier padding (errors below 2e-3 of the signal in shells up to 3/4 of Nyquist), and
    0 outside the box.
    """
    group = operators.to("cpu", torch.float64).numpy()
    exact = group[np.abs(group - np.round(group)).max((1, 2)) < 1e-6].round()
    volume = data.to("cpu", torch.float32)
    total = np.zeros(volume.shape, dtype=np.float64)
    turns = _coset_representatives(group, exact)
    coefficients = spline_coefficients(volume) if len(turns) > 1 else None
    for turn in turns:
        total += volume.numpy() if coefficients is None or turn is turns[0] else turned(coefficients, turn)
    average = sum(_turned_exactly(total, turn) for turn in exact) / len(group)
    return torch.as_tensor(average).to(data)


def _coset_representatives(group: np.ndarray, subgroup: np.ndarray) -> list[np.ndarray]:
    """Rotations c, the identity first, such that the products c l with l in `subgroup` are the group, each once."""
    chosen: list[np.ndarray] = []
    for operator in group:
        known = any(np.abs(c.T @ operator - l).max() < 1e-6 for c in chosen for l in subgroup)
        if not known:
            chosen.append(operator)
    return chosen


def _turned_exactly(volume: np.ndarray, operator: np.ndarray) -> np.ndarray:
    """V(R x) for a signed permutation R, by indexing (B, B, B) periodically."""
    box = len(volume)
    index = []
    for row in operator[::-1]:
        column = int(np.abs(row).argmax())
        shape = [1, 1, 1]
        shape[2 - column] = box
        index.append(((box // 2 + row[column] * (np.arange(box) - box // 2)) % box).astype(np.int64).reshape(shape))
    return volume[index[0], index[1], index[2]]


@lru_cache(maxsize=32)
def _closure(name: str) -> Tensor:
    """Products of the generators until nothing new appears, (S, 3, 3) float64."""
    if name[0] in "CD":
        generators: tuple[tuple[Axis, int], ...] = ((_Z, int(name[1:])),) + (((_X, 2),) if name[0] == "D" else ())
    else:
        generators = _GENERATORS[name]
    group = torch.eye(3, dtype=torch.float64)[None]
    for axis, order in generators:
        turns = torch.arange(order, dtype=torch.float64) * (2.0 * pi / order)
        group = _distinct(torch.einsum("aij,bjk->abik", group, axis_rotation(axis, turns)).reshape(-1, 3, 3))
    while name in _GENERATORS:
        larger = _distinct(torch.einsum("aij,bjk->abik", group, group).reshape(-1, 3, 3))
        if len(larger) == len(group):
            break
        group = larger
    return group


def _distinct(matrices: Tensor) -> Tensor:
    """The matrices (M, 3, 3) without repetitions (to 1e-6), in order of first appearance, made exactly orthonormal."""
    flat = matrices.reshape(-1, 9)
    same = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist") < 1e-6
    first = same.to(torch.uint8).argmax(1) == torch.arange(len(matrices))
    u, _, vh = torch.linalg.svd(matrices[first])
    return u @ vh
