"""The E-step on a GPU: tensors stay on their device, half precision is enough, and blocks that do not fit are halved.

Where there is no GPU one is pretended (see `pretend`); where there is one, the same tests run on it.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import problem as p
from pretend import pretended

from verglas import kernels
from verglas.core.rotations import euler_to_matrix, mean_axis_distance
from verglas.core.symmetry import operators
from verglas.methods.refine import loop, search
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.state import State
from verglas.methods.refine.store import Half
from verglas.runtime.blocks import halving

PLAN = replace(p.PLAN, healpix_order=1, offset_range=5.0)
"""A small grid: the plain definitions that a pretended GPU runs keep all hypotheses in memory at once."""


def there(monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[str]:
    return nullcontext("cuda:0") if torch.cuda.is_available() else pretended(monkeypatch)


@pytest.fixture(scope="module")
def small() -> p.Problem:
    return p.make(number=6, snr=30.0)


def angles_apart(a: State, b: State) -> np.ndarray:
    one, two = (euler_to_matrix(torch.from_numpy(s.alignment.angles)) for s in (a, b))
    return np.rad2deg(mean_axis_distance(one, two, operators(p.PLAN.symmetry)).numpy())


def stepped(small: p.Problem, device: str, state: State | None = None, plan: Plan = PLAN) -> State:
    budget = p.LARGE if device == "cpu" else replace(p.LARGE, bfloat=True)
    source = p.source_of(small, budget, plan, device)
    return loop.step(p.start_of(small, source, plan) if state is None else state, source, plan).state


@pytest.mark.parametrize("more_looks", [False, True])
def test_an_iteration_on_the_gpu_agrees_with_the_cpu(small: p.Problem, monkeypatch: pytest.MonkeyPatch, more_looks: bool) -> None:
    monkeypatch.setattr(search, "SMALL", 0 if more_looks else 10_000)
    monkeypatch.setattr(search, "DENSE", 0.9)
    expected = stepped(small, "cpu")
    with there(monkeypatch) as device:
        found = stepped(small, device)
    assert (angles_apart(found, expected) < 0.1).mean() >= 0.95
    for a, b in zip(found.models, expected.models):
        assert np.corrcoef(a.map.ravel(), b.map.ravel())[0, 1] > 0.9999
        np.testing.assert_allclose(a.sigma2, b.sigma2, rtol=1e-2)


def test_a_local_search_on_the_gpu_agrees_with_the_cpu(small: p.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    state = stepped(small, "cpu")
    state = replace(state, sampling=replace(state.sampling, sigma=0.2))
    expected = stepped(small, "cpu", state)
    with there(monkeypatch) as device:
        found = stepped(small, device, state)
    assert (angles_apart(found, expected) < 0.1).mean() >= 0.95


def test_correlations_on_the_gpu_agree_with_the_cpu(small: p.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, absolute_greyscale=False)
    expected = stepped(small, "cpu", plan=plan)
    with there(monkeypatch) as device:
        found = stepped(small, device, plan=plan)
    assert (angles_apart(found, expected) < 0.1).mean() >= 0.95


def test_images_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value to 2^-11, or 2^-38 of the image's largest."""
    x = torch.randn(3, 50, dtype=torch.complex64) * torch.logspace(0, -7, 50) * torch.tensor([[1e-9], [1.0], [1e6]])
    with there(monkeypatch) as device:
        store = Half(5, 50, device)
        at = torch.tensor([4, 0, 2]).to(device)
        store.put(at, x.to(device))
        back, part = store.get(at, None).cpu(), store.get(at, 7).cpu()
    for a, b in ((back.real, x.real), (back.imag, x.imag)):
        assert bool(((a - b).abs() <= 2.0**-11 * b.abs() + 2.0**-38 * x.abs().amax(1, keepdim=True)).all())
    assert torch.equal(part, back[:, :7])


def test_a_block_that_does_not_fit_is_halved() -> None:
    def work(low: int, high: int) -> tuple[int, int]:
        if high - low > 3:
            raise torch.OutOfMemoryError
        return low, high

    assert halving(2, 12, work) == [(2, 4), (4, 7), (7, 9), (9, 12)]
    with pytest.raises(torch.OutOfMemoryError):
        halving(0, 1, lambda low, high: work(0, 9))


PAIRS = 300


@pytest.mark.parametrize("name", ["score", "give"])
def test_halved_blocks_give_the_same_sums(small: p.Problem, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing is added twice when a block fails."""
    expected = stepped(small, "cpu")
    original, failures = getattr(kernels, name), 0

    def short_of_memory(slices: torch.Tensor, *rest: Any, **words: Any) -> object:
        nonlocal failures
        if len(rest[4] if name == "score" else rest[2][0]) > PAIRS:
            failures += 1
            raise torch.OutOfMemoryError
        return original(slices, *rest, **words)

    monkeypatch.setattr(kernels, name, short_of_memory)
    found = stepped(small, "cpu")
    assert failures > 0
    np.testing.assert_allclose(found.models[0].map, expected.models[0].map, rtol=1e-4, atol=1e-5 * np.abs(expected.models[0].map).max())
    assert np.array_equal(found.alignment.angles, expected.alignment.angles)


def test_the_pretended_gpu_is_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    with there(monkeypatch) as device:
        x = torch.ones(3).to(device)
        with pytest.raises(RuntimeError):
            x + torch.ones(3)
        with pytest.raises(TypeError):
            x.numpy()
        assert x.numpy(force=True).sum() == 3
