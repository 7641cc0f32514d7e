"""Extraction against a float64 recipe written here from the formulas, and the laws of windows, shrinking, normalising and recentring."""

import numpy as np
import pytest
import torch

from verglas.core.rotations import euler_to_matrix
from verglas.methods.extract import Dust, Recipe, closest_edge, images, recentred, shrink, touches
from verglas.types import Poses


def field(seed: int = 0, shape: tuple[int, int] = (200, 240), level: float = 1000.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (level + 0.3 * x - 0.2 * y + rng.normal(0, 5, shape)).astype(np.float32)


def by_hand(micrograph: np.ndarray, x: float, y: float, recipe: Recipe) -> np.ndarray:
    """One image in float64, pixel by pixel and frequency by frequency."""
    box, side = recipe.box, recipe.rescale
    rows = np.clip(int(y) - box // 2 + np.arange(box), 0, micrograph.shape[0] - 1)
    columns = np.clip(int(x) - box // 2 + np.arange(box), 0, micrograph.shape[1] - 1)
    image = micrograph.astype(np.float64)[np.ix_(rows, columns)]
    if side != box:
        spectrum = np.fft.fft2(image) / box**2
        small = np.zeros((side, side), dtype=complex)
        half = side // 2
        for ky in range(-half + 1, half + 1):
            for kx in range(half + 1):
                small[ky % side, kx] = spectrum[ky % box, kx % box]
        image = np.fft.irfft2(small[:, : half + 1], s=(side, side)) * side**2
    first = (side - recipe.window) // 2
    image = image[first : first + recipe.window, first : first + recipe.window]
    if recipe.radius is not None:
        axis = np.arange(recipe.window) - recipe.window // 2
        yy, xx = np.meshgrid(axis, axis, indexing="ij")
        outside = np.hypot(xx, yy) > recipe.radius
        design = np.stack([xx[outside], yy[outside], np.ones(outside.sum())], axis=1) if recipe.ramp else np.ones((outside.sum(), 1))
        found = np.linalg.lstsq(design, image[outside], rcond=None)[0]
        image = image - (found[0] * xx + found[1] * yy + found[2] if recipe.ramp else found[0])
        image = (image - image[outside].mean()) / image[outside].std()
    return -image if recipe.invert else image


def run(micrograph: np.ndarray, xy: np.ndarray, recipe: Recipe) -> np.ndarray:
    return torch.cat([block for block, _ in images(micrograph, xy, recipe)]).numpy()


PLACES = np.array([[100.0, 90.0], [120.9, 60.2], [3.4, 5.5], [238.0, 199.0], [-5.0, 100.0]])


@pytest.mark.parametrize("recipe", [
    Recipe(64, 64, 64, 24.0), Recipe(64, 32, 32, 12.0), Recipe(64, 48, 40, 15.0), Recipe(64, 64, 64, None, invert=False),
    Recipe(64, 24, 24, 9.0, invert=False, ramp=False), Recipe(64, 26, 26, None),
])
def test_images_equal_a_float64_recipe(recipe: Recipe) -> None:
    micrograph = field()
    expected = np.stack([by_hand(micrograph, x, y, recipe) if x >= 0 else np.zeros((recipe.window,) * 2) for x, y in PLACES[:4]])
    found = run(micrograph, PLACES[:4], recipe)
    scale = 1.0 if recipe.radius is not None else 1000.0
    assert np.abs(found - expected).max() < 1e-4 * scale * (1 if recipe.radius else 0.01)


def test_background_has_mean_0_and_deviation_1_on_large_counts_and_ramps() -> None:
    x = np.mgrid[:200, :240][1]
    micrograph = (30000 + 100.0 * (x - 120) / 120 + np.random.default_rng(1).normal(0, 1, x.shape)).astype(np.float32)
    found = run(micrograph, PLACES[:2], Recipe(128, 128, 128, 48.0)).astype(np.float64)
    axis = np.arange(128) - 64
    outside = np.hypot(axis[:, None], axis) > 48
    for image in found:
        values = image[outside]
        assert abs(values.mean()) < 1e-3 and abs(values.std() - 1) < 1e-3
        slope = (values * np.broadcast_to(axis, (128, 128))[outside]).sum() / (np.broadcast_to(axis**2, (128, 128))[outside]).sum()
        assert abs(slope) * 64 < 1e-3


def test_shrinking_keeps_shells_constants_and_the_centre() -> None:
    rng = np.random.default_rng(2)
    data = torch.from_numpy(rng.normal(size=(2, 64, 64)))
    small = shrink(data, 24)
    before, after = np.fft.fft2(data.numpy()) / 64**2, np.fft.fft2(small.numpy()) / 24**2
    k = np.arange(-11, 12)
    assert np.abs(before[:, k[:, None], k] - after[:, k[:, None], k]).max() < 1e-12
    assert torch.allclose(shrink(torch.full((1, 64, 64), 7.0), 24), torch.full((1, 24, 24), 7.0))
    spike = torch.zeros(1, 64, 64, dtype=torch.float64)
    spike[0, 32, 32] = 1
    moved = shrink(spike, 32)[0].numpy()
    phase = np.angle(np.fft.fft2(np.roll(moved, (-16, -16), (0, 1)))[np.ix_([1, -1, 2], [1, -1, 2])])
    assert np.abs(phase).max() < 1e-10
    assert shrink(data, 64) is data


def test_white_noise_stays_white_at_the_new_nyquist_frequency() -> None:
    data = torch.randn(400, 32, 32, generator=torch.Generator().manual_seed(0))
    power = torch.fft.fft2(shrink(data, 16)).abs().square().mean(0)
    assert float(power[8, 1:8].mean() / power[1:8, 1:8].mean()) == pytest.approx(1.0, abs=0.1)


def test_windows_beyond_the_edge_repeat_the_nearest_pixel() -> None:
    micrograph = np.arange(40 * 50, dtype=np.float32).reshape(40, 50)
    image = run(micrograph, np.array([[0.0, 0.0]]), Recipe(8, 8, 8, None, invert=False))[0]
    assert image[4, 4] == pytest.approx(micrograph[0, 0], abs=1e-3)
    assert np.allclose(image[:4, 4:], micrograph[0, :4], atol=1e-3) and np.allclose(image[4:, :4], micrograph[:4, :1], atol=1e-3)
    xy = np.array([[4.0, 4.0], [3.9, 20.0], [46.9, 20.0], [47.0, 20.0], [-4.0, 20.0], [-4.1, 20.0], [53.9, 20.0], [54.0, 20.0]])
    assert closest_edge(xy, 8, (40, 50)).tolist() == [0, -1, 0, -1, -8, -9, -7, -8]
    assert touches(xy, 8, (40, 50)).tolist() == [True, True, True, True, False, False, True, False]


def test_dust_becomes_noise_and_flat_images_are_not_divided() -> None:
    micrograph = field(level=0.0)
    micrograph[100, 100], micrograph[95, 105] = 1e4, -1e4
    plain = run(micrograph, PLACES[:1], Recipe(64, 64, 64, 24.0, invert=False))
    clean = run(micrograph, PLACES[:1], Recipe(64, 64, 64, 24.0, invert=False, dust=Dust(white=5.0, black=5.0)))
    white = run(micrograph, PLACES[:1], Recipe(64, 64, 64, 24.0, invert=False, dust=Dust(white=5.0)))
    assert plain.max() > 100 and plain.min() < -100
    assert clean.max() < 10 and clean.min() > -10
    assert white.max() < 10 and white.min() < -100
    flat, sigma = next(images(np.full((100, 100), 500.0, dtype=np.float32), np.array([[50.0, 50.0]]), Recipe(32, 32, 32, 12.0)))
    assert not flat.any() and not sigma.any()


def test_results_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    micrograph, recipe = field(), Recipe(64, 32, 32, 12.0, dust=Dust(white=2.0))
    xy = np.random.default_rng(3).uniform(0, 200, (9, 2))
    whole = run(micrograph, xy, recipe)
    monkeypatch.setattr("verglas.methods.extract.recipe._BLOCK_BYTES", 1)
    assert np.abs(run(micrograph, xy, recipe) - whole).max() < 1e-5
    threads = torch.cat([block for block, _ in images(micrograph, xy, recipe, threads=3)]).numpy()
    assert np.abs(threads - whole).max() < 1e-5


def test_recentring_keeps_the_place_and_is_done_once() -> None:
    rng = np.random.default_rng(4)
    poses = Poses(rng.uniform(-3, 3, (50, 3)), rng.normal(0, 9, (50, 2)))
    xy = rng.uniform(0, 4000, (50, 2))
    moved, origin = recentred(xy, poses, 0.885, (0.0, 0.0, 0.0))
    assert np.abs((moved * 0.885 - origin) - (xy * 0.885 - poses.origin)).max() < 1e-9
    assert np.abs(origin).max() <= 0.885 / 2 + 1e-9 and np.array_equal((moved - xy) % 1, np.zeros_like(xy))
    again, same = recentred(moved, Poses(poses.angles, origin), 0.885, (0.0, 0.0, 0.0))
    assert np.array_equal(again, moved) and np.abs(same - origin).max() < 1e-9


def test_recentring_on_a_point_brings_it_to_the_middle() -> None:
    """A point c of the reference shows in the image at (A c)_xy - origin from the centre; after recentring at -origin'."""
    rng = np.random.default_rng(5)
    poses = Poses(rng.uniform(-3, 3, (20, 3)), rng.normal(0, 5, (20, 2)))
    xy, point = rng.uniform(100, 4000, (20, 2)), np.array([30.0, -12.0, 55.0])
    seen = (euler_to_matrix(torch.from_numpy(poses.angles)).numpy() @ point)[:, :2]
    place = xy * 1.3 + seen - poses.origin
    moved, origin = recentred(xy, poses, 1.3, (30.0, -12.0, 55.0))
    assert np.abs(moved * 1.3 - origin - place).max() < 1e-9
