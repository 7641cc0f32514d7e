"""Classifications with known truth: two shapes, in the plane and in space."""


from dataclasses import replace

import numpy as np
import pytest
import torch

from verglas.core import filters, reconstruct
from verglas.core.sampling import InPlane
from verglas.core.symmetry import operators, symmetrise_map
from verglas.methods.classify import initial, loop, maximise
from verglas.methods.classify.plan import VDAM_2D, VDAM_3D, ClassPlan, Em
from verglas.methods.classify.state import ClassState
from verglas.methods.refine.kept import expect_kept
from verglas.methods.refine.loop import generator
from verglas.methods.refine.plan import Plan
from verglas.methods.refine.source import Source, make_source
from verglas.methods.refine.state import Sampling
from verglas.methods.simulate.design import Design, UniformPoses, design, optics_group
from verglas.methods.simulate.images import WhiteNoise, images
from verglas.methods.simulate.phantom import phantom
from verglas.runtime.blocks import Budget
from verglas.runtime.stopwatch import Stopwatch
from verglas.types import Map, Particles

BOX, PIXEL, DIAMETER = 32, 5.0, 130.0
SEARCH = Plan("C1", DIAMETER, 30.0, absolute_greyscale=True, offset_range=7.5, offset_step=2.5, healpix_order=1, seed=1)


class Still(InPlane):
    """One orientation, and its children all but the same."""

    @property
    def step(self) -> float:
        return 1e-9


class Mixture:
    """Images of two maps, each shown by half of the particles; `views`: each also from one side only. `label` (N,)."""

    def __init__(self, maps: tuple[Map, Map], number: int, snr: float, views: bool = False) -> None:
        self.maps = maps
        table = design(Design(number, (optics_group(PIXEL, BOX),), UniformPoses(2.0), seed=2, per_micrograph=1000))
        self.label = np.arange(number) % 2
        if views:  # two views, turned in the plane
            angles = table.poses.angles.copy()
            angles[:, :2] = np.where(self.label[:, None] == 0, (0.3, 0.1), (0.3, np.pi / 2))
            table = replace(table, poses=replace(table.poses, angles=angles))
        self.truth: Particles = table
        both = [np.concatenate([np.asarray(block.pixels) for block in images(m, table, WhiteNoise(snr), seed=5)]) for m in maps]
        self.pixels = np.where(self.label[:, None, None] == 0, *both)

    def source(self, plan: ClassPlan) -> Source:
        return make_source(self.truth, lambda rows: self.pixels[rows], (BOX, PIXEL), plan.search.diameter, Budget(1 << 26, 1 << 28))


@pytest.fixture(scope="module")
def pair() -> tuple[Map, Map]:
    whole = phantom(BOX, PIXEL, "C1", kilodalton=200)
    z = np.arange(BOX)[:, None, None] - BOX // 2
    part = replace(whole, data=np.where(z > 3, 0, whole.data).astype(np.float32))
    return whole, part


def run(plan: ClassPlan, source: Source, references: np.ndarray) -> ClassState:
    state = loop.start(source, references, PIXEL, plan, np.zeros((len(source.particles), 2)))
    for step in loop.steps(state, source, plan):
        state = step.state
    return state


def purity(state: ClassState, label: np.ndarray) -> float:
    """Fraction of the particles that are in a class where their kind is in the majority."""
    table = np.zeros((len(state.model.maps), 2))
    np.add.at(table, (state.classes, label), 1)
    return float(table.max(1).sum() / len(label))


@pytest.mark.slow
def test_two_shapes_are_told_apart_in_space(pair: tuple[Map, Map]) -> None:
    mixture = Mixture(pair, 200, 1.0)
    plan = ClassPlan(2, 4, 4.0, SEARCH, Em())
    low = np.stack([filters.lowpass(torch.from_numpy(m.data), PIXEL, 40.0).numpy() for m in pair])
    state = run(plan, mixture.source(plan), low)
    assert state.finished and state.iteration == 4
    assert purity(state, mixture.label) > 0.9
    assert abs(state.model.shares.sum() - 1) < 1e-6 and state.model.shares.min() > 0.3


def test_classes_that_begin_alike_are_seeded(pair: tuple[Map, Map]) -> None:
    mixture = Mixture(pair, 60, 1.0)
    plan = ClassPlan(2, 1, 4.0, SEARCH, Em())
    state = run(plan, mixture.source(plan), initial.from_map(pair[0].data, PIXEL, plan))
    assert np.abs(state.model.maps[0] - state.model.maps[1]).max() > 0
    assert 0.3 < state.model.shares[0] < 0.7


def test_averages_in_the_plane_show_the_views(pair: tuple[Map, Map]) -> None:
    mixture = Mixture((pair[0], pair[0]), 400, 0.1, views=True)
    plan = ClassPlan(6, 10, 2.0, SEARCH, Em(), psi_step=np.radians(6))
    source = mixture.source(plan)
    state = run(plan, source, initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0)))
    assert state.model.maps.shape == (6, 1, BOX, BOX) and state.flat
    assert purity(state, mixture.label) > 0.85
    assert state.resolution < 20


