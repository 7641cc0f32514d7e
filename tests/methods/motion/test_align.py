"""Alignment against truth: simulated movies of a few hundred pixels, noisy and not."""

import numpy as np
import pytest

from verglas.core.local_motion import local_shift
from verglas.methods.motion import Exposure, align, condition
from verglas.methods.motion.align import group_frames
from verglas.methods.motion.fit import equations, first_priors, make_design, solve
from verglas.methods.motion.steps import covariance, learned, usual

SIZE, FRAMES = 384, 12


def track(seed: int, frames: int = FRAMES) -> np.ndarray:
    """(F, 2) px of motion: fast at first, then with jitter; the first is 0."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None]
    moved = np.cumsum(np.array([2.0, -1.5]) * np.exp(-t / 3.0) + rng.normal(0, 0.15, (frames, 2)), 0)
    return moved - moved[0]


def specimen(seed: int, size: int = SIZE) -> np.ndarray:
    """Spectrum (size, size // 2 + 1) of a picture of deviation 1, rich below 1/8 cycles per px."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * np.exp(-((k / 0.08) ** 2)) * (k > 0)
    return spectrum / np.fft.irfft2(spectrum, s=(size, size)).std()


def moved(spectrum: np.ndarray, shift: np.ndarray, size: int = SIZE) -> np.ndarray:
    phase = np.exp(-2j * np.pi * (np.fft.fftfreq(size)[:, None] * shift[1] + np.fft.rfftfreq(size)[None] * shift[0]))
    return np.fft.irfft2(spectrum * phase, s=(size, size))


def locally(size: int, coefficients: np.ndarray, spectrum: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Frames (F, size, size) of a specimen that moves by minus the corrections `shifts` and the local model."""
    from scipy.ndimage import map_coordinates

    picture = np.fft.irfft2(spectrum, s=(size, size))
    y, x = np.mgrid[:size, :size].astype(float)
    out = []
    for z, one in enumerate(shifts):
        s = local_shift(coefficients, x / size - 0.5, y / size - 0.5, np.array(float(z)))
        out.append(map_coordinates(picture, [y + one[1] + s[..., 1], x + one[0] + s[..., 0]], order=5, mode="grid-wrap"))
    return np.stack(out)


def rms(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt((((a - a.mean(0)) - (b - b.mean(0))) ** 2).mean()))


def aligned(frames: np.ndarray, patches: int = 1, group: int = 1):  # type: ignore[no-untyped-def]
    shape = (frames.shape[1], frames.shape[2])
    movie = condition(iter(frames.astype(np.float32)), len(frames), np.ones(shape, np.float32), None, 2, 1, 0)
    return align(movie, Exposure(2.0, 300.0), (patches, patches), 150.0, group, "cpu")


def test_noiseless_movie_is_aligned_to_a_fiftieth_of_a_pixel() -> None:
    motion, spectrum = track(0), specimen(1)
    found = aligned(np.stack([moved(spectrum, one) + 5 for one in motion]))
    assert rms(found.track.shifts, -motion) < 0.02
    assert np.all(found.track.shifts[0] == 0) and not found.warnings and found.track.local is None


@pytest.mark.parametrize("seed", [0, 1])
def test_counted_electrons_and_the_error_that_is_claimed(seed: int) -> None:
    motion, spectrum = track(seed), specimen(seed + 5)
    rng = np.random.default_rng(seed)
    frames = np.stack([rng.poisson(np.clip(1.0 + 0.12 * moved(spectrum, one), 0, None)) for one in motion])
    found = aligned(frames)
    error = rms(found.track.shifts, -motion)
    assert error < 0.15
    assert 0.5 < error / found.error < 2.0


def test_local_motion_is_found_and_is_zero_in_the_first_frame() -> None:
    rng = np.random.default_rng(4)
    coefficients = np.zeros((2, 6, 3))
    coefficients[0, 1], coefficients[1, 3], coefficients[0, 5] = (0.5, -0.025, 0.0), (-0.6, 0.03, 0.0), (0.4, -0.02, 0.0)
    shifts = -track(3)
    frames = locally(SIZE, coefficients.reshape(2, 18), specimen(2), shifts)
    found = aligned(frames * 0.5 + rng.normal(1.0, 1.0, frames.shape), patches=5)
    u, v = (one.ravel() for one in np.meshgrid(np.linspace(-0.4, 0.4, 5), np.linspace(-0.4, 0.4, 5)))
    z = np.arange(float(FRAMES))
    true = local_shift(coefficients.reshape(2, 18), u[:, None], v[:, None], z[None])
    got = local_shift(found.track.local, u[:, None], v[:, None], z[None])
    assert np.sqrt((true**2).mean()) > 0.5
    assert np.sqrt(((got - true) ** 2).mean()) < 0.12
    assert rms(found.track.shifts, shifts) < 0.08
    assert found.track.patches is not None and len(found.track.patches.frame) == 25 * FRAMES


def test_a_static_pattern_does_not_hold_the_specimen() -> None:
    """A gradient of illumination does not move; the specimen's motion is found all the same."""
    motion, spectrum = track(2), specimen(3)
    light = np.linspace(0.5, 1.5, SIZE)[None] * np.ones((SIZE, 1))
    rng = np.random.default_rng(0)
    frames = np.stack([rng.poisson(np.clip(2 * light * (1.0 + 0.15 * moved(spectrum, one)), 0, None)) for one in motion])
    assert rms(aligned(frames).track.shifts, -motion) < 0.15


def test_groups_of_frames_are_sums_and_the_first_is_never_enlarged() -> None:
    small = np.arange(11.0)[:, None, None] * np.ones((1, 2, 2))
    sums, times = group_frames(small, 3)
    assert sums[:, 0, 0].tolist() == [3.0, 3 + 4 + 5 + 6, 7 + 8 + 9 + 10] and times.tolist() == [1.0, 4.5, 8.5]
    motion, spectrum = np.stack([np.linspace(0, 4, FRAMES), np.linspace(0, -2, FRAMES)], 1), specimen(7)
    found = aligned(np.stack([moved(spectrum, one) for one in motion]), group=2)
    assert found.track.shifts.shape == (FRAMES, 2) and rms(found.track.shifts, -motion) < 0.05


def test_fit_recovers_a_model_from_exact_equations() -> None:
    """Gradient = curvature times the distance from the truth: one step leads there when the data outweigh the priors."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-0.5, 0.5, (30, 2))
    design = make_design(centres, np.arange(10.0), 10.0, local=True)
    truth = np.concatenate([track(5, 10).T, rng.normal(size=(2, 15))], 1)
    truth[:, :10] -= truth[:, :10].mean(1, keepdims=True)
    information = rng.uniform(0.5, 1.5, 10)
    information /= information.sum()
    pairs = np.diag(information) - np.outer(information, information)
    gradient = 1e9 * np.einsum("fg,pgm,cm->pfc", pairs, design.matrix, truth)
    eq = equations(design, np.zeros_like(truth), gradient, np.full(30, 1e9), information)
    theta, _, _ = solve(eq, design, first_priors(np.arange(10.0)))
    np.testing.assert_allclose(theta, truth, atol=1e-4)


def noisy_steps(seed: int, frames: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True shifts (F, 2) of jitter (sd 0.15 px) and a fading drift; curvature and linear term of their steps when shifts are seen with `noise`."""
    rng = np.random.default_rng(seed)
    fading = np.exp(-np.arange(frames - 1) / 5.0)[:, None]
    after = np.tri(frames, frames - 1, -1)
    shifts = after @ (fading * rng.choice([-1.0, 1.0], 2) + rng.normal(0, 0.15, (frames - 1, 2)))
    differences = after.T @ (np.eye(frames) - 1.0 / frames) / noise**2
    return shifts, differences @ after, differences @ (shifts + rng.normal(0, noise, (frames, 2)))


def test_what_is_expected_of_steps_is_learned_from_the_movie() -> None:
    """Jitter is found within a factor of two, and with what was learned shifts are a third better than each frame by itself."""
    jitter, better = [], []
    for seed in range(12):
        times = np.arange(30.0)
        shifts, curvature, linear = noisy_steps(seed, 30, 0.25)
        steps = learned(usual(30), times, curvature, linear)
        jitter.append(steps.jitter)
        after = np.tri(30, 29, -1)
        found = [after @ np.linalg.solve(curvature + more, linear) for more in (np.linalg.inv(covariance(steps, times)), 0 * curvature)]
        better.append([rms(one, shifts) for one in found])
    with_priors, alone = np.sqrt((np.square(better)).mean(0))
    assert 0.075 < np.median(jitter) < 0.3
    assert with_priors < 0.67 * alone


def test_a_jump_is_not_smoothed_away() -> None:
    motion, spectrum = track(1), specimen(4)
    motion[6:] += (4.0, -3.0)
    rng = np.random.default_rng(1)
    frames = np.stack([rng.poisson(np.clip(1.0 + 0.12 * moved(spectrum, one), 0, None)) for one in motion])
    assert rms(aligned(frames).track.shifts, -motion) < 0.15
