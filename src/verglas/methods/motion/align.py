"""Alignment of one movie: a search for whole frames, then Newton steps for whole frames and local motion together."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import pi

import numpy as np
import torch
from torch import Tensor

from verglas.core.fourier import crop
from verglas.core.local_motion import SPACE, TIME, local_shift
from verglas.methods.motion import fit, warp
from verglas.methods.motion.conditioning import Movie
from verglas.methods.motion.dose import dose_after
from verglas.methods.motion.filter import Filtered, filtered, slope, used_size
from verglas.methods.motion.search import TOLERANCE, search
from verglas.types.motion import MotionTrack, PatchTracks

STEPS, CONVERGED = 6, 0.015
"""Newton steps at most; done when the tracks moved by less than so many px rms."""
BINNED_PIXEL = 2.0
"""Å; about the pixel size at which motion is measured."""
FADE = 0.04
"""Part of a side along which the edges fade."""
FEWEST_PATCHES = 3


@dataclass(frozen=True)
class Exposure:
    """pixel_size Å of the frames; dose_rate e/Å² per frame; first_frame: of those used, in the file, from 0."""

    pixel_size: float
    voltage_kv: float
    dose_rate: float = 0.0
    pre_exposure: float = 0.0
    first_frame: int = 0


@dataclass(frozen=True)
class Aligned:
    """track without the names of files; error: expected rms error px of the global track; local_rms: Å over the field at the end."""

    track: MotionTrack
    iterations: int
    error: float
    local_rms: float
    warnings: tuple[str, ...]


def small_bin(shape: tuple[int, int], pixel_size: float) -> int:
    """Binning of the pictures in which motion is measured."""
    return max(1, min(round(BINNED_PIXEL / pixel_size), min(shape) // 256))


def group_frames(small: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of `group` frames (later groups take the remainder, one frame more each) and the middle of each in frames from 0."""
    count = len(small)
    groups = count // group
    sizes = np.full(groups, group)
    for extra in range(count - groups * group):
        sizes[groups - 1 - extra % groups] += 1
    edges = np.concatenate([[0], np.cumsum(sizes)])
    if group == 1:
        return small, np.arange(count, dtype=float)
    return np.stack([small[a:b].sum(0) for a, b in pairwise(edges)]), (edges[:-1] + edges[1:] - 1) / 2.0


def align(movie: Movie, exposure: Exposure, patches: tuple[int, int], bfactor: float, group: int, device: str) -> Aligned:
    """Motion of `movie`; local motion when both numbers of patches (x, y) are 3 or more."""
    count, ny, nx = movie.raw.shape
    small, times = group_frames(movie.small, group)
    shape, scale = (small.shape[1], small.shape[2]), float(movie.bin)
    size = used_size(shape, scale * exposure.pixel_size)
    spectra = torch.empty(len(small), size[0], size[1] // 2 + 1, dtype=torch.complex64, device=device)
    level, flat = leveller(shape, device), crop(unbinned(shape, movie.bin), size).to(device)
    for i, one in enumerate(small):
        spectra[i] = crop(torch.fft.rfft2(level(torch.from_numpy(one).to(device))), size) * flat
    found = search(spectra, shape, scale, bfactor)
    dose = dose_after(count, exposure.dose_rate, exposure.pre_exposure, exposure.first_frame) - 0.5 * exposure.dose_rate
    middle = np.interp(times, np.arange(count), dose)
    pictures = filtered(spectra, shape, scale, found.shifts, exposure.pixel_size, middle, exposure.voltage_kv)
    del spectra
    local = min(patches) >= FEWEST_PATCHES
    grid = (patches[1], patches[0]) if local else (1, 1)
    centres = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n - 0.5 for n in grid[::-1])), -1).reshape(-1, 2)
    design = fit.make_design(centres, times, float(count), local)
    theta = np.zeros((2, design.size))
    theta[:, : len(times)] = found.shifts.double().cpu().numpy().T
    priors, iterations, change = fit.first_priors(times), 0, np.inf
    while iterations < STEPS and change > CONVERGED:
        measured = measure(pictures, polynomials(theta, times, float(count)), grid, scale)
        eq = fit.equations(design, theta, measured.gradient, measured.curvature, pictures.information)
        new, priors, covariance = fit.solve(eq, design, priors)
        moved = np.einsum("pfm,cm->pfc", design.matrix, new - theta)
        change = float(np.sqrt(((moved - moved.mean(1, keepdims=True)) ** 2).mean()))
        theta, iterations = new, iterations + 1
    warnings = []
    if found.last > TOLERANCE or change > 5 * CONVERGED:
        warnings.append(f"alignment has not converged (last change {max(change, found.last if found.last > TOLERANCE else 0):.2f} px)")
    return _result(theta, times, count, (ny, nx), exposure, local, _tracks(measured, design, theta, pictures, grid, times, (ny, nx)),
                   iterations + found.rounds, _error(covariance, design), tuple(warnings))


