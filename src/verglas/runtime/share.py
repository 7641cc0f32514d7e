"""Which particles a process of a group works on."""

from dataclasses import dataclass

import numpy as np

from verglas.runtime.group import ALONE, Group

EVEN = 1.1
"""Sets are of equal size if the largest has no more than this times the mean."""


@dataclass(frozen=True)
class Share:
    """The particles (N,) bool that this process of the group works on, always the same ones."""

    group: Group
    mine: np.ndarray

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` (n,) that are this process's."""
        return rows[self.mine[rows]]

    def merge(self, rows: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
        """Columns (N, ...) in which each of `rows` (n,) has what its process has in it."""
        if self.group.size == 1:
            return columns
        at = self.mine[rows]
        parts = [np.where(at.reshape(-1, *(1,) * (one.ndim - 1)), one[rows], np.zeros((), one.dtype)) for one in columns]
        self.group.sum_(*parts)
        merged = tuple(one.copy() for one in columns)
        for one, part in zip(merged, parts):
            one[rows] = part
        return merged


def alone(count: int) -> Share:
    """All of `count` particles."""
    return Share(ALONE, np.ones(count, dtype=bool))


def deal(group: Group, sets: np.ndarray, kinds: np.ndarray) -> Share:
    """Each particle to one process; every process gets equally many of each set (N,) and, within a set, of each kind (N,).

    Where equally many processes can work on each of the sets, a process keeps to one of them, so that what is prepared for a set is
    prepared by these processes only.
    """
    _, which, counts = np.unique(sets, return_inverse=True, return_counts=True)
    teams = len(counts) if len(counts) and group.size % len(counts) == 0 and counts.max() <= EVEN * counts.mean() else 1
    order = np.lexsort((np.arange(len(sets)), kinds, which))
    place = np.empty(len(sets), np.int64)
    place[order] = np.arange(len(sets)) - np.repeat(np.cumsum(counts) - counts, counts)
    mine = (place % (group.size // teams) == group.rank // teams) & (which % teams == group.rank % teams)
    return Share(group, mine)
