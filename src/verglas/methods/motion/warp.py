"""The weighted sums of moved frames in plain torch: the definition, and the way of a GPU."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from verglas.methods.motion.conditioning import Movie


def largest_shift(polynomials: np.ndarray) -> float:
    """An upper bound of |shift| px over the field, from polynomials (F, 2, 6) of u and v in [-1/2, 1/2]."""
    return float((np.abs(polynomials) @ np.array([1.0, 0.5, 0.25, 0.5, 0.25, 0.25])).max())


def quintic(a: Tensor) -> Tensor:
    """The quintic B-spline at |a| < 3: the sixfold convolution of a box of width 1."""
    a = a.abs()
    inner = (66 + a**2 * (-60 + a**2 * (30 - 10 * a))) / 120
    middle = (51 + a * (75 + a * (-210 + a * (150 + a * (-45 + 5 * a))))) / 120
    return torch.where(a < 1, inner, torch.where(a < 2, middle, (3 - a).clamp_min(0) ** 5 / 120))


def warped_sums(frame: Callable[[int], Tensor], shift: Tensor, weights: Tensor) -> Tensor:
    """out[r, y, x] = sum_i weights[r, i] sum_j b(p - j) frame_i[j], p = (x, y) - s_i(x, y). shift (F, 2, 6); weights (R, F) -> (R, ny, nx).

    s_i = shift over 1, u, u², v, v², uv. b: the quintic B-spline, not prefiltered. Frames (ny, nx) are periodic.
    """
    ny, nx = frame(0).shape
    device = shift.device
    y, x = torch.arange(ny, device=device)[:, None].float(), torch.arange(nx, device=device)[None].float()
    u, v = x / nx - 0.5, y / ny - 0.5
    space = torch.stack([term.expand(ny, nx) for term in (torch.ones_like(u), u, u * u, v, v * v, u * v)])
    out = torch.zeros(len(weights), ny, nx, device=device)
    for i in range(len(shift)):
        s = torch.tensordot(shift[i], space, 1)
        moved = _sample(frame(i), x - s[0], y - s[1])
        for r in range(len(weights)):
            out[r].addcmul_(weights[r, i], moved)
    return out


def conditioned(movie: Movie, device: torch.device) -> Callable[[int], Tensor]:
    """i -> frame i (ny, nx) float32 on the device, gain-corrected, bad pixels replaced."""
    gain, bad = torch.from_numpy(movie.gain).to(device), torch.from_numpy(movie.bad).to(device)

    def frame(i: int) -> Tensor:
        raw = movie.raw[i]
        picture = torch.from_numpy(raw if raw.dtype == np.uint8 else raw.astype(np.float32)).to(device) * gain
        picture.view(-1)[bad] = torch.from_numpy(movie.values[i]).to(device)
        return picture

    return frame


def _sample(frame: Tensor, px: Tensor, py: Tensor) -> Tensor:
    """sum_j b(p - j) frame[j] at p = (px, py) (ny, nx)."""
    ny, nx = frame.shape
    x0, y0 = torch.floor(px), torch.floor(py)
    out = torch.zeros_like(frame)
    for j in range(-2, 4):
        row = (y0 + j).long() % ny * nx
        line = torch.zeros_like(frame)
        for i in range(-2, 4):
            line += quintic(px - x0 - i) * frame.reshape(-1)[row + (x0 + i).long() % nx]
        out += quintic(py - y0 - j) * line
    return out


def moved_sums(pictures: Tensor, polys: np.ndarray, weights: np.ndarray) -> Tensor:
    """(R, my, mx): sum_i weights[r, i] pictures_i, moved by the polynomials polys (F, 2, 6) px and smoothed by the B-spline."""
    if pictures.is_cuda:
        device = pictures.device
        return warped_sums(lambda i: pictures[i], torch.from_numpy(polys).to(device), torch.from_numpy(weights).to(device))
    from verglas.methods.motion import warp_cpu

    count, my, mx = pictures.shape
    reach = int(np.ceil(largest_shift(polys))) + 4
    nothing = np.zeros(0, np.int64), np.zeros((count, 0), np.float32)
    return torch.from_numpy(warp_cpu.warped_sums(pictures.numpy(), _ones((my, mx)), nothing, polys, weights, reach))


@lru_cache(maxsize=1)
def _ones(shape: tuple[int, int]) -> np.ndarray:
    return np.ones(shape, np.float32)