def test_mini_batches_sharpen_the_averages_and_use_several_classes(pair: tuple[Map, Map]) -> None:
    mixture = Mixture((pair[0], pair[0]), 400, 0.1, views=True)
    plan = ClassPlan(6, 30, 2.0, SEARCH, VDAM_2D, psi_step=np.radians(12))
    source = mixture.source(plan)
    first = initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0))
    state = run(plan, source, first)
    assert state.resolution < 23 < initial.first_lowpass(plan, BOX, PIXEL)
    assert (state.model.shares > 0.05).sum() >= 3 and state.model.average_pmax > 0.2


def test_an_imposed_symmetry_begins_as_the_mean_profile_and_sharpens_step_by_step(pair: tuple[Map, Map]) -> None:
    truth = phantom(BOX, PIXEL, "O", 300.0, seed=3)
    mixture = Mixture((truth, truth), 50, 0.5)
    plan = ClassPlan(1, 30, 4.0, replace(SEARCH, symmetry="O", diameter=140.0), VDAM_3D, limit=12.0, march=30.0)
    source = mixture.source(plan)
    first = initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0))
    turned = symmetrise_map(torch.from_numpy(first[0]), operators("O")).numpy()
    assert np.corrcoef(first[0].ravel(), turned.ravel())[0, 1] > 0.99
    state = loop.start(source, first, PIXEL, plan, np.zeros((50, 2)))
    sizes = [loop.image_size(replace(state, iteration=i, resolution_shell=BOX), plan) for i in range(30)]
    assert sizes[0] == 2 * round(BOX * PIXEL / 30) and sizes[15] == 2 * round(BOX * PIXEL / 12) == sizes[29] and sorted(sizes) == sizes


def test_a_step_repeats_to_the_bit(pair: tuple[Map, Map]) -> None:
    mixture = Mixture(pair, 60, 1.0)
    plan = ClassPlan(2, 3, 2.0, SEARCH, VDAM_2D, psi_step=np.radians(12))
    source = mixture.source(plan)
    references = initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0))
    one, two = (run(plan, mixture.source(plan), references) for _ in range(2))
    assert np.array_equal(one.model.maps, two.model.maps) and np.array_equal(one.classes, two.classes)
    assert one.momentum is not None and two.momentum is not None and np.array_equal(one.momentum.first, two.momentum.first)


def test_a_gradient_of_an_exact_model_is_small(pair: tuple[Map, Map]) -> None:
    """Noiseless images of the reference leave nothing of themselves: VDAM stays where it is, up to damping by its prior."""
    volume = pair[0]
    table = design(Design(60, (optics_group(PIXEL, BOX),), UniformPoses(0.0), seed=2, per_micrograph=1000))
    pixels = np.concatenate([np.asarray(block.pixels) for block in images(volume, table, WhiteNoise(50.0), seed=5)])
    plan = ClassPlan(1, 20, 4.0, SEARCH, VDAM_3D)
    source = make_source(table, lambda rows: pixels[rows], (BOX, PIXEL), DIAMETER, Budget(1 << 26, 1 << 28))
    state = run(replace(plan, iterations=4), source, initial.from_map(volume.data, PIXEL, plan))
    inside = state.model.maps[0] * maximise.flattened(np.ones((1, BOX, BOX, BOX), np.float32), plan, PIXEL, None)[0]
    assert np.corrcoef(inside.ravel(), filters.lowpass(torch.from_numpy(volume.data), PIXEL, 20.0).numpy().ravel())[0, 1] > 0.8


def test_an_inactive_class_is_replaced_by_the_one_that_moves_most() -> None:
    maps = np.stack([np.full((1, 8, 8), k, np.float32) for k in range(3)])
    model = loop.Classes(
        maps, *(np.zeros((3, 5)) for _ in range(3)), np.array([[0.6], [0.39], [0.01]]), np.ones((1, 5)), np.ones(1), 100.0, 1.0, 0.0, 0.0,
        np.full((3, 2), np.inf))
    momentum = maximise.new_momentum(model, 8, 2.0)
    momentum.first[0] = 1.0
    assert maximise.inactive(model, momentum, 0.1) == (2, 0)
    assert maximise.inactive(model, momentum, 0.0) is None
    new, moved = maximise.replaced(model, momentum, 2, 0)
    assert (new.maps[2] == new.maps[0]).all() and abs(new.shares.sum() - 1) < 1e-9
    assert new.shares[0] == new.shares[2] and (moved.first[2] == np.float32(0.9)).all()


