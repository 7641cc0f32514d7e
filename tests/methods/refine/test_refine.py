"""Laws of the refinement on a small simulated set: nothing depends on blocking, poses are found, models are calibrated."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import problem as p

from verglas.core import projection
from verglas.core.rotations import angular_distance, euler_to_matrix
from verglas.core.symmetry import operators
from verglas.methods.refine import converge, loop, maximise, search
from verglas.methods.refine.explain import explain
from verglas.methods.refine.state import Changes, Sampling, Schedule, State
from verglas.runtime.blocks import Budget


@pytest.fixture(scope="module")
def small() -> p.Problem:
    return p.make()


@pytest.fixture(scope="module")
def after_two(small: p.Problem) -> State:
    source = p.source_of(small)
    state = p.start_of(small, source)
    for _ in range(2):
        state = loop.step(state, source, p.PLAN).state
    return state


def angle_errors(state: State, truth_angles: np.ndarray) -> np.ndarray:
    """Degrees to the nearest symmetry mate of the truth."""
    a, b = (euler_to_matrix(torch.from_numpy(x)) for x in (state.alignment.angles, truth_angles))
    mates = torch.stack([angular_distance(a, b @ op) for op in operators("D2")])
    return np.degrees(mates.min(0).values.numpy())


def test_poses_are_found(small: p.Problem, after_two: State) -> None:
    assert np.median(angle_errors(after_two, small.truth.poses.angles)) < 8
    shift = np.hypot(*(after_two.alignment.origin - small.truth.poses.origin).T)
    assert np.median(shift) < 0.6 * p.PIXEL


def test_blocks_do_not_matter(small: p.Problem) -> None:
    results = []
    for budget in (p.LARGE, Budget(1 << 25, 0)):
        source = p.source_of(small, budget)
        results.append(loop.step(p.start_of(small, source), source, p.PLAN).state)
    one, many = results
    assert (one.alignment.angles == many.alignment.angles).all(1).mean() > 0.95  # a tie may fall the other way by rounding
    for a, b in zip(one.models, many.models):
        assert np.abs(a.map - b.map).max() < 0.02 * np.abs(a.map).max()
        np.testing.assert_allclose(a.sigma2, b.sigma2, rtol=1e-3)


def test_a_step_is_repeatable_to_the_bit(small: p.Problem, after_two: State) -> None:
    source = p.source_of(small)
    one, two = (loop.step(after_two, source, p.PLAN).state for _ in range(2))
    assert np.array_equal(one.models[0].map, two.models[0].map)
    assert np.array_equal(one.alignment.angles, two.alignment.angles)
    assert one.schedule == two.schedule


def test_a_shifted_image_has_the_opposite_origin(small: p.Problem, after_two: State) -> None:
    moved = replace(small, pixels=np.roll(small.pixels, (0, 1), axis=(1, 2)))  # +1 px in x
    a, b = (loop.step(after_two, p.source_of(q), p.PLAN).state.alignment.origin for q in (small, moved))
    central = np.hypot(*small.truth.poses.origin.T) < 1.5 * p.PIXEL  # still within the search when moved
    assert abs(np.mean((b - a)[central, 0]) + p.PIXEL) < 0.25 * p.PIXEL
    assert abs(np.mean((b - a)[central, 1])) < 0.25 * p.PIXEL


def test_first_look_keeps_what_matters(small: p.Problem, after_two: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the first look at half the radius the posteriors agree."""
    state = replace(after_two, sampling=Sampling(2, 10.0, 5.0, 0.1))
    results = []
    for least in (1 << 30, 20):
        monkeypatch.setattr("verglas.methods.refine.expect.SMALL", least)
        source = p.source_of(small)
        results.append([explain(state, row, source, p.PLAN).found for row in range(0, 40, 4)])
    for whole, looked in zip(*results):
        assert abs(whole.evidence[0] - looked.evidence[0]) < 1e-3
        assert np.array_equal(whole.angles, looked.angles)


