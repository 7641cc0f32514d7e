"""Frozen data types: numpy at rest, no input/output, no algorithms."""

from verglas.types.map import Map
from verglas.types.optics import OpticsGroup
from verglas.types.particles import Defocus, ImageRefs, Particles, Poses

__all__ = ["Defocus", "ImageRefs", "Map", "OpticsGroup", "Particles", "Poses"]