def leveller(shape: tuple[int, int], device: str) -> Callable[[Tensor], Tensor]:
    """Takes from a picture (my, mx) its second-order surface and lets its edges fade: light that does not move must not look like specimen."""
    (y, x), fade = (torch.linspace(-1.0, 1.0, n, device=device) for n in shape), []
    terms = [torch.stack([torch.ones_like(one), one, one**2 - (one**2).mean()]) for one in (y, x)]
    terms = [one / one.norm(dim=1, keepdim=True) for one in terms]
    for n in shape:
        inside = (torch.arange(n, device=device) + 0.5).minimum(n - torch.arange(n, device=device) - 0.5)
        fade.append(torch.sin(0.5 * torch.pi * (inside / (FADE * n)).clamp(max=1.0)) ** 2)
    low = torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 0, 0]], device=device)  # orders up to 2

    def level(picture: Tensor) -> Tensor:
        surface = terms[0].T @ ((terms[0] @ picture @ terms[1].T) * low) @ terms[1]
        return (picture - surface) * fade[0][:, None] * fade[1][None]

    return level


def unbinned(shape: tuple[int, int], b: int) -> Tensor:
    """(my, mx // 2 + 1): 1 / (T(ky) T(kx)), T = (sin(pi k b) / (b sin(pi k)))³: what binning by `spline` has weakened is given back."""
    y, x = (pi * k.clamp(min=1e-9) / b for k in (torch.fft.fftfreq(shape[0]).abs(), torch.fft.rfftfreq(shape[1])))
    return (b * y.sin() / (b * y).sin()).pow(3)[:, None] * (b * x.sin() / (b * x).sin()).pow(3)


def polynomials(theta: np.ndarray, times: np.ndarray, length: float) -> np.ndarray:
    """(F, 2, 6): theta (2, M) as polynomials over 1, u, u², v, v², uv for each frame."""
    frames = len(times)
    out = np.zeros((frames, 2, SPACE))
    out[:, :, 0] = theta[:, :frames].T
    if theta.shape[1] > frames:
        powers = (times[:, None] / length) ** np.arange(1, TIME + 1)
        out[:, :, 1:] = np.einsum("cab,fb->fca", theta[:, frames:].reshape(2, SPACE - 1, TIME), powers)
    return out


@dataclass(frozen=True)
class Measured:
    """Of each patch: gradient (P, F, 2) 1/px and curvature (P,) 1/px² along an axis (all pairs of frames) of the log-likelihood."""

    gradient: np.ndarray
    curvature: np.ndarray


def measure(pictures: Filtered, motion: np.ndarray, grid: tuple[int, int], scale: float) -> Measured:
    """At the motion (F, 2, 6) px, with m_i = y_i(x - s_i(x)) and r = sum_i m_i: gradient_i = 1/2 sum over the patch of m_i grad r - r grad m_i,
    in which what a frame has with itself cancels. The curvature is the expected one, shared by the patches as their signal is."""
    step = scale / np.array(pictures.coarse[::-1])  # px of a frame per px of the pictures, (x, y)
    polys = (motion / step[:, None]).astype(np.float32)
    moved = warp.moved_sums(pictures.pictures, polys, np.eye(len(polys), dtype=np.float32))
    total = moved.sum(0)
    slopes = torch.stack([slope(total, 1), slope(total, 0)])
    area = total.numel() / (grid[0] * grid[1])
    gradient = [cell_gradients(one, total, slopes, grid) / step[:, None] for one in moved]
    shares = _shares(_cells((slopes**2).sum(0, keepdim=True), grid)[0], pictures.self_slope)
    return Measured(np.moveaxis(np.stack(gradient), (0, 1, 2), (1, 2, 0)) * area, pictures.curvature / len(shares) * shares)


