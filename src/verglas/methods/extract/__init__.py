"""Particle images from micrographs: windows, another pixel size, background normalisation, and where a particle is after recentring."""

from verglas.methods.extract.ctf import CtfFilter
from verglas.methods.extract.normalise import FLAT, Dust
from verglas.methods.extract.place import closest_edge, recentred, touches
from verglas.methods.extract.recipe import Recipe, images
from verglas.methods.extract.rescale import shrink

__all__ = ["FLAT", "CtfFilter", "Dust", "Recipe", "closest_edge", "images", "recentred", "shrink", "touches"]
