"""A set in parts."""

import numpy as np


def parts(count: int, number: int, size: int | None = None, rng: np.random.Generator | None = None) -> list[np.ndarray]:
    """Row numbers of each part, ascending: `number` parts that differ by one row at most, or parts of `size` rows and the rest.

    With `rng` the rows are dealt at random, without it in their order.
    """
    order = np.arange(count) if rng is None else rng.permutation(count)
    cut = np.array_split(order, number) if size is None else np.split(order, np.arange(size, count, size))
    return [np.sort(rows) for rows in cut]
