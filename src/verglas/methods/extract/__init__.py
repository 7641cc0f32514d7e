"""Particle images from micrographs: windows, another pixel size, background normalisation, and where a particle is after recentring."""

from verglas.methods.extract.images import Recipe, images
from verglas.methods.extract.normalise import Dust
from verglas.methods.extract.place import closest_edge, recentred, touches
from verglas.methods.extract.rescale import shrink

__all__ = ["Dust", "Recipe", "closest_edge", "images", "recentred", "shrink", "touches"]
