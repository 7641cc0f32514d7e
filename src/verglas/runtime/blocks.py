"""Sizes of blocks of work from a memory budget."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil

MOST = 256 << 20
"""Bytes beyond which larger blocks no longer help."""


@dataclass(frozen=True)
class Budget:
    """`work` bytes for one block of intermediate results, `cache` bytes for transformed images kept between iterations.

    `bfloat`: hypotheses are first looked at in bfloat16 products, see `runtime.products`.
    """

    work: int
    cache: int
    bfloat: bool = False


def budget(memory_gb: float | None = None, processes: int = 1) -> Budget:
    """From what the user allows, or from half of the memory that is free now, for each of the `processes` on this machine."""
    from verglas.runtime.products import bfloat_pays

    total = (memory_gb * 2**30 if memory_gb else 0.5 * psutil.virtual_memory().available) / processes
    return Budget(int(min(total / 8, MOST)), int(total / 4), bfloat_pays())


def most(budget_bytes: float, bytes_each: float) -> int:
    """How many items of `bytes_each` fit; at least one."""
    return max(1, int(budget_bytes // max(bytes_each, 1)))


def split(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive parts of nearly equal length, none longer than `size`."""
    if len(rows):
        yield from np.array_split(rows, -(-len(rows) // size))