def test_averages_are_moved_to_the_middle_with_their_momentum() -> None:
    maps = np.zeros((1, 1, 16, 16), np.float32)
    maps[0, 0, 11, 5] = 1.0  # y = +3, x = -3
    plan = ClassPlan(1, 10, 2.0, replace(SEARCH, offset_range=100.0), Em(), psi_step=0.1)
    model = loop.Classes(
        maps, *(np.zeros((1, 9)) for _ in range(3)), np.ones((1, 1)), np.ones((1, 9)), np.ones(1), 100.0, 1.0, 0.0, 0.0, np.full((1, 2), np.inf))
    momentum = maximise.new_momentum(model, 16, 2.0)
    momentum.first[:] = 1.0
    new, moved = maximise.centred(model, momentum, plan, PIXEL)
    assert new.maps[0, 0, 8, 8] == 1.0 and moved is not None
    assert np.allclose(np.abs(moved.first), 1.0, atol=1e-5) and np.abs(moved.first - 1).max() > 0.5


def test_poses_that_stay_leave_only_classes_to_find(pair: tuple[Map, Map]) -> None:
    mixture = Mixture((pair[0], pair[0]), 400, 0.05, views=True)
    plan = ClassPlan(4, 8, 2.0, SEARCH, Em(), psi_step=np.radians(6), align=False)
    source, poses = mixture.source(plan), mixture.truth.poses
    first = initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0))
    state = loop.start(source, first, PIXEL, plan, poses.origin, poses.angles)
    for step in loop.steps(state, source, plan):
        state = step.state
    assert np.array_equal(state.alignment.angles, poses.angles) and np.array_equal(state.alignment.origin, poses.origin)
    assert purity(state, mixture.label) > 0.95
    assert state.progress.angles < 1e-6 and state.progress.offsets == 0.0


@pytest.mark.parametrize("gradient", [False, True])
def test_a_kept_pose_scores_like_the_same_pose_of_the_search(pair: tuple[Map, Map], gradient: bool) -> None:
    """A search whose eight hypotheses are all the same pose has the evidence (but for log 8), residuals and sums of the kept pose."""
    mixture = Mixture((pair[0], pair[0]), 40, 0.5, views=True)
    plan = ClassPlan(3, 2, 2.0, SEARCH, VDAM_2D if gradient else Em(), psi_step=np.radians(6))
    source = mixture.source(plan)
    first = initial.from_particles(source, BOX, PIXEL, plan, generator(SEARCH, 0))
    state = loop.start(source, first, PIXEL, plan, np.zeros((40, 2)), np.zeros((40, 3)))
    setting = loop.Setting(plan.search, Sampling(0, 0.0, 1e-9), Still(1), 10, BOX, PIXEL, loop.Gaussian(1.0), gradient)
    belief, task = loop._belief(state.model), loop.Task(np.arange(40), state.alignment)
    one, found = loop.expect(belief, task, source, setting, Stopwatch())
    two, kept = expect_kept(belief, task, source, setting, Stopwatch())
    assert np.allclose(found.log_likelihood - np.log(8), kept.log_likelihood, atol=0.05)
    assert np.allclose(one.noise, two.noise, rtol=1e-3) and np.array_equal(one.classes, two.classes)
    for a, b in zip(one.sums, two.sums):
        for sums in (a, b):
            reconstruct.complete(sums, operators("C1"))
        assert torch.allclose(a.weight, b.weight, atol=1e-3 * float(a.weight.max()))
        assert torch.allclose(a.data, b.data, atol=1e-3 * float(a.data.abs().max()))


def test_no_particle_is_judged_by_a_map_that_it_made(pair: tuple[Map, Map]) -> None:
    """Once classes have formed, each half sees the other half's maps; a particle's own noise does not hold it."""
    mixture = Mixture(pair, 120, 0.5)
    plan = ClassPlan(2, 4, 4.0, SEARCH, Em(), cross=True)
    source = mixture.source(plan)
    low = np.stack([filters.lowpass(torch.from_numpy(m.data), PIXEL, 40.0).numpy() for m in pair])
    state = loop.start(source, low, PIXEL, plan, np.zeros((120, 2)))
    formed = replace(state, progress=replace(state.progress, switched=0.0))
    first = loop.step(formed, source, plan).state
    assert first.sides is not None and 0.3 < first.sides.side.mean() < 0.7
    for half in (0, 1):  # what a half sees was made without it: other pixels of its own change nothing there
        changed = Mixture(pair, 120, 0.5)
        mine = first.sides.side == half
        changed.pixels[mine] = np.random.default_rng(0).standard_normal((int(mine.sum()), BOX, BOX)).astype(np.float32)
        again = loop.step(formed, changed.source(plan), plan).state
        assert again.sides is not None and np.array_equal(again.sides.side, first.sides.side)
        other = again.sides.maps[1 - half]
        assert np.abs(other - first.sides.maps[1 - half]).max() > 0.05 * np.abs(other).max()
        np.testing.assert_allclose(again.sides.maps[half], first.sides.maps[half], atol=1e-5 * np.abs(other).max())
    state = run(plan, source, low)
    assert purity(state, mixture.label) > 0.8


def test_classes_that_have_not_formed_are_not_crossed(pair: tuple[Map, Map]) -> None:
    mixture = Mixture(pair, 60, 1.0)
    plan = ClassPlan(2, 1, 4.0, SEARCH, Em(), cross=True)
    state = run(plan, mixture.source(plan), initial.from_map(pair[0].data, PIXEL, plan))
    assert state.sides is None
