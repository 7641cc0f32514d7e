"""Which matrix products this machine does fast: a measurement, made once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

FASTER = 1.5
"""Times: bfloat16 products are used where they are at least so much faster than float32 ones."""
WRONG = 2.0**-7
"""Of the largest result: the error that a bfloat16 product may have."""
SHAPE = (320, 400, 4608)
"""Images x shifts, pixels x 2, orientations of a typical block."""


@cache
def bfloat_pays() -> bool:
    """Whether bfloat16 products (AMX or AVX-512 through oneDNN) are right and faster than float32 ones on this CPU; 20 ms."""
    generator = torch.Generator().manual_seed(0)
    m, k, n = SHAPE
    a, b = torch.randn(m, k, generator=generator), torch.randn(n, k, generator=generator)
    exact, seconds = _timed(a, b)
    rough, less = _timed(a.bfloat16(), b.bfloat16())
    right = (rough.float() - exact).abs().max() <= WRONG * exact.abs().max()
    return bool(right) and seconds >= FASTER * less


def _timed(a: Tensor, b: Tensor) -> tuple[Tensor, float]:
    """a b^T and the seconds that it takes, best of three."""
    best = float("inf")
    out = a @ b.T
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(a, b.T, out=out)
        best = min(best, time.perf_counter() - start)
    return out, best


@contextmanager
def tf32() -> Iterator[None]:
    """float32 products within may be rounded to TF32 by the GPU."""
    matmul = torch.backends.cuda.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before
