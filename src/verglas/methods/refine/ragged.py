"""Lists of lists stored flat: `start` (K+1) says where each begins (CSR)."""

import numpy as np


def starts(count: np.ndarray) -> np.ndarray:
    """Lengths (K,) -> start (K+1,) int64."""
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int64)


def positions(start: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions of the elements of the chosen lists, one list after the other, and the start of each in the result."""
    count = start[chosen + 1] - start[chosen]
    new = starts(count)
    return np.repeat(start[chosen] - new[:-1], count) + np.arange(new[-1]), new


def owner(start: np.ndarray) -> np.ndarray:
    """The list number of every element."""
    return np.repeat(np.arange(len(start) - 1), np.diff(start))