def test_white_noise_spectrum() -> None:
    """White noise of sd 1 in B x B pixels has 1/(2 B^2) per component in every shell."""
    pixels = np.random.default_rng(0).normal(size=(200, p.BOX, p.BOX)).astype(np.float32)
    plan = replace(p.PLAN, diameter=(p.BOX + 20) * p.PIXEL)
    source = p.source_of(replace(p.make(200), pixels=pixels), plan=plan)
    sigma2 = loop.initial_noise(source, p.BOX, torch.Generator().manual_seed(0))[0]
    np.testing.assert_allclose(sigma2[2:], 1 / (2 * p.BOX**2), rtol=0.12)
    assert abs(sigma2[2:].mean() * 2 * p.BOX**2 - 1) < 0.02


def test_the_model_predicts_the_image(small: p.Problem, after_two: State) -> None:
    source = p.source_of(small)
    found = [explain(after_two, row, source, p.PLAN) for row in range(8)]
    for e in found:
        sigma2 = torch.from_numpy(e.search.sigma2).to(e.batch.b)[e.search.geo.band.shell]
        c = (e.batch.b[0] * sigma2).sqrt()
        x = e.batch.a[0] * sigma2  # C X
        inner = (x[1:].conj() * (c * e.predicted)[1:]).real.sum()
        assert inner > 0
        assert 0 < e.found.pmax[0] <= 1.0001
        assert e.survivors.count[0] >= 1


