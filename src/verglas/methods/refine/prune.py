"""The first look of a coarse pass on a GPU: one product in bfloat16, of which only what comes near the best leaves the processor."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from verglas import kernels
from verglas.methods.refine.hypotheses import Survivors


def pruned(
    a: Tensor, b: Tensor, slices: Tensor, phases: Tensor, priors: tuple[Tensor, Tensor], margin: float, capacity: int
) -> Survivors | None:
    """Hypotheses within `margin` of the best log-posterior of their image on the pixels of `slices` (R, Pc), the origin left out.

    a, b (N, P), phases (T, P), priors = ((R,), (N, T)). None if there are more than `capacity`. Operands are rounded to 8 bits and
    products summed in float32: errors of up to 0.1 log units or so, which the margin must allow for; the survivors are scored again.
    """
    rotations, pixels = slices.shape
    (images, shifts), within = priors[1].shape, slice(1, pixels)
    moved = torch.view_as_real(a[:, None, within] * phases[:, within]).to(torch.bfloat16).view(images * shifts, -1)
    rough = torch.view_as_real(slices[:, within]).to(torch.bfloat16).view(rotations, -1)
    with tf32():
        power = b[:, within] @ (slices[:, within].real ** 2 + slices[:, within].imag ** 2).T
    found = kernels.prune(moved, rough, power, priors, margin, capacity)
    if found is None:
        return None
    start, index = found
    count = start.diff()
    image = torch.repeat_interleave(torch.arange(images, device=index.device), count, output_size=len(index))
    rotation, shift = index % rotations, index // rotations % shifts
    key = ((image * rotations + rotation) * shifts + shift).sort().values  # by image, then rotation, then shift
    rotation, shift = key // shifts % rotations, key % shifts
    prior = priors[0][rotation] + priors[1][image, shift]
    columns = (np.asarray(t.numpy(force=True)) for t in (image, rotation, shift, prior, count))
    return Survivors(*columns)


@contextmanager
def tf32() -> Iterator[None]:
    """float32 products within may be rounded to TF32 by the GPU."""
    matmul = torch.backends.cuda.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before
