"""Post-processing of two half maps: an honest FSC, and one sharpened, weighted map."""

from verglas.methods.postprocess.options import (
    AutoB,
    BFactor,
    FixedB,
    FscWeighting,
    Lowpass,
    Mtf,
    NoB,
    RandomiseBelow,
    RandomiseFrom,
    Settings,
)
from verglas.methods.postprocess.result import FscCurves, Guinier, PostprocessResult, StraightLine
from verglas.methods.postprocess.run import postprocess

__all__ = [
    "AutoB", "BFactor", "FixedB", "FscCurves", "FscWeighting", "Guinier", "Lowpass", "Mtf", "NoB", "PostprocessResult",
    "RandomiseBelow", "RandomiseFrom", "Settings", "StraightLine", "postprocess",
]