def test_pure_noise_gives_no_structure() -> None:
    """Halves of noise stay uncorrelated beyond the shells they share."""
    noise = np.random.default_rng(1).normal(size=(160, p.BOX, p.BOX)).astype(np.float32)
    q = replace(p.make(), pixels=noise)
    plan = replace(p.PLAN, absolute_greyscale=False)
    source = p.source_of(q, plan=plan)
    state = p.start_of(q, source, plan)
    for _ in range(5):
        state = loop.step(state, source, plan).state
    joined = int(np.ceil(p.BOX * p.PIXEL / p.PLAN.join))
    assert np.abs(state.fsc[joined + 2 : state.schedule.current_size // 2]).mean() < 0.25
    assert state.fsc[joined + 3 : state.schedule.current_size // 2].max() < 0.5


def test_signal_to_noise_of_halves_and_average() -> None:
    ssnr = maximise.signal_to_noise(np.array([1.0, 0.5, 0.0, -0.3]), averaged=False)
    np.testing.assert_allclose(ssnr, [999.0, 1.0, 0.001001, 0.001001], rtol=1e-3)
    assert maximise.signal_to_noise(np.array([0.5]), averaged=True)[0] == pytest.approx(np.sqrt(2 / 3) / (1 - np.sqrt(2 / 3)))


def test_group_scales_are_clamped_and_average_one() -> None:
    tally = loop.Tally.__new__(loop.Tally)
    tally.xa, tally.aa = np.array([1.0, 100.0, 2.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0])
    members = np.array([10, 10, 20, 0])
    scale = maximise.group_scales(tally, members, np.ones(4))
    assert scale[1] / scale[2] == pytest.approx(5.0)
    assert (scale * members).sum() / members.sum() == pytest.approx(1.0)


def test_resolution_is_the_last_shell_before_ssnr_falls_below_one() -> None:
    ssnr = np.full(33, 0.1)
    ssnr[:12] = 5
    assert converge.resolution_shell(ssnr) == 11
    ssnr[14] = 2.0  # a lone shell within three does not count
    assert converge.resolution_shell(ssnr) == 11
    ssnr[20] = 2.0
    assert converge.resolution_shell(ssnr) == 20
    assert converge.resolution_shell_of(ssnr) == 11  # but it is not what a refinement has reached
    assert converge.resolution_shell(np.zeros(33)) == 5


def test_sampling_waits_for_resolution_and_poses() -> None:
    schedule = Schedule(10, 40, accuracy_angle=np.radians(3.0), accuracy_offset=2.0, last=Changes(0.1, 1.5))
    sampling = Sampling(2, 17.7, 7.08)
    assert converge.refine_sampling(schedule, sampling, p.PLAN, 3.54) == (schedule, sampling)
    ready = replace(schedule, without_gain=1, without_change=1)
    new_schedule, new = converge.refine_sampling(ready, sampling, p.PLAN, 3.54)
    assert (new.order, new_schedule.without_gain, new.sigma) == (3, 0, 0.0)
    assert new.offset_step == pytest.approx(3.0) and new.offset_range == pytest.approx(7.5)
    local = converge.refine_sampling(ready, replace(sampling, order=3), p.PLAN, 3.54)[1]
    assert local.sigma == pytest.approx(np.radians(3.75))
    fine = replace(ready, accuracy_angle=np.radians(15.0))
    assert converge.refine_sampling(fine, sampling, p.PLAN, 3.54)[0].fine_enough
    accurate = replace(ready, accuracy_angle=np.radians(0.5))  # would ask for finer steps, but the pixels do not show them
    half_degree, radius = replace(sampling, order=6), p.PLAN.diameter / 2
    pixel = 1.01 * converge.fine_angle(6) * radius / (2 * converge.EDGE)
    assert converge.refine_sampling(accurate, half_degree, p.PLAN, pixel)[0].fine_enough
    assert not converge.refine_sampling(accurate, half_degree, p.PLAN, 0.9 * pixel)[0].fine_enough


@pytest.mark.parametrize("bfloat", [False, True])
@pytest.mark.parametrize("looks", [(30, 70), (70,)])
def test_first_looks_change_nothing(small: p.Problem, after_two: State, bfloat: bool, looks: tuple[int, ...]) -> None:
    """A first look, in bfloat16 too, and short lists keep what one float32 product of everything keeps."""
    e = explain(after_two, 3, p.source_of(small), p.PLAN)
    grids, batch = replace(e.search.grids, looks=looks), e.batch
    priors = (e.search.log_prior.view(-1), torch.zeros(len(batch), len(grids.phases)))
    references = tuple(projection.prepare_reference(torch.from_numpy(after_two.models[0].map), p.PLAN.padding, 20) for _ in range(2))
    priors = (torch.cat([priors[0], priors[0] - 1]), priors[1])
    rule = search.Gaussian(0.999)
    found = search.search_everywhere(batch.a, batch.b, search.shared_slices(references, grids, e.search.geo.band, bfloat), grids, priors, rule)
    whole = search.Shared(search.shared_slices(references, grids, e.search.geo.band, False).whole, None, None, 0)
    exact = search.search_everywhere(batch.a, batch.b, whole, grids, priors, rule)
    assert np.array_equal(found.count, exact.count) and np.array_equal(found.rotation, exact.rotation) and np.array_equal(found.shift, exact.shift)
    np.testing.assert_allclose(found.log_prior, exact.log_prior, atol=1e-6)


def test_either_first_look_leaves_the_same(small: p.Problem, after_two: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its margin is too narrow to keep all that matters."""
    monkeypatch.setattr(search, "MARGIN", 1.0)
    e = explain(after_two, 3, p.source_of(small), p.PLAN)
    grids, batch = replace(e.search.grids, looks=(30, 70)), e.batch
    priors = (e.search.log_prior.view(-1), torch.zeros(len(batch), len(grids.phases)))
    references = (projection.prepare_reference(torch.from_numpy(after_two.models[0].map), p.PLAN.padding, 20),)
    shared = (search.shared_slices(references, grids, e.search.geo.band, bfloat) for bfloat in (False, True))
    first, second = (search.search_everywhere(batch.a, batch.b, one, grids, priors, search.Gaussian(0.9999)) for one in shared)
    assert all(np.array_equal(x, y) for x, y in zip((first.rotation, first.shift, first.count), (second.rotation, second.shift, second.count)))
