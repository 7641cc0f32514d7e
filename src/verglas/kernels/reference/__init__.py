"""Plain torch definitions of the hot operations, one file each; they run on every device."""

from verglas.kernels.reference import plane
from verglas.kernels.reference.give import Given, give
from verglas.kernels.reference.insert import add
from verglas.kernels.reference.prune import prune
from verglas.kernels.reference.score import score
from verglas.kernels.reference.select import compact, highest, threshold, weigh
from verglas.kernels.reference.slice import cut
from verglas.kernels.reference.symmetrise import symmetrise

__all__ = ["Given", "add", "compact", "cut", "give", "highest", "plane", "prune", "score", "symmetrise", "threshold", "weigh"]
