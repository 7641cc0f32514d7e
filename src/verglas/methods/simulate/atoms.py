"""Atoms and the map that electrons see of them."""

from dataclasses import dataclass

import gemmi
import numpy as np
import torch

from verglas.core.filters import apply_radial, raised_cosine
from verglas.core.resample import resize_map
from verglas.core.shells import radius
from verglas.types import Map

FINE = 1.5
"""Å; the density is summed on a grid at least this fine, and then band-limited to the map's pixel."""
DALTON = {"C": 12.011, "N": 14.007, "O": 15.999, "S": 32.06, "P": 30.974}


@dataclass(frozen=True)
class Atoms:
    """positions (N, 3) float64 Å (x, y, z) about the centre of the map; elements (N,) str; bfactor (N,) Å^2."""

    positions: np.ndarray
    elements: np.ndarray
    bfactor: np.ndarray

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def kilodalton(self) -> float:
        """Mass of the atoms, hydrogens as one tenth on top (as in protein and nucleic acid)."""
        return 1.08 * sum(DALTON.get(e, gemmi.Element(e).weight) for e in self.elements) / 1000

    @property
    def diameter(self) -> float:
        """Twice the largest distance from the centre, Å."""
        return 2.0 * float(np.linalg.norm(self.positions, axis=1).max())


def atoms_of(structure: gemmi.Structure, bfactor: float | None = None) -> Atoms:
    """The first model of a structure (from `gemmi.read_structure`) without hydrogens and waters, centred on its mean.

    The axes stay as they are in the file. `bfactor` (Å^2) replaces every B; None keeps those of the file.
    """
    model = structure.clone()
    model.remove_hydrogens()
    model.remove_waters()
    sites = [site.atom for site in model[0].all()]
    positions = np.array([atom.pos.tolist() for atom in sites], dtype=np.float64).reshape(-1, 3)
    b = np.array([atom.b_iso if bfactor is None else bfactor for atom in sites], dtype=np.float64)
    return Atoms(positions - positions.mean(0), np.array([atom.element.name for atom in sites]), b)


def density(atoms: Atoms, box: int, pixel: float) -> Map:
    """Electron scattering density of independent atoms (form factors times B) in `box`^3 voxels of `pixel` Å.

    Band-limited to the Nyquist sphere: nothing finer folds back, and turning the atoms turns the map. The position 0
    lies at voxel B//2. Atoms beyond the box appear on its other side.
    """
    fine = box * max(1, int(np.ceil(pixel / FINE)))
    side = box * pixel
    calculator = gemmi.DensityCalculatorE()
    calculator.d_min = 2 * side / fine
    calculator.grid.spacegroup = gemmi.SpaceGroup("P 1")
    calculator.grid.set_unit_cell(gemmi.UnitCell(side, side, side, 90, 90, 90))
    calculator.grid.set_size(fine, fine, fine)
    calculator.add_model_density_to_grid(_model(atoms, fine // 2 * side / fine))
    grid = np.array(calculator.grid, copy=False).astype(np.float32).transpose(2, 1, 0)
    data = resize_map(torch.from_numpy(np.ascontiguousarray(grid)), box)
    return Map(apply_radial(data, raised_cosine(radius(box), box / 2, 0.0)).numpy(), pixel)


def _model(atoms: Atoms, centre: float) -> gemmi.Model:
    """One residue with all atoms, moved so that 0 lies at (centre, centre, centre) Å."""
    residue = gemmi.Residue()
    residue.name = "UNK"
    atom = gemmi.Atom()
    for position, element, b in zip(atoms.positions + centre, atoms.elements, atoms.bfactor, strict=True):
        atom.pos = gemmi.Position(*position)
        atom.element = gemmi.Element(str(element))
        atom.b_iso = float(b)
        residue.add_atom(atom)
    chain = gemmi.Chain("A")
    chain.add_residue(residue)
    model = gemmi.Model(1)
    model.add_chain(chain)
    return model
