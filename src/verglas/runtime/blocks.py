"""Sizes of blocks of work from a memory budget."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import psutil

MOST = 256 << 20
"""Bytes beyond which larger blocks no longer help on a CPU."""
MOST_GPU = 8 << 30
"""The same on a GPU, which wants much more work at once."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Budget:
    """`work` bytes for one block of intermediate results, `cache` bytes for transformed images kept between iterations.

    `bfloat`: hypotheses are first looked at in bfloat16 products, see `runtime.products`.
    """

    work: int
    cache: int
    bfloat: bool = False


def budget(memory_gb: float | None = None, processes: int = 1, device: str = "cpu") -> Budget:
    """From what the user allows, or from half of the memory that is free now, for each of the `processes` on this machine.

    On a GPU from 80 % of its own memory, which holds little else.
    """
    from verglas.runtime.products import bfloat_pays

    if device != "cpu":
        total = min(0.8 * _free(device), memory_gb * 2**30 / processes if memory_gb else np.inf)
        return Budget(int(min(total / 8, MOST_GPU)), int(total / 2), bfloat=True)
    total = (memory_gb * 2**30 if memory_gb else 0.5 * psutil.virtual_memory().available) / processes
    return Budget(int(min(total / 8, MOST)), int(total / 4), bfloat_pays())


def _free(device: str) -> float:
    """Bytes of a GPU that can still be allocated."""
    import torch

    return float(torch.cuda.mem_get_info(device)[0])


def halving(low: int, high: int, work: Callable[[int, int], Result]) -> list[Result]:
    """[work(low, high)]; where the GPU has too little memory for that, the results of both halves, each again halved if need be.

    `work` must leave nothing behind when it fails.
    """
    import torch

    try:
        return [work(low, high)]
    except torch.OutOfMemoryError:
        if high - low < 2:
            raise
    torch.cuda.empty_cache()  # here the error, and all that it kept alive, is gone
    middle = (low + high) // 2
    return halving(low, middle, work) + halving(middle, high, work)


def most(budget_bytes: float, bytes_each: float) -> int:
    """How many items of `bytes_each` fit; at least one."""
    return max(1, int(budget_bytes // max(bytes_each, 1)))


def split(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Consecutive parts of nearly equal length, none longer than `size`."""
    if len(rows):
        yield from np.array_split(rows, -(-len(rows) // size))
