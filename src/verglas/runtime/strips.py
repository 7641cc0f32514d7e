"""Compiled loops over the strips of a picture, shared by threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numba


def strips(kernel: Callable[..., Any], count: int, *args: Any) -> None:
    """kernel(*args, first, last) for parts of range(count), on as many threads as numba may use here.

    The kernel must let go of the interpreter (nogil) and its strips must not write to the same places. Unlike parallel loops of numba this may be
    called from several threads at once, those of a thread that works on an item of its own among them.
    """
    threads = min(numba.get_num_threads(), count)
    if threads <= 1:
        kernel(*args, 0, count)
        return
    edges = [count * k // threads for k in range(threads + 1)]
    for part in [_pool(numba.get_num_threads()).submit(kernel, *args, a, b) for a, b in pairwise(edges)]:
        part.result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="strips")
