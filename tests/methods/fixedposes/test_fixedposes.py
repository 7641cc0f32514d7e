"""Laws of the classification with fixed poses, then its numbers on a small mixture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from verglas.core.mask import soft_sphere
from verglas.io.image_source import ImageSource
from verglas.io.particles_star import read_particles
from verglas.methods.fixedposes import bootstrap, loop, measure
from verglas.methods.fixedposes.expect import Rule, expect
from verglas.methods.fixedposes.images import Images, make_grid
from verglas.methods.fixedposes.maximise import particle_scales
from verglas.methods.fixedposes.model import Model
from verglas.methods.fixedposes.plan import GivenMaps, Online, Plan, PrincipalComponents, RandomSubsets
from verglas.methods.fixedposes.start import Masks, consensus
from verglas.runtime.blocks import Budget
from verglas.runtime.resources import Resources, apply
from verglas.testing.mixtures import agreement, two_states, write_mixture
from verglas.types import Particles

NUMBER = 300
PLAN = Plan(classes=2, resolution=16.0, coarsest=120.0, lowpass=25.0, diameter=150.0, start=PrincipalComponents(12, 100, 1), online=Online(epochs=0))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """As in a job; one thread is the quickest for maps this small."""
    apply(Resources(threads=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixture")
    truth = write_mixture(folder, two_states(), NUMBER, scale_sd=0.2)
    np.savez(folder / "truth.npz", classes=truth.class_number - 1, scale=truth.defocus.scale)
    return folder


@pytest.fixture(scope="module")
def truth(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(folder / "truth.npz") as kept:
        return kept["classes"], kept["scale"]


def make_task(folder: Path, plan: Plan = PLAN, work: int = 1 << 24, cache: int = 1 << 28, particles: Particles | None = None) -> loop.Task:
    particles = particles or read_particles(folder / "particles.star")
    grid = make_grid(32, 5.0, plan.resolution, plan.coarsest)
    images = Images(particles, ImageSource(particles, folder).read, grid, plan.diameter, Budget(work, cache))
    sphere = soft_sphere(grid.box, plan.diameter / (2 * grid.pixel), 3.0)
    return loop.Task(images, Masks(sphere, sphere), np.arange(len(particles)) % 2, plan)


@pytest.fixture(scope="module")
def task(folder: Path) -> loop.Task:
    return make_task(folder)


@pytest.fixture(scope="module")
def middle(task: loop.Task) -> Model:
    return consensus(task.images, task.masks, task.half, task.plan, np.ones(NUMBER))


@pytest.fixture(scope="module")
def begun(task: loop.Task, middle: Model) -> Model:
    return bootstrap.bootstrap(task.images, middle, task.masks, task.plan, task.generator)


def test_the_grid_holds_what_is_compared() -> None:
    grid = make_grid(256, 1.0, 8.0)
    assert grid.shells == 32 and grid.box >= 64 and grid.box * grid.pixel == pytest.approx(256.0)
    assert make_grid(64, 3.54, 7.1) == make_grid(64, 3.54, 7.08) and make_grid(64, 3.54, 7.08).box == 64


def test_blocks_do_not_change_the_sums(folder: Path, task: loop.Task, begun: Model) -> None:
    rows = np.arange(NUMBER)
    small = make_task(folder, work=1 << 18, cache=0)
    one, two = (expect(t.images, rows, begun, t.half, Rule(), 2.0, t.images.grid.shells) for t in (task, small))
    assert not small.images.cached and task.images.cached
    assert np.allclose(one.posterior, two.posterior, atol=1e-4) and np.allclose(one.posterior.sum(1), 1, atol=1e-5)
    assert np.allclose(one.noise, two.noise, rtol=1e-4)
    data = one.sums[0][0].data
    assert torch.allclose(data, two.sums[0][0].data, atol=1e-4 * float(data.abs().max()))


def test_classes_without_a_difference_know_nothing(task: loop.Task, middle: Model) -> None:
    same = middle.with_differences(np.zeros((3, *middle.consensus.shape)))
    tally = expect(task.images, np.arange(60), same, task.half, Rule(), 2.0, task.images.grid.shells)
    assert np.allclose(tally.posterior[:60], 1 / 3, atol=1e-6) and np.allclose(tally.gain, 0, atol=1e-9)
    assert measure.information(tally.posterior[:60]) == pytest.approx(0, abs=1e-6)
    assert measure.ess(tally.posterior[:60]) == pytest.approx(np.full(60, 3.0), rel=1e-4)


def test_no_image_is_compared_with_its_own_half(task: loop.Task, begun: Model) -> None:
    """Particles of the first half see only what the second half shows."""
    blind = replace(begun, by_half=np.stack((begun.by_half[0], np.zeros_like(begun.by_half[1]))), prior=np.full(2, 0.5))
    tally = expect(task.images, np.arange(40), blind, task.half, Rule(), 2.0, task.images.grid.shells)
    assert np.allclose(tally.posterior[:40][task.half[:40] == 0], 0.5, atol=1e-6)
    assert np.abs(tally.posterior[:40][task.half[:40] == 1] - 0.5).max() > 0.3


def test_hard_weights_and_similarity() -> None:
    from verglas.methods.fixedposes.expect import _weights

    posterior, prior = torch.tensor([[0.7, 0.3], [0.1, 0.9]]), torch.log(torch.tensor([0.5, 0.5]))
    assert _weights(posterior, prior, Rule(hard=True)).tolist() == [[1, 0], [0, 1]]
    assert _weights(posterior, prior, Rule(similarity=0.5))[0].tolist() == pytest.approx([0.6, 0.4])


def test_scales_are_found(task: loop.Task, middle: Model, truth: tuple[np.ndarray, np.ndarray]) -> None:
    scale = truth[1] / truth[1].mean()
    assert middle.scale.mean() == pytest.approx(1.0)
    assert np.corrcoef(middle.scale, scale)[0, 1] > 0.8
    assert (middle.scale - scale).std() < 0.6 * scale.std()


def test_uncertain_scales_stay_near_the_mean() -> None:
    from types import SimpleNamespace

    rng = np.random.default_rng(1)
    aa = np.full(2000, 4.0)
    noise_only = SimpleNamespace(xa=aa + rng.normal(0, 2.0, 2000), aa=aa)
    assert particle_scales(noise_only, np.arange(2000)).std() < 0.1  # type: ignore[arg-type]


def test_two_states_are_separated(task: loop.Task, begun: Model, truth: tuple[np.ndarray, np.ndarray]) -> None:
    *_, last = loop.steps(task, begun)
    assert last.converged and last.numbers.switches < 0.02
    assert agreement(last.state.posterior.argmax(1), truth[0]) > 0.85
    assert last.numbers.flow.sum() == NUMBER and last.gain.mean() > 1
    (pair,) = measure.contrasts(last.halves, last.state.posterior, task.masks.focus.numpy(), task.images.grid.first)
    assert pair.over_noise > 2 and measure.sameness((pair,), measure.information(last.state.posterior)) == ()


def test_outside_the_focus_mask_classes_are_the_same(task: loop.Task, begun: Model) -> None:
    focus = task.masks.solvent * (torch.arange(task.images.grid.box) > task.images.grid.box // 2)
    first = next(iter(loop.steps(replace(task, masks=Masks(task.masks.solvent, focus)), begun)))
    differences = first.state.model.differences
    assert not differences[:, focus.numpy() == 0].any() and np.abs(differences).max() > 0


def test_a_homogeneous_set_is_said_to_be_one(tmp_path: Path) -> None:
    write_mixture(tmp_path, two_states()[:1], NUMBER)
    task = make_task(tmp_path)
    middle = consensus(task.images, task.masks, task.half, task.plan, np.ones(NUMBER))
    begun = bootstrap.bootstrap(task.images, middle, task.masks, task.plan, task.generator)
    *_, last = loop.steps(replace(task, plan=replace(PLAN, online=Online(epochs=1, batch=100))), begun)
    pairs = measure.contrasts(last.halves, last.state.posterior, task.masks.focus.numpy(), task.images.grid.first)
    said = measure.sameness(pairs, measure.information(last.state.posterior))
    assert len(said) == 1 and "the same map" in said[0]


def test_batches_keep_what_they_learnt(task: loop.Task, begun: Model, truth: tuple[np.ndarray, np.ndarray]) -> None:
    seen: list[loop.Batch] = []
    quick = replace(task, plan=replace(PLAN, online=Online(epochs=2, batch=60)))
    model = loop.online(quick, begun, quick.generator, seen.append)
    assert len(seen) == seen[0].total >= 5 and seen[0].similarity == 0.5 and seen[-1].similarity == 0
    assert seen[0].rate == 1 and seen[1].rate > seen[-1].rate and seen[0].particles == 120
    first = next(iter(loop.steps(quick, model)))
    assert agreement(first.state.posterior.argmax(1), truth[0]) > 0.7


def test_given_maps_need_not_have_the_grey_scale(task: loop.Task, middle: Model, truth: tuple[np.ndarray, np.ndarray]) -> None:
    maps = np.stack([state.data for state in two_states()]) * 7.0
    begun = bootstrap.bootstrap(task.images, middle, task.masks, replace(PLAN, start=GivenMaps(maps)), task.generator)
    tally = expect(task.images, np.arange(NUMBER), begun, task.half, Rule(), 2.0, task.images.grid.shells)
    assert agreement(tally.posterior.argmax(1), truth[0]) > 0.8


def test_random_subsets_differ(task: loop.Task, middle: Model) -> None:
    begun = bootstrap.bootstrap(task.images, middle, task.masks, replace(PLAN, start=RandomSubsets(50)), task.generator)
    assert begun.differences.shape[0] == 2 and np.abs(begun.differences[0] - begun.differences[1]).max() > 0


def test_principal_components_are_those_of_the_maps() -> None:
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    maps = (rng.normal(size=(200, 2)) * [3.0, 1.0]) @ axes
    found = bootstrap.principal_components((maps - maps.mean(0)).reshape(200, 4, 4, 4).astype(np.float32), 2).reshape(2, -1)
    assert np.linalg.norm(found, axis=1) == pytest.approx([3.0, 1.0], rel=0.15)
    assert abs(found[0] @ axes[0]) / np.linalg.norm(found[0]) > 0.99


def test_measures_of_an_iteration() -> None:
    before, now = np.array([[1, 0], [1, 0], [0, 1.0]]), np.array([[1, 0], [0, 1.0], [0, 1.0]])
    maps = np.zeros((2, 2, 2, 2))
    found = measure.numbers(now, before, (maps, maps + 0.5), np.full((2, 2, 2), 2.0))
    assert found.flow.tolist() == [[1, 1], [0, 1]] and found.switches == pytest.approx(1 / 3)
    assert found.density == pytest.approx(0.25) and found.ess == pytest.approx(1.0) and found.sizes.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert measure.kl(now, now) == pytest.approx(0.0) and found.kl > 1
