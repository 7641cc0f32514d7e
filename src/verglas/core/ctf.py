"""The contrast transfer function of many particles of one optics group, positive at low frequency as in RELION."""

from dataclasses import dataclass
from math import asin, pi

import numpy as np
import torch
from torch import Tensor

from verglas.core.aberrations import even_phase, magnified_frequencies
from verglas.types import Defocus, OpticsGroup
from verglas.units import MM, wavelength

_SMALLEST = 1e-8
"""|C| is kept at least this large so that dividing by it is safe."""
_BLOCK = 1 << 20
"""Values computed at once in float64."""


@dataclass(frozen=True)
class CtfOptions:
    """`ignore`: C = 1 everywhere; `intact_first_peak`: no modulation before the first peak, where |gamma| < pi/2."""

    ignore: bool = False
    intact_first_peak: bool = False


def evaluate(sx: Tensor, sy: Tensor, group: OpticsGroup, defocus: Defocus, options: CtfOptions | None = None) -> Tensor:
    """C(s) = -sin(gamma(s)) exp(-B |s|^2 / 4) scale, (N, P) float32, for sx, sy (P,) 1/Å and the N rows of `defocus`.

    gamma = -pi lambda d(s) |s|^2 + (pi/2) Cs lambda^3 |s|^4 - asin(Q0) - phase_shift + chi_even(s), with the defocus in
    the direction of s, d = u cos^2(t) + v sin^2(t), t = atan2(sy, sx) - angle; s is multiplied by the group's
    magnification matrix first (Mindell & Grigorieff 2003; Zivanov et al. 2020). Phase-flipped images get |C|, images
    corrected for the CTF get 1. gamma is float64 (it reaches thousands of radians), the sine of its remainder float32.
    """
    options = options or CtfOptions()
    n, p = len(defocus.u), sx.shape[0]
    if options.ignore or group.ctf_corrected:
        return torch.ones(n, p, dtype=torch.float32, device=sx.device)
    sx, sy = sx.to(torch.float64), sy.to(torch.float64)
    basis = _gamma_basis(sx, sy, group)
    weights = torch.as_tensor(_gamma_weights(defocus), device=sx.device)
    out = torch.empty(n, p, dtype=torch.float32, device=sx.device)
    rows = max(1, _BLOCK // max(p, 1))
    for start in range(0, n, rows):
        torch.mul(_oscillation(weights[start : start + rows] @ basis, options), -1.0, out=out[start : start + rows])
    _damp(out, sx, sy, group, defocus)
    small = out.abs() < _SMALLEST
    if bool(small.any()):
        out[small] = torch.where(out[small] < 0, -_SMALLEST, _SMALLEST)
    return out.abs_() if group.phase_flipped else out


def _gamma_basis(sx: Tensor, sy: Tensor, group: OpticsGroup) -> Tensor:
    """(5, P) float64 functions of frequency of which every particle's gamma / 2 pi is a sum: see `_gamma_weights`."""
    chi = even_phase(sx, sy, group)
    x, y = magnified_frequencies(sx, sy, group)
    s2 = x * x + y * y
    length = wavelength(group.voltage_kv)
    common = 0.5 * pi * group.cs_mm * MM * length**3 * s2 * s2 - asin(group.amplitude_contrast) + chi
    terms = (-pi * length * s2, -pi * length * (x * x - y * y), -pi * length * 2.0 * x * y, torch.ones_like(s2), common)
    return torch.stack(terms) / (2.0 * pi)


def _gamma_weights(defocus: Defocus) -> np.ndarray:
    """(N, 5) float64: mean defocus, astigmatism along x and along the diagonal (Å), minus the phase shift (rad), 1."""
    half = 0.5 * (defocus.u - defocus.v)
    columns = (0.5 * (defocus.u + defocus.v), half * np.cos(2 * defocus.angle), half * np.sin(2 * defocus.angle))
    return np.stack((*columns, -defocus.phase_shift, np.ones_like(half)), axis=1).astype(np.float64)


def _oscillation(turns: Tensor, options: CtfOptions) -> Tensor:
    """sin(gamma), float32, from gamma in turns (n, P) float64; -1 before the first peak if that is to stay intact."""
    sine = torch.sin(((turns - torch.round(turns)) * (2.0 * pi)).to(torch.float32))
    return sine.masked_fill_(turns.abs() < 0.25, -1.0) if options.intact_first_peak else sine


def _damp(ctf: Tensor, sx: Tensor, sy: Tensor, group: OpticsGroup, defocus: Defocus) -> None:
    """Multiply C (N, P) in place by exp(-B |s|^2 / 4) and scale, where they are not 1."""
    if np.any(defocus.bfactor != 0.0):
        x, y = magnified_frequencies(sx, sy, group)
        b = torch.as_tensor(defocus.bfactor, dtype=torch.float32, device=ctf.device)[:, None]
        ctf *= torch.exp(b * ((x * x + y * y) / -4.0).to(torch.float32))
    if np.any(defocus.scale != 1.0):
        ctf *= torch.as_tensor(defocus.scale, dtype=torch.float32, device=ctf.device)[:, None]
