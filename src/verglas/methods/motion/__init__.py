"""Motion correction: condition the frames, find their motion, add them up."""

from verglas.methods.motion.align import Aligned, Exposure, align, small_bin
from verglas.methods.motion.conditioning import Movie, condition

__all__ = ["Aligned", "Exposure", "Movie", "align", "condition", "small_bin"]