def cell_gradients(moved: Tensor, total: Tensor, slopes: Tensor, grid: tuple[int, int]) -> np.ndarray:
    """(2, P): mean over each cell of 1/2 (m grad r - r grad m), m = moved, r = total (my, mx), grad r = slopes (2, my, mx)."""
    if not moved.is_cuda:
        from verglas.methods.motion import warp_cpu

        return np.asarray(warp_cpu.cell_gradients(moved.numpy(), total.numpy(), slopes[0].numpy(), slopes[1].numpy(), grid))
    own = torch.stack([slope(moved, 1), slope(moved, 0)])
    return _cells(0.5 * (slopes * moved - own * total), grid)


def _cells(fields: Tensor, grid: tuple[int, int]) -> np.ndarray:
    """(C, my, mx) -> (C, P): means over the cells of a grid."""
    return np.asarray(torch.nn.functional.adaptive_avg_pool2d(fields[None], grid)[0].flatten(1).double().cpu().numpy())


def _shares(power: np.ndarray, own: float) -> np.ndarray:
    """(P,), mean 1: how much more than what frames have by themselves the slopes of the sum have in each patch; kept between 1/4 and 4."""
    excess = power - own
    return np.asarray((excess / max(excess.mean(), 1e-3 * own)).clip(0.25, 4.0))


def _error(covariance: np.ndarray, design: fit.Design) -> float:
    """Expected rms error px of the global track about its mean, per axis."""
    own = covariance[: design.frames, : design.frames]
    return float(np.sqrt(max(np.trace(own) - own.mean() * len(own), 0.0) / len(own)))


def _tracks(
    measured: Measured, design: fit.Design, theta: np.ndarray, pictures: Filtered, grid: tuple[int, int], times: np.ndarray, shape: tuple[int, int]
) -> PatchTracks | None:
    """What each patch says by itself, beyond the global track: the model and its own Newton step from there."""
    if len(measured.gradient) == 1:
        return None
    own = measured.gradient / (measured.curvature[:, None] * pictures.information)[..., None]
    step = np.einsum("pfm,cm->pfc", design.matrix, theta) - theta[:, : design.frames].T
    shift = step + own
    shift -= shift[:, :1]
    u, v = np.meshgrid(*((np.arange(n) + 0.5) / n for n in grid[::-1]))
    xy = np.stack([u.ravel() * shape[1], v.ravel() * shape[0]], 1) - 0.5
    frame = np.rint(times).astype(np.int64)
    return PatchTracks(np.tile(frame, len(xy)), np.repeat(xy, len(times), 0), shift.reshape(-1, 2))


def _result(
    theta: np.ndarray, times: np.ndarray, count: int, shape: tuple[int, int], exposure: Exposure, local: bool, tracks: PatchTracks | None,
    iterations: int, error: float, warnings: tuple[str, ...]
) -> Aligned:
    shifts = theta[:, : len(times)].T
    if len(times) != count:
        shifts = np.stack([_extended(np.arange(count), times, shifts[:, c]) for c in range(2)], 1)
    coefficients, rms = None, 0.0
    if local:
        scaled = theta[:, len(times):].reshape(2, SPACE - 1, TIME) / float(count) ** np.arange(1, TIME + 1)
        coefficients = np.concatenate([np.zeros((2, 1, TIME)), scaled], 1).reshape(2, -1)
        u, v = np.meshgrid(np.linspace(-0.5, 0.5, 11), np.linspace(-0.5, 0.5, 11))
        rms = float(np.sqrt((local_shift(coefficients, u, v, np.array(count - 1.0)) ** 2).sum(-1).mean())) * exposure.pixel_size
    track = MotionTrack("", shape, count, shifts - shifts[:1], exposure.pixel_size, exposure.voltage_kv, exposure.dose_rate, exposure.pre_exposure,
                        exposure.first_frame, local=coefficients, patches=tracks)
    return Aligned(track, iterations, error, rms, warnings)


def _extended(at: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear between the times, and with the slope of the ends beyond them."""
    inner = np.interp(at, times, values)
    first, last = (values[1] - values[0]) / (times[1] - times[0]), (values[-1] - values[-2]) / (times[-1] - times[-2])
    return np.where(at < times[0], values[0] + first * (at - times[0]), np.where(at > times[-1], values[-1] + last * (at - times[-1]), inner))
