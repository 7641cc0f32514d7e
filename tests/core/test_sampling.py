"""Orientation grids: RELION's directions, children, perturbations; local candidates against the definition."""

from math import pi

import numpy as np
import pytest
import torch

from verglas.core import rotations as rot
from verglas.core import sampling, sphere
from verglas.core.symmetry import in_asymmetric_unit, operators
from verglas.testing.data import shared_data


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_steps_are_relions() -> None:
    degrees = [round(np.degrees(sampling.orientation_grid(o, "O").step), 4) for o in range(6)]
    assert degrees == [60, 30, 15, 7.5, 3.75, 1.875]
    grid = sampling.orientation_grid(2, "C1")
    assert (grid.direction_count, grid.psi_count, grid.rotation_count) == (192, 24, 192 * 24)
    assert grid.psi_step == pytest.approx(pi / 12)


@pytest.mark.parametrize(
    ("symmetry", "counts"),
    [("C1", (48, 192, 768)), ("C2", (24, 96, 384)), ("C3", (14, 60, 248)), ("C7", (5, 24, 106)), ("D2", (12, 48, 192)),
     ("D3", (8, 33, 129)), ("D4", (6, 24, 96)), ("D7", (3, 13, 53)), ("O", (1, 7, 32)), ("I1", (1, 3, 12)),
     ("I2", (1, 2, 11)), ("I3", (1, 4, 12)), ("I4", (1, 2, 11))],
)  # fmt: skip
def test_numbers_of_directions_are_relions(symmetry: str, counts: tuple[int, int, int]) -> None:
    """As RELION 3.1 lists for orders 1, 2, 3, but for I2 and I3 at order 1, where it has none and cannot run."""
    assert tuple(sampling.orientation_grid(o, symmetry).direction_count for o in (1, 2, 3)) == counts


@pytest.mark.parametrize(
    "path", ["bgal-relion5-refine/run_it008_sampling.star", "bgal-relion5-refine/run_sampling.star"]
)
def test_directions_of_a_relion_run(path: str) -> None:
    """The directions of D2 refinements at orders 2 and 5, in the same order."""
    text = shared_data(path).read_text().split("data_sampling_directions")[1]
    rows = [line.split() for line in text.splitlines() if line.strip() and line.split()[0][0] in "-0123456789"]
    angles = torch.tensor([[float(a), float(b)] for a, b, *_ in rows], dtype=torch.float64).deg2rad()
    order = {48: 2, 3072: 5}[len(rows)]
    ours = sampling.directions(sampling.orientation_grid(order, "D2"))
    torch.testing.assert_close(ours, rot.direction_to_vector(angles[:, 0], angles[:, 1]), atol=1e-7, rtol=0)


