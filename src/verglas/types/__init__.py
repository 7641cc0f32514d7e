"""Frozen data types: numpy at rest, no input/output, no algorithms."""

from verglas.types.frames import Frames
from verglas.types.map import Map
from verglas.types.micrographs import Coordinates, Micrographs
from verglas.types.optics import OpticsGroup
from verglas.types.particles import Defocus, ImageRefs, Particles, Poses

__all__ = ["Coordinates", "Defocus", "Frames", "ImageRefs", "Map", "Micrographs", "OpticsGroup", "Particles", "Poses"]
