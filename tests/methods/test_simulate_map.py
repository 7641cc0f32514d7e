"""Atoms, the phantom, and the maps of them."""

import gemmi
import mrcfile
import numpy as np
import pytest

from verglas.core.rotations import random_rotations
from verglas.errors import InputError
from verglas.methods.mapops import compare_maps, crop, flip_hand, map_info, symmetrise
from verglas.methods.simulate import Atoms, atoms_of, density, phantom, phantom_atoms
from verglas.methods.simulate.phantom import CLASH
from verglas.methods.simulate.secondary import RISE, helix, sheet
from verglas.testing.data import shared_data
from verglas.types import Map


def torsion(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Dihedral angle in degrees (IUPAC sign)."""
    u, v, w = b - a, c - b, d - c
    m, n = np.cross(u, v), np.cross(v, w)
    return float(np.degrees(np.arctan2(np.linalg.norm(v) * (u @ n), m @ n)))


def test_helix_is_right_handed_alpha() -> None:
    """C-alphas of the alpha helix: 3.8 Å apart, torsion +50 degrees, 1.5 Å rise; covalent backbone distances."""
    body = helix(14, np.random.default_rng(0))
    ca = body.alphas
    np.testing.assert_allclose(np.linalg.norm(np.diff(ca, axis=0), axis=1), 3.8, atol=0.05)
    assert torsion(*ca[:4]) == pytest.approx(50, abs=2)
    np.testing.assert_allclose(np.diff(ca[:, 2]), RISE)
    n, c = body.atoms[0], body.atoms[2]
    assert np.linalg.norm(n - body.atoms[1]) == pytest.approx(1.47, abs=0.15)
    assert np.linalg.norm(c - body.atoms[1]) == pytest.approx(1.53, abs=0.15)


def test_sheet_has_its_spacings() -> None:
    body = sheet(3, 6, np.random.default_rng(0))
    ca = body.alphas.reshape(3, 6, 3)
    assert np.linalg.norm(np.diff(ca, axis=1), axis=2).mean() == pytest.approx(3.8, abs=0.15)
    np.testing.assert_allclose(np.diff(ca[:, 0, 0]), 4.8)


def test_density_of_one_atom() -> None:
    """An atom at (x, y, z) Å makes a peak at voxel B//2 + (x, y, z) / a, with the same total at any pixel size."""
    one = Atoms(np.array([[6.0, -3.0, 9.0]]), np.array(["C"]), np.array([40.0]))
    a, b = density(one, 32, 1.5), density(one, 16, 3.0)
    z, y, x = np.unravel_index(a.data.argmax(), a.data.shape)
    assert (x, y, z) == (16 + 4, 16 - 2, 16 + 6)
    z, y, x = np.unravel_index(b.data.argmax(), b.data.shape)
    assert (x, y, z) == (8 + 2, 8 - 1, 8 + 3)
    assert a.data.sum() * 1.5**3 == pytest.approx(b.data.sum() * 3.0**3, rel=1e-3)


def test_blur_of_the_map_is_the_b_factor_of_the_atoms() -> None:
    import torch

    from verglas.core.filters import bfactor

    atoms = [Atoms(np.array([[1.0, 2.0, -4.0]]), np.array(["O"]), np.array([b])) for b in (150.0, 230.0)]
    sharp, soft = (density(a, 24, 2.0) for a in atoms)
    blurred = bfactor(torch.from_numpy(sharp.data), 2.0, 80.0).numpy()
    assert np.abs(blurred - soft.data).max() < 0.02 * soft.data.max()


@pytest.fixture(scope="module")
def c1() -> Atoms:
    return phantom_atoms("C1", 60.0)


def test_phantom_has_its_mass_and_is_reproducible(c1: Atoms) -> None:
    assert c1.kilodalton == pytest.approx(60, rel=0.15)
    assert np.abs(c1.positions.mean(0)).max() < 1e-6
    assert np.array_equal(c1.positions, phantom_atoms("C1", 60.0).positions)
    assert not np.array_equal(c1.positions, phantom_atoms("C1", 60.0, seed=2).positions)


@pytest.mark.parametrize("symbol", ["C3", "D2", "T"])
def test_phantom_has_its_symmetry_and_no_clashes(symbol: str) -> None:
    atoms = phantom_atoms(symbol, 80.0)
    assert atoms.kilodalton == pytest.approx(80, rel=0.2)
    volume = density(atoms, 2 * int(atoms.diameter / 0.85 / 8) + 2, 4.0)
    same = symmetrise(volume, symbol)
    inside = map_info(volume)
    assert np.corrcoef(same.data.ravel(), volume.data.ravel())[0, 1] > 0.99
    assert inside.contrast == "bright" and CLASH > 5


def test_phantom_is_chiral_and_anisotropic(c1: Atoms) -> None:
    """Nor its mirror image nor other views look like it: the mirror of the atoms fits in none of many orientations."""
    w = np.linalg.eigvalsh(np.cov(c1.positions.T))
    assert w[2] > 1.15 * w[1] > 1.15 * 1.15 * w[0]
    axes = np.linalg.eigh(np.cov(c1.positions.T))[1]
    aligned = c1.positions @ axes
    volume = density(Atoms(aligned, c1.elements, c1.bfactor), 40, 3.5)
    best = 0.0
    for sign in ((-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)):
        other = density(Atoms(aligned * sign, c1.elements, c1.bfactor), 40, 3.5)
        best = max(best, float(np.interp(8.0, *_fsc_line(volume, other))))
    assert best < 0.3


def _fsc_line(a: Map, b: Map) -> tuple[np.ndarray, np.ndarray]:
    c = compare_maps(a, b)
    return c.resolution[:0:-1], c.fsc[:0:-1]


def test_phantom_map_reaches_fine_detail(c1: Atoms) -> None:
    """At 5 Å there is the power of a protein: helices leave a peak there, above the decay of the B-factor."""
    volume = density(c1, 72, 1.8)
    import torch

    from verglas.core.shells import shell_index, shell_mean

    power = shell_mean(torch.fft.rfftn(torch.from_numpy(volume.data)).abs() ** 2, shell_index(72), 37).numpy()
    at = {d: power[round(72 * 1.8 / d)] for d in (5.0, 7.5)}
    assert at[5.0] > 0.3 * at[7.5]


def test_phantom_needs_a_box() -> None:
    with pytest.raises(InputError, match="wide"):
        phantom(20, 3.0, "C1", 60.0)
    assert phantom(40, 4.0, "C1", 60.0).box == 40


def test_model_keeps_its_axes() -> None:
    """Beta-galactosidase (5a1a): 465 kDa, D2 on the axes, and a map like the one sampled without band limit."""
    structure = gemmi.read_structure(str(shared_data("models/5a1a.cif")))
    atoms = atoms_of(structure, 60.0)
    assert atoms.kilodalton == pytest.approx(465, rel=0.02)
    volume = density(atoms, 64, 3.54)
    assert np.corrcoef(symmetrise(volume, "D2").data.ravel(), volume.data.ravel())[0, 1] > 0.9999
    known = Map(mrcfile.read(shared_data("sim-bgal64/bgal64.mrc")).astype(np.float32), 3.54)
    comparison = compare_maps(volume, known)
    assert comparison.fsc[:16].min() > 0.97 and comparison.correlation > 0.93
    assert flip_hand(volume).box == 64 and crop(volume, 60).box == 60
    assert len(atoms_of(structure)) == len(atoms) and random_rotations is not None
