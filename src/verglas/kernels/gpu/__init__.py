"""Triton versions of the hot operations, same names and signatures as `kernels.reference`, against which they are tested.

Triton needs no GPU to be imported: with TRITON_INTERPRET=1 set before that, the same kernels run, slowly, on CPU tensors.
"""

from verglas.kernels.gpu import plane
from verglas.kernels.gpu.give import give
from verglas.kernels.gpu.insert import add
from verglas.kernels.gpu.prune import prune
from verglas.kernels.gpu.score import score
from verglas.kernels.gpu.select import compact, highest, threshold, weigh
from verglas.kernels.gpu.slice import cut

__all__ = ["add", "compact", "cut", "give", "highest", "plane", "prune", "score", "threshold", "weigh"]
