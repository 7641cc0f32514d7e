"""Moving and adding frames: laws, and the CPU version against the definition."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch

from verglas.methods.motion import condition, dose, power, sums, warp
from verglas.methods.motion.align import unbinned
from verglas.methods.motion.conditioning import Movie


def movie(frames: int = 4, shape: tuple[int, int] = (90, 110), defects: np.ndarray | None = None, seed: int = 0) -> Movie:
    rng = np.random.default_rng(seed)
    raw = [rng.poisson(4, shape).astype(np.uint8) for _ in range(frames)]
    return condition(iter(raw), frames, rng.uniform(0.8, 1.2, shape).astype(np.float32), defects, 2, 2, seed)


def as_movie(raw: np.ndarray) -> Movie:
    """raw (F, ny, nx) float32 as it is."""
    return Movie(raw, np.ones(raw.shape[1:], np.float32), np.zeros(0, np.int64), np.zeros((len(raw), 0), np.float32), np.zeros((0, 2)), raw, 1, 1.0)


def test_without_motion_the_sum_is_the_sum() -> None:
    m = movie(5, (91, 110))
    s = sums.sums(m, np.zeros((5, 2, 6), np.float32), None, 1.0, sums.Wanted(weighted=False, plain=True, halves=True), "cpu")
    assert s.plain is not None and s.even is not None and s.odd is not None and s.weighted is None
    np.testing.assert_allclose(s.plain, sum(m.frame(i) for i in range(5)), atol=2e-4)
    np.testing.assert_allclose(s.even, m.frame(0) + m.frame(2) + m.frame(4), atol=2e-4)
    np.testing.assert_allclose(s.odd, m.frame(1) + m.frame(3), atol=2e-4)


def test_whole_pixels_roll_the_frames() -> None:
    m = movie(3)
    shifts = np.array([[0, 0], [3, -2], [-7, 5]], float)
    s = sums.sums(m, sums.motion_polynomials(shifts, None), None, 1.0, sums.Wanted(weighted=False, plain=True), "cpu")
    expected = sum(np.roll(m.frame(i), (int(y), int(x)), (0, 1)) for i, (x, y) in enumerate(shifts))
    np.testing.assert_allclose(s.plain, expected, atol=2e-4)


def test_a_wave_is_brought_back_by_a_fraction_of_a_pixel() -> None:
    """cos(2 pi k (x - d)) moved by -d is cos(2 pi k x), up to two thirds of the highest frequency."""
    ny, nx, d = 64, 96, 0.37
    x = np.arange(nx)
    for cycles in (5, 16, 32):
        wave = np.cos(2 * np.pi * cycles * (x - d) / nx)
        frame = np.tile((100 * wave + 200).astype(np.float32), (ny, 1))
        m = as_movie(frame[None])
        s = sums.sums(m, sums.motion_polynomials(np.array([[-d, 0.0]]), None), None, 1.0, sums.Wanted(weighted=False, plain=True), "cpu")
        assert s.plain is not None
        np.testing.assert_allclose(s.plain[3], 200 + 100 * np.cos(2 * np.pi * cycles * x / nx), atol=3.0)


def test_cpu_version_is_the_definition() -> None:
    defects = np.zeros((90, 110), bool)
    defects[10:14, 20] = defects[89, 109] = True
    m, rng = movie(defects=defects), np.random.default_rng(1)
    poly = np.zeros((4, 2, 6), np.float32)
    poly[:, :, 0] = rng.normal(0, 5, (4, 2))
    weights = rng.normal(size=(3, 4)).astype(np.float32)
    cpu = sums.warped(m, poly, weights, "cpu")
    definition = warp.warped_sums(warp.conditioned(m, torch.device("cpu")), torch.from_numpy(poly), torch.from_numpy(weights))
    torch.testing.assert_close(cpu, definition, atol=2e-3, rtol=0)
    poly[:, :, 1:] = rng.normal(0, 0.3, (4, 2, 5))  # steeper than any real motion; segments of 16 px share a shift
    cpu = sums.warped(m, poly, weights, "cpu")[:, 20:-20, 20:-20]
    definition = warp.warped_sums(warp.conditioned(m, torch.device("cpu")), torch.from_numpy(poly), torch.from_numpy(weights))[:, 20:-20, 20:-20]
    assert float((cpu - definition).std() / definition.std()) < 0.02


def test_threads_do_not_change_sums_and_may_add_at_the_same_time() -> None:
    """Bit for bit: strips shared by three threads, and four movies at once in threads of their own."""
    movies = [movie(6, (150, 130), seed=seed) for seed in range(4)]
    poly = np.random.default_rng(0).normal(0, 2, (6, 2, 6)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(2, 6)).astype(np.float32)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = [sums.warped(m, poly, weights, "cpu") for m in movies]
        small = [m.small for m in movies]
        numba.set_num_threads(min(3, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        assert all(torch.equal(sums.warped(m, poly, weights, "cpu"), one) for m, one in zip(movies, alone))
        assert all(np.array_equal(movie(6, (150, 130), seed=seed).small, one) for seed, one in enumerate(small))
    finally:
        numba.set_num_threads(before)
    with ThreadPoolExecutor(4, initializer=numba.set_num_threads, initargs=(1,)) as pool:
        assert all(torch.equal(one, two) for one, two in zip(pool.map(lambda m: sums.warped(m, poly, weights, "cpu"), movies), alone))


def test_dose_weighting_keeps_white_noise_flat_and_follows_its_formula() -> None:
    frames, n, px = 10, 128, 1.0
    m = movie(frames, (n, n))
    exposure = dose.dose_after(frames, 2.0, 1.0)
    s = sums.sums(m, np.zeros((frames, 2, 6), np.float32), sums.dose_basis(exposure, 0.75, 300.0), px, sums.Wanted(), "cpu")
    ky, kx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    w = dose.attenuation(np.hypot(ky, kx) / px, exposure, 300.0)
    spectra = np.stack([np.fft.rfft2(m.frame(i)) for i in range(frames)])
    expected = np.fft.irfft2((w * spectra).sum(0) / np.sqrt((w**2).sum(0)), s=(n, n))
    assert s.weighted is not None
    assert np.abs(s.weighted - expected).max() < 1e-3 * expected.std()


def test_binning_crops_frequencies() -> None:
    m = movie(3, (96, 120))
    s = sums.sums(m, np.zeros((3, 2, 6), np.float32), None, 1.0, sums.Wanted(weighted=False, plain=True, binning=1.5), "cpu")
    assert s.plain is not None and s.plain.shape == (64, 80)
    full, small = np.fft.rfft2(sum(m.frame(i) for i in range(3)), norm="forward"), np.fft.rfft2(s.plain, norm="forward")
    np.testing.assert_allclose(small[:20, :30], full[:20, :30], atol=1e-4)


def binned(picture: np.ndarray, b: int) -> np.ndarray:
    """Edges repeated, folded three times with a box of b px along both axes, every b-th value."""
    box = np.convolve(np.convolve(np.ones(b), np.ones(b)), np.ones(b)) / b**3
    wide = np.pad(picture.astype(float), b - 1, mode="edge")
    for axis in (0, 1):
        size = picture.shape[axis] // b
        wide = np.stack([(np.take(wide, range(j * b, j * b + 3 * b - 2), axis) * np.expand_dims(box, 1 - axis)).sum(axis) for j in range(size)], axis)
    return wide


@pytest.mark.parametrize(("shape", "b"), [((91, 110), 1), ((91, 110), 2), ((100, 83), 3), ((66, 70), 5)])
def test_small_pictures_are_binned_by_a_spline_and_its_inverse_is_exact(shape: tuple[int, int], b: int) -> None:
    rng = np.random.default_rng(0)
    raw = rng.poisson(4, (2, *shape)).astype(np.uint8)
    gain = rng.uniform(0.8, 1.2, shape).astype(np.float32)
    gain[0, 5] = gain[40, 41:43] = gain[-1, -1] = 0
    m = condition(iter(raw), 2, gain, None, 2, b, 0)
    np.testing.assert_allclose(m.small[1], binned(m.frame(1), b), atol=1e-5)


@pytest.mark.parametrize("b", [1, 2, 3])
def test_what_binning_weakens_is_given_back(b: int) -> None:
    """A wave of 17 periods in 60 small pixels, away from the edges."""
    phase = 2 * np.pi * 17 * (np.arange(60 * b) - (b - 1) / 2) / (60 * b)
    frame = np.tile(np.cos(phase).astype(np.float32), (60 * b, 1))
    small = condition(iter([frame]), 1, np.ones(frame.shape, np.float32), None, 2, b, 0).small[0]
    expected = np.cos(2 * np.pi * 17 * np.arange(60) / 60) / float(unbinned((60, 60), b)[0, 17])
    np.testing.assert_allclose(small[30, 2:-2], expected[2:-2], atol=1e-5)


def test_hot_and_dead_pixels_are_found_and_replaced() -> None:
    rng = np.random.default_rng(3)
    shape, frames = (200, 260), 12
    hot = rng.choice(200 * 260, 30, replace=False)
    gain = np.ones(shape, np.float32)
    gain[50, 60:64] = 0
    raw = rng.poisson(1.0, (frames, *shape)).astype(np.uint8)
    raw.reshape(frames, -1)[:, hot] = 10
    m = condition(iter(raw), frames, gain, None, 2, 2, 0)
    found = {(int(x), int(y)) for x, y in m.hot}
    wanted = {(int(i) % 260, int(i) // 260) for i in hot if gain.reshape(-1)[i] > 0}
    assert wanted <= found and len(found - wanted) <= 1
    assert m.frame(3).max() < 10 and m.values.shape == (frames, len(m.bad))
    np.testing.assert_allclose(m.small[5], binned(m.frame(5), 2), atol=1e-5)
    assert np.array_equal(m.values, condition(iter(raw), frames, gain, None, 2, 2, 0).values)


@pytest.mark.parametrize("shape", [(256, 256), (200, 256), (256, 181)])
def test_power_spectrum_shows_a_ring_where_its_pixel_size_says(shape: tuple[int, int]) -> None:
    """Noise of one frequency (9 Å) only: the ring lies at n px / 9 pixels from the middle, also when the frame is not square."""
    rng = np.random.default_rng(0)
    ny, nx = shape
    k = np.hypot(np.fft.fftfreq(ny)[:, None], np.fft.rfftfreq(nx)[None])
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(ny, nx))) * (abs(k - 1.0 / 9.0) < 0.004), s=(ny, nx))
    raw = (100 + 30 * noise / noise.std()).astype(np.float32)[None]
    s = power.power_spectrum(raw[0], 1.0, "cpu", size=128)
    n = len(s.picture)
    y, x = np.indices(s.picture.shape) - n // 2
    radius = np.hypot(x, y)
    weight = np.where(radius > 5, s.picture.clip(0), 0) ** 2
    assert s.picture.shape == (n, n)
    assert (weight * radius).sum() / weight.sum() == pytest.approx(n * s.pixel_size / 9.0, rel=0.02)
    for angle in (0, 1):
        part = (abs(y) > abs(x)) if angle else (abs(x) > abs(y))
        assert (weight * radius)[part].sum() / weight[part].sum() == pytest.approx(n * s.pixel_size / 9.0, rel=0.03)