@pytest.mark.parametrize("symmetry", ["C1", "C3", "D2", "D7", "T", "O", "I1", "I2", "I3", "I4"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_the_grid_covers_each_orbit_once(symmetry: str, order: int) -> None:
    """Every direction has a mate near a grid direction, and no grid direction has another as its mate.

    HEALPix does not share the symmetry of Dn (odd n) and I, so that across their borders, as in RELION, gaps are wider.
    """
    grid, group = sampling.orientation_grid(order, symmetry), operators(symmetry)
    d = sampling.directions(grid)
    probes = rot.random_rotations(500, generator())[:, 2]
    mates = torch.einsum("da,sab->dsb", probes, group)
    nearest = (mates @ d.T).amax((1, 2)).clamp(max=1).acos()
    assert nearest.max() < (1.9 if symmetry in ("D7", "I1", "I2", "I3", "I4") else 1.1) * grid.step
    other = torch.einsum("da,sab->dsb", d, group)
    angles = (other @ d.T).clamp(-1, 1).acos().amin(1)
    angles.fill_diagonal_(9.0)
    assert angles.min() > 0.49 * np.sqrt(4 * pi / sphere.npix(order))
    if grid.direction_count > 1:
        assert in_asymmetric_unit(symmetry, d).all()


def test_rotation_numbers() -> None:
    grid = sampling.orientation_grid(1, "D2")
    everything = sampling.rotations(grid)
    assert everything.shape == (grid.rotation_count, 3, 3)
    phi, theta = sphere.pix2ang_nest(1, grid.pixels)
    angles = rot.matrix_to_euler(everything).reshape(grid.direction_count, grid.psi_count, 3)
    assert torch.remainder(angles[..., 0] - torch.tensor(phi)[:, None] + 1, 2 * pi).sub(1).abs().max() < 1e-12
    assert (angles[..., 1] - torch.tensor(theta)[:, None]).abs().max() < 1e-12
    psi = torch.arange(grid.psi_count, dtype=torch.float64) * grid.psi_step
    assert torch.remainder(angles[..., 2] - psi + 1, 2 * pi).sub(1).abs().max() < 1e-12
    some = torch.tensor([5, 0, 77])
    assert torch.equal(sampling.rotations(grid, some), everything[some])


def test_perturbation_multiplies_from_the_right() -> None:
    grid = sampling.orientation_grid(2, "C1")
    v = 0.3 * grid.step
    extra = rot.euler_to_matrix(torch.tensor([v, v, v], dtype=torch.float64))
    torch.testing.assert_close(sampling.rotations(grid, None, 0.3), sampling.rotations(grid) @ extra)
    ids = torch.arange(10)
    torch.testing.assert_close(
        sampling.children(grid, ids, 1, 0.3), sampling.children(grid, ids) @ extra, atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("oversampling", [0, 1, 2])
def test_children(oversampling: int) -> None:
    """8^o of them, unique, inside the parent's pixel and psi interval, and on average at the parent."""
    grid = sampling.orientation_grid(2, "D2")
    parents = torch.arange(grid.rotation_count)
    ids = sampling.child_ids(grid, parents, oversampling)
    assert ids.shape == (len(parents), 8**oversampling)
    assert len(ids.unique()) == ids.numel()
    fine = sampling.children(grid, parents, oversampling)
    torch.testing.assert_close(fine[7], sampling.child_rotations(grid, ids[7], oversampling))
    angles = rot.matrix_to_euler(fine)
    pixel = sphere.ang2pix_nest(2, angles[..., 0].numpy(), angles[..., 1].numpy())
    np.testing.assert_array_equal(pixel, np.repeat(grid.pixels, grid.psi_count)[:, None] + np.zeros_like(ids.numpy()))
    psi = torch.arange(grid.psi_count, dtype=torch.float64).repeat(grid.direction_count) * grid.psi_step
    off = torch.remainder(angles[..., 2] - psi[:, None] + pi, 2 * pi) - pi
    assert off.mean(1).abs().max() < 1e-12
    expected = (torch.arange(2**oversampling) + 0.5) / 2**oversampling - 0.5
    torch.testing.assert_close(off[3].reshape(-1, 2**oversampling)[-1], expected.double() * grid.psi_step)
    mean = fine[:, :, 2].mean(1)
    mean = mean / mean.norm(dim=1, keepdim=True)
    assert (mean * sampling.rotations(grid)[:, 2]).sum(1).clamp(max=1).acos().max() < 0.15 * grid.step


def test_children_of_all_directions_are_the_finer_grid() -> None:
    coarse, fine = sampling.orientation_grid(1, "C1"), sampling.orientation_grid(2, "C1")
    ids = sampling.child_ids(coarse, torch.arange(coarse.rotation_count))
    assert len(ids.unique()) == fine.rotation_count
    np.testing.assert_array_equal(np.unique(ids.numpy() // fine.psi_count), fine.pixels)


def test_perturbations_stay_within_the_factor() -> None:
    g, value, seen = generator(), 0.0, []
    for _ in range(2000):
        new = sampling.next_perturbation(value, g)
        moved = (new - value) % 1.0
        assert 0.25 <= moved <= 0.5
        seen.append(new)
        value = new
    assert min(seen) >= -0.5 and max(seen) < 0.5
    assert abs(np.mean(seen)) < 0.03 and np.std(seen) == pytest.approx(12**-0.5, rel=0.05)
    assert sampling.next_perturbation(0.2, generator(5)) == sampling.next_perturbation(0.2, generator(5))
    assert sampling.next_perturbation(0.2, g, factor=0.0) == 0.0


def every_candidate(
    grid: sampling.Grid, centre: torch.Tensor, sigmas: tuple[float, float], perturbation: float, group: torch.Tensor
) -> dict[int, float]:
    """The prior mode by definition: all grid matrices, their Euler angles, all mates; rotation number -> prior."""
    matrices = sampling.rotations(grid, None, perturbation).reshape(grid.direction_count, grid.psi_count, 3, 3)
    mates = centre @ group
    angles = (mates[:, 2] @ matrices[:, 0, 2].T).clamp(-1, 1).acos()
    mate, weights = angles.argmin(0), _prior(angles.amin(0), sigmas[0])
    found = {}
    for j in torch.nonzero(weights)[:, 0].tolist():
        q = matrices[j] @ mates[mate[j]].T
        turn = torch.atan2(q[:, 0, 1] - q[:, 1, 0], q[:, 0, 0] + q[:, 1, 1])
        for i, w in enumerate((weights[j] * _prior(turn.abs(), sigmas[1])).tolist()):
            if w > 0:
                found[j * grid.psi_count + i] = w
    return found


def _prior(distance: torch.Tensor, sigma: float) -> torch.Tensor:
    weight = torch.exp(-0.5 * (distance / sigma) ** 2) * (distance <= 3 * sigma)
    if not weight.any():
        weight[distance.argmin()] = 1.0
    return weight / weight.sum()


@pytest.mark.parametrize("symmetry", ["C1", "C5", "D2", "O", "I3"])
@pytest.mark.parametrize(
    ("order", "sigmas", "perturbation"),
    [
        (2, (0.2, 0.2), 0.3),
        (2, (0.01, 0.01), -0.4),
        (2, (0.2, 1.4), 0.0),
        (3, (0.05, 0.1), 0.45),
        (1, (1.2, 0.001), 0.1),
    ],
)
def test_local_candidates_are_those_of_the_definition(
    symmetry: str, order: int, sigmas: tuple[float, float], perturbation: float
) -> None:
    group, grid = operators(symmetry), sampling.orientation_grid(order, symmetry)
    centres = rot.random_rotations(5, generator(order))
    found = sampling.local_candidates(grid, centres, *sigmas, perturbation, group)
    for n, centre in enumerate(centres):
        part = slice(int(found.offsets[n]), int(found.offsets[n + 1]))
        expected = every_candidate(grid, centre, sigmas, perturbation, group)
        ours = dict(zip(found.rotation[part].tolist(), found.log_prior[part].exp().tolist()))
        assert set(ours) == set(expected)
        assert max(abs(ours[k] - expected[k]) for k in expected) < 1e-6


def test_local_priors_sum_to_one_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    group, grid = operators("D2"), sampling.orientation_grid(3, "D2")
    centres = rot.random_rotations(300, generator())
    found = sampling.local_candidates(grid, centres, 0.15, 0.2, 0.1, group)
    assert found.log_prior.dtype == torch.float32 and found.offsets[-1] == len(found.rotation)
    particle = torch.repeat_interleave(torch.arange(300), found.offsets.diff())
    total = torch.zeros(300).index_add(0, particle, found.log_prior.exp())
    torch.testing.assert_close(total, torch.ones(300), atol=1e-5, rtol=0)
    monkeypatch.setattr("verglas.core.neighbours._BLOCK", 5000)
    for ours, again in zip(found, sampling.local_candidates(grid, centres, 0.15, 0.2, 0.1, group)):
        assert torch.equal(ours, again)


def test_no_particles_give_no_candidates() -> None:
    grid = sampling.orientation_grid(2, "C1")
    found = sampling.local_candidates(grid, torch.zeros(0, 3, 3), 0.1, 0.1, 0.0, operators("C1"))
    assert found.offsets.tolist() == [0] and len(found.rotation) == 0


def test_symmetry_mates_of_the_prior_find_the_same_physical_poses() -> None:
    """Searching around A or around its mate A S gives the same candidates with the same priors, away from borders."""
    group, grid = operators("D3"), sampling.orientation_grid(3, "D3")
    centres = rot.random_rotations(50, generator(3))
    first = sampling.local_candidates(grid, centres, 0.1, 0.15, 0.2, group)
    for s in group:
        again = sampling.local_candidates(grid, centres @ s, 0.1, 0.15, 0.2, group)
        assert torch.equal(first.rotation, again.rotation)
        torch.testing.assert_close(first.log_prior, again.log_prior, atol=1e-5, rtol=0)


def test_a_prior_on_the_perturbed_grid_is_its_own_best_candidate() -> None:
    group, grid = operators("D2"), sampling.orientation_grid(3, "D2")
    chosen = torch.arange(11, grid.rotation_count, 997)
    centres = sampling.rotations(grid, chosen, 0.37)
    found = sampling.local_candidates(grid, centres, 0.1, 0.1, 0.37, group)
    for n, index in enumerate(chosen):
        part = slice(int(found.offsets[n]), int(found.offsets[n + 1]))
        assert found.rotation[part][found.log_prior[part].argmax()] == index
