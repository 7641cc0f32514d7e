"""Plain torch definitions of the hot operations, one file each; they run on every device."""

from verglas.kernels.reference.give import backproject, cross
from verglas.kernels.reference.insert import add
from verglas.kernels.reference.score import score
from verglas.kernels.reference.select import compact, threshold, weigh
from verglas.kernels.reference.slice import cut
from verglas.kernels.reference.symmetrise import symmetrise

__all__ = ["add", "backproject", "compact", "cross", "cut", "score", "symmetrise", "threshold", "weigh"]
