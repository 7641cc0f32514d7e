"""Duplicates by a greedy rule, and parts that together are the set."""

import numpy as np
import pytest

from verglas.methods.select import distinct, parts


def test_no_two_kept_rows_are_close_and_every_dropped_row_has_a_better_neighbour() -> None:
    rng = np.random.default_rng(1)
    micrograph, centre, quality = rng.integers(0, 3, 300), rng.uniform(0, 200, (300, 2)), rng.uniform(size=300)
    keep = distinct(micrograph, centre, 12.0, quality)
    near = (np.linalg.norm(centre[:, None] - centre[None], axis=2) <= 12.0) & (micrograph[:, None] == micrograph[None])
    np.fill_diagonal(near, False)
    assert 0 < keep.sum() < 300
    assert not near[np.ix_(keep, keep)].any()
    for row in np.flatnonzero(~keep):
        assert (quality[near[row] & keep] > quality[row]).any()


def test_the_first_of_equals_stays_and_micrographs_are_apart() -> None:
    centre = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [0.0, 0.0]])
    assert distinct(np.array([0, 0, 0, 1]), centre, 10.0, np.zeros(4)).tolist() == [True, False, True, True]
    assert distinct(np.array([0, 0, 0, 1]), centre, 10.0, np.array([1.0, 2.0, 1.0, 0.0])).tolist() == [False, True, False, True]


@pytest.mark.parametrize(("number", "size", "sizes"), [(3, None, [4, 3, 3]), (1, 4, [4, 4, 2]), (1, 20, [10])])
@pytest.mark.parametrize("random", [True, False])
def test_parts_are_the_set(number: int, size: int | None, sizes: list[int], random: bool) -> None:
    found = parts(10, number, size, np.random.default_rng(3) if random else None)
    assert [len(rows) for rows in found] == sizes
    assert sorted(np.concatenate(found).tolist()) == list(range(10))
    assert all((np.diff(rows) > 0).all() for rows in found)
    assert random or np.concatenate(found).tolist() == list(range(10))
