"""The sums of a movie whose motion is known: weighted for dose, plain, and of even and odd frames."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
import torch
from torch import Tensor

from verglas.core import fourier, local_motion
from verglas.methods.motion import warp, warp_cpu
from verglas.methods.motion.conditioning import Movie
from verglas.methods.motion.dose import attenuation

RANK_ERROR = 1e-5
"""Largest error of a dose weight, relative to the normaliser, that the few sums below may make."""
SHELLS = 512


@dataclass(frozen=True)
class Sums:
    """(my, mx) float32 after binning, all that were asked for: dose-weighted, plain, of frames 0, 2, ... and of frames 1, 3, ..."""

    weighted: np.ndarray | None
    plain: np.ndarray | None
    even: np.ndarray | None
    odd: np.ndarray | None


@dataclass(frozen=True)
class DoseBasis:
    """Normalised dose weights as a sum of few products: w_i(s) / sqrt(sum_j w_j(s)^2) = sum_r shape_r(s) weights[r, i].

    s (S,) 1/Å; shapes (R, S); weights (R, F). With it R transforms stand for F of them.
    """

    s: np.ndarray
    shapes: np.ndarray
    weights: np.ndarray


def dose_basis(dose: np.ndarray, highest: float, voltage_kv: float) -> DoseBasis:
    """For exposures dose (F,) e/Å² and frequencies up to `highest` 1/Å; the smallest R with an error below RANK_ERROR everywhere."""
    return _dose_basis(tuple(dose.tolist()), highest, voltage_kv)


@lru_cache(maxsize=4)
def _dose_basis(exposures: tuple[float, ...], highest: float, voltage_kv: float) -> DoseBasis:
    """The same for all movies of a job, as a rule."""
    dose = np.array(exposures)
    s = np.linspace(0.0, highest, SHELLS)
    w = attenuation(s, dose, voltage_kv).T
    w /= np.sqrt((w**2).sum(1, keepdims=True))
    left, values, right = np.linalg.svd(w, full_matrices=False)
    errors = [np.abs(w - (left[:, :r] * values[:r]) @ right[:r]).max() for r in range(1, len(values) + 1)]
    rank = 1 + next((i for i, error in enumerate(errors) if error < RANK_ERROR), len(errors) - 1)
    return DoseBasis(s, (left[:, :rank] * values[:rank]).T, right[:rank])


@dataclass(frozen=True)
class Wanted:
    """Which sums, and the binning (Fourier cropping) of their pixels."""

    weighted: bool = True
    plain: bool = False
    halves: bool = False
    binning: float = 1.0


def motion_polynomials(shifts: np.ndarray, local: np.ndarray | None) -> np.ndarray:
    """(F, 2, 6) float32: global shifts (F, 2) plus the local model (2, 18) as polynomials of u and v, frame by frame."""
    out = np.zeros((len(shifts), 2, local_motion.SPACE)) if local is None else local_motion.spatial(local, len(shifts))
    out[:, :, 0] += shifts
    return out.astype(np.float32)


def sums(movie: Movie, polynomials: np.ndarray, basis: DoseBasis | None, pixel_size: float, wanted: Wanted, device: str) -> Sums:
    """Move every frame onto the first and add. With a basis sum_i w_i F_i / sqrt(sum w_i²), else the dose-weighted sum is None."""
    count, ny, nx = movie.raw.shape
    rows = [] if basis is None or not wanted.weighted else list(basis.weights)
    rank = len(rows)
    parity = np.arange(count) % 2
    if wanted.halves:
        rows += [1.0 - parity, parity.astype(float)]
    elif wanted.plain or not rank:
        rows.append(np.ones(count))
    pictures = warped(movie, polynomials, np.array(rows, dtype=np.float32), device)
    size = binned_size((ny, nx), wanted.binning)
    flatten = _flattening((ny, nx), size, device)

    def finish(spectrum: Tensor) -> np.ndarray:
        return np.asarray(torch.fft.irfft2(spectrum * flatten, s=size, norm="forward").cpu().numpy())

    def spectrum_of(i: int) -> Tensor:
        return fourier.crop(torch.fft.rfft2(pictures[i], norm="forward"), size)

    weighted = None
    if basis is not None and rank:
        weighted = finish(_shaped(spectrum_of, basis, (ny, nx), size, pixel_size))
    rest = [spectrum_of(i) for i in range(rank, len(rows))]
    plain = finish(sum(rest[1:], rest[0])) if wanted.plain or not rank else None
    even, odd = (finish(rest[0]), finish(rest[1])) if wanted.halves else (None, None)
    return Sums(weighted, plain, even, odd)


def _shaped(spectrum_of: Callable[[int], Tensor], basis: DoseBasis, shape: tuple[int, int], size: tuple[int, int], pixel_size: float) -> Tensor:
    """sum_r shape_r(|s|) F_r on the half plane of `size`."""
    ky, kx = _frequencies(shape, size)
    half = size[0] // 2 + 1  # the other frequencies are these with another sign
    s = torch.sqrt((ky[:half] / pixel_size) ** 2 + (kx / pixel_size) ** 2)
    place = (s / float(basis.s[1])).clamp(max=SHELLS - 1.001)
    low = place.int()
    part = (place - low).float()
    total = None
    for r in range(len(basis.weights)):
        curve = torch.from_numpy(basis.shapes[r]).float()
        factor = torch.addcmul(curve.index_select(0, low.view(-1)).view_as(part), curve.diff().index_select(0, low.view(-1)).view_as(part), part)
        term = torch.view_as_real(spectrum_of(r))
        factor = factor.to(term.device)[..., None]
        term[:half] *= factor
        term[half:] *= factor[1:size[0] - half + 1].flip(0)
        total = term if total is None else total.add_(term)
    assert total is not None
    return torch.view_as_complex(total)


def warped(movie: Movie, polynomials: np.ndarray, weights: np.ndarray, device: str) -> Tensor:
    """(R, ny, nx) float32: sum_i weights[r, i] frame_i moved by the polynomials, smoothed by the B-spline (see `warp_cpu`)."""
    if device != "cpu":
        on = torch.from_numpy(polynomials).to(device), torch.from_numpy(weights).to(device)
        return warp.warped_sums(warp.conditioned(movie, torch.device(device)), *on)
    reach = int(np.ceil(warp.largest_shift(polynomials))) + 4
    return torch.from_numpy(warp_cpu.warped_sums(movie.raw, movie.gain, (movie.bad, movie.values), polynomials, weights, reach))


def binned_size(shape: tuple[int, int], binning: float) -> tuple[int, int]:
    """Even (my, mx) of a picture (ny, nx) binned; unchanged without binning."""
    return shape if binning == 1 else (int(shape[0] / binning) // 2 * 2, int(shape[1] / binning) // 2 * 2)


def _frequencies(shape: tuple[int, int], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(my, 1) and (1, mx // 2 + 1): cycles per px of the picture `shape` at the pixels of the half plane of `size`."""
    ky = torch.fft.fftfreq(size[0], d=1.0 / size[0]) / shape[0]
    return ky[:, None], (torch.arange(size[1] // 2 + 1) / shape[1])[None]


def _flattening(shape: tuple[int, int], size: tuple[int, int], device: str) -> Tensor:
    """1 / (B(kx) B(ky)), B the transform of the quintic B-spline at whole pixels: what the B-spline smoothed away."""
    ky, kx = _frequencies(shape, size)
    return (1.0 / (_spline(ky) * _spline(kx))).to(device)


def _spline(k: Tensor) -> Tensor:
    """(66 + 52 cos 2 pi k + 2 cos 4 pi k) / 120."""
    return (66.0 + 52.0 * torch.cos(2 * pi * k) + 2.0 * torch.cos(4 * pi * k)) / 120.0
