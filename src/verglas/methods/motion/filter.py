"""Frames filtered so that the log-likelihood of a motion is half the power of their sum."""

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from torch import Tensor

from verglas.methods.motion.dose import attenuation

LOWEST = 6.0
"""Cycles per side below which brightness of the beam outweighs the specimen."""
LEAST_NOISE = 1e-3
"""Of the power of a frame; what does not move as a whole counts as noise."""
FINEST, ROOM = 6.0, 1.1
"""Å: finer waves say next to nothing of motion. Pictures can hold ROOM times as high frequencies as are used."""


@dataclass(frozen=True)
class Filtered:
    """pictures (F, sy, sx): y_i = IFFT(sqrt(W) q_i F_i sqrt(n) / B), cut to the frequencies used, with q_i the part of the signal that the dose
    has left, W = S / (N² (1 + Q S / N)), Q = sum q_i², S and N the powers of signal and noise (in shells), n = sy sx and B the transform of the
    B-spline that moving them will smooth them with. Then log p(frames | shifts) = 1/2 sum_x (sum_i y_i(x - s_i))² + const.

    coarse: sy / my, sx / mx. curvature: h 1/px² of the log-likelihood along an axis, all pairs of frames together; a pair (i, j) has
    h a_i a_j of it, with a = information (F,), sum 1. self_slope: mean square of the slopes (see `slope`) that frames have by themselves.
    """

    pictures: Tensor
    coarse: tuple[float, float]
    information: np.ndarray
    curvature: float
    self_slope: float


def filtered(
    spectra: Tensor, shape: tuple[int, int], scale: float, shifts: Tensor, pixel_size: float, dose: np.ndarray, voltage_kv: float
) -> Filtered:
    """spectra (F, sy, sx // 2 + 1) of pictures `shape` = (my, mx) with pixels of `scale` px, cut to (sy, sx) = `used_size`;
    shifts (F, 2) px bring the frames together; dose (F,) e/Å² in the middle of each."""
    (my, mx), device = shape, spectra.device
    highest = min(scale * pixel_size / FINEST, 0.47)
    size = used_size(shape, scale * pixel_size)
    coarse = (size[0] / my, size[1] / mx)
    ky = (torch.fft.fftfreq(size[0], device=device) * coarse[0])[:, None]
    kx = (torch.fft.rfftfreq(size[1], device=device) * coarse[1])[None]
    radius = torch.sqrt(ky**2 + kx**2)
    inside = (radius >= LOWEST / min(shape)) & (radius <= highest)
    shell = (radius * max(shape)).long()
    shells = int(shell.max()) + 1
    s = np.arange(shells) + 0.5
    q = torch.from_numpy(attenuation(s / max(shape) / (scale * pixel_size), dose, voltage_kv)).float().to(device)
    times = torch.full_like(radius, 2.0)
    times[:, 0] = 1.0
    count = _shell_sums(times, shell, shells)
    total, power = torch.zeros_like(spectra[0]), torch.zeros(shells, device=device)
    for i, one in enumerate(spectra):
        across, down = (torch.polar(torch.ones_like(k), -2 * pi / scale * k * by) for k, by in zip((kx, ky), shifts[i]))
        total += (one * across) * (down * q[i][shell])
        power += _shell_sums((one.real**2 + one.imag**2) * times, shell, shells)
    frames = len(spectra)
    q2 = (q**2).sum(0)
    mean = power / count / frames
    coherent = _shell_sums((total.real**2 + total.imag**2) * times, shell, shells) / count / q2
    excess = (coherent - mean) / (q2 - q2 / frames).clamp_min(1e-9)
    signal = _smooth(excess, count)
    noise = torch.maximum(_smooth(mean - excess * q2 / frames, count), LEAST_NOISE * mean)
    snr = signal * q2 / noise
    weight = signal / (noise**2 * (1 + snr))
    k2 = (2 * pi / scale * radius) ** 2
    curve = _shell_sums(torch.where(inside, 0.5 * k2 * times, 0.0), shell, shells) * weight * signal * q2
    information = (q**2 * curve).sum(1).double().cpu().numpy()
    steep = (_slope_transfer(kx / coarse[1]) ** 2 + _slope_transfer(ky / coarse[0]) ** 2) * times
    flat = 1.0 / (_spline((ky / coarse[0]).clamp(-0.5, 0.5)) * _spline((kx / coarse[1]).clamp(-0.5, 0.5)))
    amplitude = torch.where(inside, weight.sqrt()[shell], 0.0) * (size[0] * size[1]) ** 0.5
    pictures = torch.empty(frames, *size, device=device)
    own = 0.0
    for i, one in enumerate(spectra):
        part = one * (amplitude * q[i][shell])
        own += float(((part.real**2 + part.imag**2) * steep).sum())
        pictures[i] = torch.fft.irfft2(part * flat, s=size)
    return Filtered(pictures, coarse, information / information.sum(), float(information.sum()), own / (size[0] * size[1]) ** 2)


def used_size(shape: tuple[int, int], pixel_size: float) -> tuple[int, int]:
    """Of pictures that hold the frequencies used of pictures `shape` with pixels of pixel_size Å."""
    highest = min(pixel_size / FINEST, 0.47)
    cut = [min(n, int(2 * ROOM * highest * n) // 2 * 2) for n in shape]
    return cut[0], cut[1]


def _shell_sums(values: Tensor, shell: Tensor, shells: int) -> Tensor:
    return torch.zeros(shells, device=values.device).index_add_(0, shell.reshape(-1), values.reshape(-1))


def _smooth(signal: Tensor, count: Tensor) -> Tensor:
    """Mean over neighbouring shells by their numbers of pixels, wider where signal fades; never negative."""
    kernel = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0], device=signal.device)[None, None]

    def wide(values: Tensor) -> Tensor:
        return torch.nn.functional.conv1d(values[None, None], kernel, padding=2)[0, 0]

    return (wide(signal * count) / wide(count).clamp_min(1e-9)).clamp_min(0.0)


SLOPE = ((1, 0.75), (2, -0.15), (3, 1.0 / 60.0))


def slope(field: Tensor, axis: int) -> Tensor:
    """Derivative per pixel of a periodic field along an axis, by differences; right to 1 % up to 0.17 cycles per px, 93 % at 0.25."""
    out = torch.zeros_like(field)
    for reach, weight in SLOPE:
        out += weight * (torch.roll(field, -reach, axis) - torch.roll(field, reach, axis))
    return out


def _slope_transfer(k: Tensor) -> Tensor:
    """What `slope` multiplies frequency k (cycles per px) with, without i."""
    out = torch.zeros_like(k)
    for reach, weight in SLOPE:
        out += 2.0 * weight * torch.sin(2 * pi * reach * k)
    return out


def _spline(k: Tensor) -> Tensor:
    """Transform of the quintic B-spline at whole pixels."""
    return (66.0 + 52.0 * torch.cos(2 * pi * k) + 2.0 * torch.cos(4 * pi * k)) / 120.0
