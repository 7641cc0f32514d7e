"""Point groups: algebra, asymmetric units (RELION's), averaging of maps."""

from math import pi

import numpy as np
import pytest
import torch

from verglas.core import symmetry as sym
from verglas.core.rotations import axis_rotation, random_rotations
from verglas.errors import InputError

GROUPS = {
    "C1": 1,
    "C2": 2,
    "C5": 5,
    "C17": 17,
    "D1": 2,
    "D2": 4,
    "D3": 6,
    "D7": 14,
    "T": 12,
    "O": 24,
    "I": 60,
    "I1": 60,
    "I2": 60,
    "I3": 60,
    "I4": 60,
}
"""Every kind of group, with its order."""


def unit_vectors(n: int, seed: int = 0) -> torch.Tensor:
    return random_rotations(n, torch.Generator().manual_seed(seed))[:, 2]


def nearest(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distance of each matrix in a to the nearest in b."""
    return (a.reshape(-1, 1, 9) - b.reshape(1, -1, 9)).norm(dim=2).amin(1)


@pytest.mark.parametrize("name", GROUPS)
def test_group_axioms(name: str) -> None:
    group = sym.operators(name)
    assert group.shape == (GROUPS[name], 3, 3) and group.dtype == torch.float64
    assert torch.equal(group[0], torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(group @ group.mT, group[:1].expand_as(group), atol=1e-14, rtol=0)
    torch.testing.assert_close(torch.linalg.det(group), torch.ones(len(group), dtype=torch.float64))
    assert nearest(torch.einsum("aij,bjk->abik", group, group), group).max() < 1e-13
    assert nearest(group.mT, group).max() < 1e-13
    distances = (group[:, None] - group[None]).flatten(2).norm(dim=2) + 9 * torch.eye(len(group))
    assert distances.min() > 0.1


@pytest.mark.parametrize(
    ("name", "axis", "order"),
    [
        ("C5", (0, 0, 1), 5), ("D7", (0, 0, 1), 7), ("D7", (1, 0, 0), 2), ("T", (0, 0, 1), 3),
        ("T", (0.0, 0.816496, 0.577350), 2), ("O", (0, 0, 1), 4), ("O", (1, 1, 1), 3),
        ("I1", (1, 0, 0), 2), ("I1", (0.850651, 0, -0.525731), 5), ("I1", (0.934172, 0.356822, 0), 3),
        ("I2", (0, 0, 1), 2), ("I2", (0.525731, 0, 0.850651), 5), ("I2", (0, 0.356822, 0.934172), 3),
        ("I3", (0, 0, 1), 5), ("I3", (-0.525731, 0, 0.850651), 2), ("I3", (-0.491123, 0.356822, 0.794654), 3),
        ("I4", (0.525731, 0, 0.850651), 2), ("I4", (0.894427, 0, 0.447214), 5),
        ("I4", (0.491123, 0.356822, 0.794654), 3),
    ],
)  # fmt: skip
def test_relions_axes(name: str, axis: tuple[float, float, float], order: int) -> None:
    assert nearest(axis_rotation(axis, 2 * pi / order)[None], sym.operators(name)).item() < 1e-5


def test_returned_operators_are_the_callers_own() -> None:
    sym.operators("C2").zero_()
    assert sym.operators("C2")[0, 0, 0] == 1


@pytest.mark.parametrize(("given", "name"), [("c1", "C1"), (" d02 ", "D2"), ("i", "I2"), ("o", "O"), ("C120", "C120")])
def test_spelling(given: str, name: str) -> None:
    assert sym.canonical(given) == name


@pytest.mark.parametrize("bad", ["", "C", "C0", "D-2", "I5", "X3", "C1.5", "C1000", "TI"])
def test_unknown_groups_are_explained(bad: str) -> None:
    with pytest.raises(InputError, match="I1, I2, I3, I4") as caught:
        sym.operators(bad)
    assert repr(bad) in caught.value.found and "C1" in caught.value.remedy


@pytest.mark.parametrize(
    ("bad", "instead"),
    [
        ("C5V", "C5"),
        ("C4H", "C4"),
        ("CS", "C1"),
        ("CI", "C1"),
        ("D2h", "D2"),
        ("TD", "T"),
        ("TH", "T"),
        ("OH", "O"),
        ("IH", "I"),
        ("I1H", "I1"),
    ],
)
def test_mirror_groups_are_explained(bad: str, instead: str) -> None:
    with pytest.raises(InputError, match="chiral") as caught:
        sym.operators(bad)
    assert caught.value.remedy.endswith(f": {instead}")


@pytest.mark.parametrize("name", GROUPS)
def test_every_orbit_meets_the_asymmetric_unit_once(name: str) -> None:
    d = unit_vectors(4000)
    orbit = torch.einsum("da,sab->dsb", d, sym.operators(name))
    inside = sym.in_asymmetric_unit(name, orbit.reshape(-1, 3)).reshape(orbit.shape[:2])
    assert (inside.sum(1) == 1).all()


@pytest.mark.parametrize("name", GROUPS)
def test_the_closed_unit_holds_at_least_one_mate_of_special_directions(name: str) -> None:
    """Directions on symmetry axes and on the borders are not lost to rounding."""
    group = sym.operators(name)
    special = torch.cat((group.reshape(-1, 3), torch.eye(3), -torch.eye(3), *_axes(group)))
    orbit = torch.einsum("da,sab->dsb", special, group)
    inside = sym.in_asymmetric_unit(name, orbit.reshape(-1, 3)).reshape(orbit.shape[:2])
    assert (inside.sum(1) >= 1).all()


def _axes(group: torch.Tensor) -> list[torch.Tensor]:
    """Rotation axes, both ways, one (1, 3) tensor each."""
    found = []
    for r in group[1:].numpy():
        value, vector = np.linalg.eig(r)
        axis = torch.tensor(np.real(vector[:, np.argmin(np.abs(value - 1))]))[None]
        found += [axis, -axis]
    return found


@pytest.mark.parametrize(("name", "n"), [("C1", 1), ("C2", 2), ("C7", 7), ("D1", 1), ("D2", 2), ("D5", 5)])
def test_relions_unit_of_cyclic_and_dihedral_groups(name: str, n: int) -> None:
    """|rot| <= 180/n for Cn; |rot - 90| <= 180/n and tilt <= 90 for Dn."""
    d = unit_vectors(5000, seed=1)
    rot = torch.atan2(d[:, 1], d[:, 0])
    middle = pi / 2 if name[0] == "D" else 0.0
    expected = torch.remainder(rot - middle + pi, 2 * pi).sub(pi).abs() <= pi / n
    if name[0] == "D":
        expected &= d[:, 2] >= 0
    assert torch.equal(sym.in_asymmetric_unit(name, d), expected)


RELION_DIRECTIONS = {
    "T": [(-0.626, 0.762, 0.167), (-0.351, 0.657, 0.667), (-0.072, 0.072, 0.995), (-0.085, 0.862, 0.500)],
    "O": [(0.355, 0.565, 0.745), (-0.072, 0.072, 0.995), (-0.574, 0.574, 0.583)],
    "I1": [(-0.9897, 0.115, -0.0855)],
    "I2": [(0.0636, 0.1317, 0.9892)],
    "I3": [(-0.742, 0.073, 0.667), (-0.440, 0.224, 0.870), (-0.188, 0.078, 0.979)],
    "I4": [(-0.9147, -0.010, 0.4041)],
}
"""Directions (or their mean) that RELION 3.1 samples for these groups at HEALPix order 3."""


@pytest.mark.parametrize("name", RELION_DIRECTIONS)
def test_relions_unit_of_polyhedral_groups(name: str) -> None:
    inside = torch.tensor(RELION_DIRECTIONS[name], dtype=torch.float64)
    inside = inside / inside.norm(dim=1, keepdim=True)
    ours = sym.in_asymmetric_unit(name, inside + 0.01 * (inside.mean(0) - inside))
    assert ours.all()


def test_first_of_mates_keeps_one_of_each_orbit() -> None:
    group = sym.operators("O")
    d = unit_vectors(40)
    many = torch.cat((d, d @ group[5], d @ group[11] + 1e-9, unit_vectors(3, seed=9)))
    keep = sym.first_of_mates(many, group, 1e-6)
    assert keep[:40].all() and not keep[40:120].any() and keep[120:].all()


def blobs(box: int, turn: torch.Tensor) -> torch.Tensor:
    """V(R x) for V a sum of Gaussians (width 1.25 voxels) near the centre; (B, B, B) [z, y, x] float64."""
    g = torch.Generator().manual_seed(4)
    centres = (torch.rand(12, 3, generator=g, dtype=torch.float64) - 0.5) * box * 0.3
    weights = torch.randn(12, generator=g, dtype=torch.float64)
    at = torch.arange(box, dtype=torch.float64) - box // 2
    z, y, x = torch.meshgrid(at, at, at, indexing="ij")
    points = torch.stack((x, y, z), dim=-1) @ turn.T
    return sum(w * torch.exp(-(points - c).square().sum(-1) / (2 * 1.25**2)) for c, w in zip(centres, weights))


@pytest.mark.parametrize(
    ("name", "box", "tolerance"),
    [
        ("C1", 24, 1e-7),
        ("D2", 32, 1e-6),
        ("O", 32, 1e-6),
        ("C3", 32, 1e-3),
        ("T", 32, 1e-3),
        ("I1", 32, 1e-3),
        ("C5", 33, 1e-3),
    ],
)
def test_symmetrised_map_is_the_average_of_turned_maps(name: str, box: int, tolerance: float) -> None:
    """Accuracy for maps with signal up to half of Nyquist; exact where voxels map onto voxels."""
    group = sym.operators(name)
    expected = sum(blobs(box, r) for r in group) / len(group)
    found = sym.symmetrise_map(blobs(box, group[0]).float(), group)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < tolerance * expected.norm()


def test_symmetrising_twice_changes_nothing_more() -> None:
    group = sym.operators("C3")
    once = sym.symmetrise_map(blobs(32, group[0]).float(), group)
    assert (sym.symmetrise_map(once, group) - once).norm() < 1e-3 * once.norm()
