"""One plane instead of a volume: the same kernels leave out z."""

from verglas.kernels.gpu.insert import add
from verglas.kernels.gpu.slice import cut

__all__ = ["add", "cut"]
