"""Schedules of a classification."""

from itertools import pairwise

import numpy as np

from verglas.core.sampling import InPlane
from verglas.methods.classify.plan import VDAM_2D, VDAM_3D, ClassPlan, Em, step_size, subset_size, tau_of
from verglas.methods.refine.plan import Plan


def test_mini_batches_grow_and_the_last_one_sees_everything() -> None:
    plan = ClassPlan(10, 200, 2.0, Plan(), VDAM_2D, psi_step=np.radians(6))
    sizes = [subset_size(plan, i, 100_000) for i in range(1, 201)]
    assert (plan.ini, plan.between) == (60, 100)
    assert set(sizes[:60]) == {500} and set(sizes[159:199]) == {5000} and sizes[-1] == 100_000
    assert all(b >= a for a, b in pairwise(sizes))
    one = ClassPlan(1, 200, 4.0, Plan(), VDAM_3D)
    assert subset_size(one, 200, 100_000) == 10_000  # a single model never sees all


def test_small_sets_are_seen_whole() -> None:
    assert subset_size(ClassPlan(2, 50, 2.0, Plan(), VDAM_2D, psi_step=0.1), 1, 150) == 150


def test_fast_subsets_grow_in_three_steps() -> None:
    plan = ClassPlan(4, 25, 4.0, Plan(), Em(fast_subsets=True))
    assert [subset_size(plan, i, 100_000) for i in (1, 5, 6, 11, 16)] == [6000, 6000, 18_000, 30_000, 100_000]


def test_step_and_tau_go_from_their_first_to_their_last_value() -> None:
    plan = ClassPlan(1, 200, 4.0, Plan(), VDAM_3D)
    steps, taus = ([f(i) for i in range(1, 201)] for f in (lambda i: step_size(plan, VDAM_3D, i), lambda i: tau_of(plan, i)))
    assert abs(steps[0] - 0.9) < 0.01 and abs(steps[-1] - VDAM_3D.step) < 0.01 and all(b <= a for a, b in pairwise(steps))
    assert abs(taus[0] - 1) < 0.05 and abs(taus[-1] - 4) < 0.01
    assert tau_of(ClassPlan(1, 25, 4.0, Plan(), Em()), 1) == 4


def test_the_plane_is_searched_at_twice_the_fine_step() -> None:
    grid = ClassPlan(1, 10, 2.0, Plan(), Em(), psi_step=np.radians(6)).grid(0)
    assert isinstance(grid, InPlane) and grid.psi_count == 30
