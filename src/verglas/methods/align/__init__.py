"""Maps turned, moved and laid on each other, and maps brought into the frame of their point group."""

from verglas.methods.align.axes import SymmetryFrame, find_symmetry_axes
from verglas.methods.align.move import rotate_map, turn_poses
from verglas.methods.align.pair import Alignment, align_maps, apply_alignment

__all__ = [
    "Alignment", "SymmetryFrame", "align_maps", "apply_alignment", "find_symmetry_axes", "rotate_map", "turn_poses",
]
