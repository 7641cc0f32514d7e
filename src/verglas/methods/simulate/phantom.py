"""A made-up protein: helices and sheets packed into a globule, chiral, with any point group."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from verglas.core.rotations import random_rotations
from verglas.core.symmetry import operators
from verglas.errors import InputError
from verglas.methods.simulate.atoms import Atoms, density
from verglas.methods.simulate.secondary import Body, helix, sheet
from verglas.types import Map

RESIDUE_DALTON = 110.0
CLASH = 5.5
"""Å; C-alphas of different pieces stay at least this far apart."""
PACKING = 200.0
"""Å^3 of globule per residue while pieces are being placed."""
CANDIDATES = 300
SHAPE = np.array([1.3, 1.0, 0.8])
"""Semi-axes of the globule relative to their mean, so that no direction looks like another."""
BFACTOR = 60.0


def phantom(box: int, pixel: float, symmetry: str = "C1", kilodalton: float = 200.0, seed: int = 1) -> Map:
    """The map of `phantom_atoms` in a box of `box`^3 voxels of `pixel` Å, which must hold it with room to spare."""
    atoms = phantom_atoms(symmetry, kilodalton, seed)
    if atoms.diameter > 0.9 * box * pixel:
        raise InputError(
            f"the phantom is {atoms.diameter:.0f} Å wide and the box {box * pixel:.0f} Å; it must be at least "
            f"{atoms.diameter / 0.9:.0f} Å", where="phantom", remedy="use a larger box or pixel, or less mass",
        )
    return density(atoms, box, pixel)


def phantom_atoms(symmetry: str = "C1", kilodalton: float = 200.0, seed: int = 1) -> Atoms:
    """About `kilodalton` kDa of helices (three quarters) and sheets, with the copies of the point group.

    Each piece goes to the free place nearest to the centre among random ones; the same seed gives the same molecule.
    """
    rng = np.random.default_rng(seed)
    group = operators(symmetry).numpy()
    residues = max(24, round(1000 * kilodalton / RESIDUE_DALTON / len(group)))
    site = _Site(group, (residues * len(group) * PACKING * 3 / (4 * np.pi)) ** (1 / 3))
    placed: list[Body] = []
    while residues > 0:
        body = _next_body(min(residues, 26), rng)
        residues -= len(body.alphas)
        taken = np.concatenate([_copies(b.alphas, group) for b in placed]) if placed else np.empty((0, 3))
        placed.append(_place(body, taken, site, rng))
    positions = np.concatenate([_copies(b.atoms, group) for b in placed])
    elements = np.concatenate([np.tile(b.elements, len(group)) for b in placed])
    return Atoms(positions - positions.mean(0), elements, np.full(len(elements), BFACTOR))


@dataclass(frozen=True)
class _Site:
    """Where pieces may go: a globule of mean radius `radius` Å, with the rotations of its point group (G, 3, 3)."""

    group: np.ndarray
    radius: float

    @property
    def shape(self) -> np.ndarray:
        return SHAPE if len(self.group) <= 4 else np.ones(3)


def _next_body(at_most: int, rng: np.random.Generator) -> Body:
    """A helix of 10 to 26 residues or, one time in four, a sheet of 3 or 4 strands of 6; never more than `at_most`."""
    if rng.random() < 0.25 and at_most >= 18:
        return sheet(min(at_most // 6, int(rng.integers(3, 5))), 6, rng)
    return helix(min(at_most, int(rng.integers(10, 27))), rng)


def _place(body: Body, taken: np.ndarray, site: _Site, rng: np.random.Generator) -> Body:
    """The body turned and moved to the free place nearest to the centre, out of random ones in a growing globule."""
    tree = cKDTree(taken) if len(taken) else None
    scale = 1.0
    while True:
        turns = random_rotations(CANDIDATES, torch.Generator().manual_seed(int(rng.integers(2**31)))).numpy()
        inside = rng.normal(size=(CANDIDATES, 3))
        inside *= rng.random((CANDIDATES, 1)) ** (1 / 3) / np.linalg.norm(inside, axis=1, keepdims=True)
        moves = inside * site.radius * scale * site.shape
        where = np.einsum("cij,aj->cai", turns, body.alphas) + moves[:, None]
        for c in np.argsort(((where / site.shape) ** 2).mean((1, 2))):
            if _is_free(where[c], tree, site.group):
                return Body(body.atoms @ turns[c].T + moves[c], body.elements, where[c])
        scale *= 1.05


def _is_free(alphas: np.ndarray, tree: cKDTree | None, group: np.ndarray) -> bool:
    """No C-alpha closer than CLASH to those taken or to the piece's own copies."""
    if tree is not None and np.isfinite(tree.query(alphas, distance_upper_bound=CLASH)[0]).any():
        return False
    own = _copies(alphas, group[1:])
    return not np.isfinite(cKDTree(alphas).query(own, distance_upper_bound=CLASH)[0]).any() if len(own) else True


def _copies(points: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(N, 3) points under each rotation of (G, 3, 3): (G N, 3)."""
    return np.einsum("gij,nj->gni", group, points).reshape(-1, 3)
