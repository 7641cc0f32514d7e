"""Helices and sheets of protein as atoms, from textbook geometry."""

from dataclasses import dataclass

import numpy as np

HELIX = {
    "N": (1.55, -28.3, -0.90), "C": (2.29, 0.0, 0.0), "C'": (1.68, 26.3, 1.10), "O": (2.03, 20.6, 2.30),
    "CB": (3.29, -18.9, -1.10),
}  # fmt: skip
"""Backbone of the right-handed alpha helix: radius (Å), angle (degrees) and height (Å) from the C-alpha."""
RISE, TURN = 1.5, 100.0
"""Å and degrees per residue of the alpha helix."""
STRAND_RISE, STRAND_GAP, SHEET_TWIST = 3.3, 4.8, 22.0
"""Å per residue along a beta strand, Å between strands, degrees between neighbouring strands."""


@dataclass(frozen=True)
class Body:
    """A piece of secondary structure about the origin: atoms (N, 3) Å with elements (N,), and its C-alphas (R, 3)."""

    atoms: np.ndarray
    elements: np.ndarray
    alphas: np.ndarray


def helix(residues: int, rng: np.random.Generator) -> Body:
    """An alpha helix along z, right-handed, with side chains of random length."""
    atoms, elements, alphas = [], [], []
    for i in range(residues):
        for name, (r, angle, height) in HELIX.items():
            t = np.radians(TURN * i + angle)
            atoms.append((r * np.cos(t), r * np.sin(t), RISE * i + height))
            elements.append(name[0])
        alphas.append(atoms[-4])
        t = np.radians(TURN * i - 25.0)
        for r in np.arange(rng.integers(0, 6)) * 0.75 + 4.3:
            atoms.append((r * np.cos(t), r * np.sin(t), RISE * i - 1.6 + rng.normal(0, 0.7)))
            elements.append("C")
    return _centred(atoms, elements, alphas)


def sheet(strands: int, residues: int, rng: np.random.Generator) -> Body:
    """A twisted sheet: strands along z, side by side in x, side chains alternating along y."""
    atoms, elements, alphas = [], [], []
    for k in range(strands):
        twist = np.radians(SHEET_TWIST * (k - (strands - 1) / 2))
        for i in range(residues):
            up = 1.0 if (i + k) % 2 else -1.0
            z = STRAND_RISE * (i - (residues - 1) / 2)
            local = [("N", 0.3, -1.2), ("C", 0.9, 0.0), ("C", 0.3, 1.2), ("O", -0.2, 1.4)]
            local += [("C", 2.3 + 1.1 * j, rng.normal(0, 0.4)) for j in range(rng.integers(1, 5))]
            for number, (name, height, along) in enumerate(local):
                out = 1.1 if name == "O" else 0.0
                turned = (STRAND_GAP * k + out, *_turn(up * height, z + along, twist))
                atoms.append(turned)
                elements.append(name)
                if number == 1:
                    alphas.append(turned)
    return _centred(atoms, elements, alphas)


def _turn(y: float, z: float, angle: float) -> tuple[float, float]:
    return y * np.cos(angle) - z * np.sin(angle), y * np.sin(angle) + z * np.cos(angle)


def _centred(atoms: list, elements: list, alphas: list) -> Body:
    middle = np.mean(alphas, axis=0)
    return Body(np.array(atoms) - middle, np.array(elements), np.array(alphas) - middle)
