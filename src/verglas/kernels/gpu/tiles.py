"""Sizes of the tiles that one Triton program works on, and small words its callers share.

The sizes were chosen from what the compiler says of registers and shared memory on an NVIDIA GPU of capability 9.0 (see
tests/kernels/compile_for_hopper.py), not from timings.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """`pixels` of the band and `rows` (shifts, hypotheses) at a time; `warps` of one program; `precision` of its products (`tl.dot`)."""

    pixels: int
    rows: int = 1
    warps: int = 4
    precision: str = "tf32"


SLICE = Tile(256)
INSERT = Tile(128)
SCORE = Tile(32, 32)
GIVE = Tile(64, 16, precision="tf32x3")
"""The sums are for keeps: three TF32 products give them float32's accuracy."""
SELECT = Tile(1, 2048, 8)
PRUNE = Tile(64, 128, 8)


def flat(x: Tensor) -> Tensor:
    """Contiguous float32: (..., P) complex64 as (..., P, 2)."""
    return torch.view_as_real(x).contiguous() if x.is_complex() else x.contiguous()


def blocks(count: int, size: int) -> int:
    """Tiles of `size` that cover `count`."""
    return -(-count // size)


def padded(count: int, least: int = 1) -> int:
    """The next power of two, at least `least`."""
    return max(least, 1 << max(count - 1, 0).bit_length())
