"""Which particles a process takes, and that a group of one leaves everything as it is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.errors import InputError
from verglas.jobs.common import continued
from verglas.jobs.registry import find
from verglas.runtime.group import ALONE, Group, joined, started
from verglas.runtime.resources import choose_resources, usable_cores
from verglas.runtime.share import Share, alone, deal

GROUPS = tuple(Group(rank, size, rank, size) for size in (1, 2, 3, 4, 7) for rank in range(size))


def shares(size: int, sets: np.ndarray, kinds: np.ndarray) -> list[Share]:
    return [deal(Group(rank, size), sets, kinds) for rank in range(size)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("uneven", [False, True])
def test_every_particle_has_one_process_and_all_have_as_many(size: int, uneven: bool) -> None:
    rng = np.random.default_rng(size)
    sets = (rng.random(501) < 0.9).astype(int) if uneven else 1 + np.arange(501) % 2
    kinds = rng.integers(0, 3, 501)
    found = np.array([one.mine for one in shares(size, sets, kinds)])
    assert (found.sum(0) == 1).all()
    assert np.ptp(found.sum(1)) <= 2
    if size % 2 == 1:
        for one in np.unique(sets):
            assert np.ptp(found[:, sets == one].sum(1)) <= 1


def test_a_process_keeps_to_one_half_where_it_can() -> None:
    half = 1 + np.arange(400) % 2
    for one in shares(4, half, np.zeros(400)):
        assert len(np.unique(half[one.mine])) == 1
    for one in shares(3, half, np.zeros(400)):
        assert len(np.unique(half[one.mine])) == 2


def test_kinds_are_dealt_evenly_too() -> None:
    kinds = np.arange(600) % 3
    for one in shares(4, 1 + np.arange(600) // 300, kinds):
        assert np.bincount(kinds[one.mine]).tolist() == [50, 50, 50]


def test_a_group_of_one_does_nothing() -> None:
    array, tensor = np.arange(4.0), torch.arange(3) * (1 + 2j)
    before = array.copy(), tensor.clone()
    ALONE.sum_(array, tensor)
    assert np.array_equal(array, before[0]) and torch.equal(tensor, before[1])
    assert ALONE.tell("job001") == "job001" and ALONE.collect(3) == [3]
    assert ALONE.any(True) and not ALONE.any(False)
    assert ALONE.divide(3, lambda i: i * i) == [0, 1, 4]
    ALONE.wait()
    ALONE.agree(None)
    problem = InputError("no such file")
    with pytest.raises(InputError) as raised:
        ALONE.agree(problem)
    assert raised.value is problem
    rows = np.array([1, 3])
    assert alone(4).of(rows) is rows or np.array_equal(alone(4).of(rows), rows)
    assert alone(4).merge(rows, array)[0] is array


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    yield


def test_the_group_comes_from_the_environment(torchrun: None) -> None:
    group = started()
    assert group == Group(3, 4, 1, 2) and not group.leads
    assert choose_resources("cpu", group=group).threads == max(1, usable_cores() // 2)
    assert choose_resources("cpu", 5, group=group).threads == 5
    with pytest.raises(InputError, match="2 processes"):
        choose_resources("cuda:1", group=group)


def test_without_torchrun_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert started() is ALONE
    with joined(ALONE, "cpu"):
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("group", GROUPS)
def test_merged_columns_are_those_of_the_owners(group: Group) -> None:
    """Only what is this process's own enters a merge."""
    share = deal(group, np.zeros(10), np.zeros(10))
    rows = np.array([0, 3, 4, 9])
    assert set(share.of(rows)) == set(rows) & set(np.flatnonzero(share.mine))
    if group.size == 1:
        return
    sent: list[np.ndarray] = []
    object.__setattr__(share, "group", replace(group))
    object.__setattr__(share.group, "sum_", lambda *arrays: sent.extend(one.copy() for one in arrays))
    share.merge(rows, np.arange(10.0), np.full((10, 2), np.nan))
    assert np.array_equal(sent[0], np.where(share.mine[rows], rows, 0))
    assert (np.isnan(sent[1]).all(1) == share.mine[rows]).all()


@pytest.mark.parametrize(("processes", "threads"), [(1, None), (4, 6)])
def test_another_number_of_processes_chooses_its_own_threads(torchrun: None, tmp_path: Path, processes: int, threads: int | None) -> None:
    resources = {"device": "cuda:0", "threads": 6, "seed": 1}
    (tmp_path / "job.json").write_text(json.dumps({"job": "refine3d", "params": {}, "resources": resources, "processes": processes}))
    kept = continued(find("refine3d"), tmp_path)[1]
    assert kept.get("threads") == threads and kept["device"] == "cuda" and kept["seed"] == 1
