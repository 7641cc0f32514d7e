"""From the average of the half maps to the sharpened map: MTF, weighting, B-factor; half transforms, F = FFT / B^3."""

import math

import numpy as np
import torch
from torch import Tensor

from verglas.core.filters import raised_cosine
from verglas.core.shells import radius, shell_index, shell_mean
from verglas.methods.postprocess.options import AutoB, BFactor, FixedB, FscWeighting, Mtf, NoB, Weighting
from verglas.methods.postprocess.result import StraightLine

EMPTY = -99.0
"""ln amplitude written for a shell without amplitude (RELION's value)."""


def divide_by_mtf(transform: Tensor, pixel: float, mtf: Mtf) -> Tensor:
    """F / MTF(s) up to Nyquist, MTF linear between the rows of its table, end values beyond; pixel in Å."""
    box = transform.shape[0]
    s = radius(box, 3) / (box * pixel)
    value = np.interp(s.numpy(), mtf.frequency / mtf.detector_pixel, mtf.value)
    value[s.numpy() > 0.5 / pixel] = 1.0
    return transform / torch.from_numpy(value).to(transform.device, transform.real.dtype)


def fsc_weights(curve: np.ndarray) -> np.ndarray:
    """sqrt(2 f / (1 + f)) by shell (S,), and 0 from the first shell with f < 0.0001 on."""
    low = np.flatnonzero(curve < 1e-4)
    end = low[0] if len(low) else len(curve)
    f = np.clip(curve[:end], 0.0, None)
    return np.concatenate([np.sqrt(2 * f / (1 + f)), np.zeros(len(curve) - end)])


def weigh(transform: Tensor, pixel: float, weighting: Weighting, curve: np.ndarray, resolution: float) -> Tensor:
    """F times the FSC weights of its shell, or low-passed at the shell of the chosen resolution (Å; edge 2 shells)."""
    box = transform.shape[0]
    match weighting:
        case FscWeighting():
            table = torch.from_numpy(np.append(fsc_weights(curve), 0.0)).to(transform.device, transform.real.dtype)
            return transform * table[shell_index(box, 3, device=transform.device).clamp(max=len(curve))]
        case _:
            cut = round(box * pixel / (weighting.resolution or resolution))
            return transform * raised_cosine(radius(box, 3, device=transform.device), cut, 2.0)


def log_amplitudes(transform: Tensor) -> np.ndarray:
    """ln of the mean |F| in shells 0..B/2: (S,) float64, EMPTY where it is 0."""
    box = transform.shape[0]
    mean = shell_mean(transform.abs(), shell_index(box, 3, device=transform.device), box // 2 + 1).numpy(force=True)
    return np.where(mean > 0, np.log(np.maximum(mean, 1e-300)), EMPTY)


def guinier_fit(x: np.ndarray, y: np.ndarray, choice: AutoB) -> StraightLine | None:
    """Least squares of ln amplitude y on x = 1/d^2 for highres <= d <= lowres; None with fewer than 3 points."""
    top = math.inf if choice.highres <= 0 else 1.0 / choice.highres**2
    use = (x >= 1.0 / choice.lowres**2) & (x <= top) & (y > EMPTY)
    if use.sum() < 3:
        return None
    slope, intercept = np.polyfit(x[use], y[use], 1)
    return StraightLine(float(slope), float(intercept), float(abs(np.corrcoef(x[use], y[use])[0, 1])), int(use.sum()))


def chosen_b(choice: BFactor, fit: StraightLine | None) -> float:
    """B in Å^2: 4 * slope of the fit, the given value, or 0."""
    match choice:
        case FixedB(value):
            return value
        case NoB():
            return 0.0
        case AutoB():
            return 0.0 if fit is None else 4.0 * fit.slope


def apply_b(transform: Tensor, pixel: float, b: float) -> Tensor:
    """F exp(-B s^2 / 4) up to Nyquist and 0 beyond; F unchanged if b is 0."""
    if b == 0.0:
        return transform
    box = transform.shape[0]
    s = radius(box, 3, device=transform.device) / (box * pixel)
    return transform * torch.exp(-b / 4 * s**2) * (s <= 0.5 / pixel + 1e-9)
