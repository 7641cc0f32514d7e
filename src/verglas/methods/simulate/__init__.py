"""Data with a known truth: a built-in molecule or an atomic model as a map, and particle images of any map."""

from verglas.methods.simulate.atoms import Atoms, atoms_of, density
from verglas.methods.simulate.design import (
    DefocusSpread,
    Design,
    GivenPoses,
    UniformPoses,
    blind,
    design,
    optics_group,
)
from verglas.methods.simulate.images import ColouredNoise, ImageBlock, NoNoise, WhiteNoise, images
from verglas.methods.simulate.phantom import phantom, phantom_atoms

__all__ = [
    "Atoms", "ColouredNoise", "DefocusSpread", "Design", "GivenPoses", "ImageBlock", "NoNoise", "UniformPoses",
    "WhiteNoise", "atoms_of", "blind", "density", "design", "images", "optics_group", "phantom", "phantom_atoms",
]
