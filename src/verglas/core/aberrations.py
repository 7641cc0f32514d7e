"""Anisotropic magnification and the optical aberrations beyond defocus and Cs, as Zernike polynomials in 1/Å.

RELION's conventions (Zivanov, Nakane & Scheres 2020, IUCrJ 7:253): frequencies are first multiplied by the
magnification matrix, the odd (antisymmetric) part is a phase of the image, the even (symmetric) part is added to
the phase of the CTF.
"""

from collections.abc import Callable
from math import factorial, isqrt, pi

import torch
from torch import Tensor

from verglas.types import OpticsGroup
from verglas.units import MM, MRAD, wavelength

ZernikeIndex = Callable[[int], tuple[int, int]]


def magnified_frequencies(sx: Tensor, sy: Tensor, group: OpticsGroup) -> tuple[Tensor, Tensor]:
    """M s for the group's magnification matrix M; sx, sy (P,) 1/Å. Unchanged where M is the identity."""
    m00, m01, m10, m11 = group.magnification
    if group.magnification == (1.0, 0.0, 0.0, 1.0):
        return sx, sy
    return m00 * sx + m01 * sy, m10 * sx + m11 * sy


def odd_phase(sx: Tensor, sy: Tensor, group: OpticsGroup) -> Tensor:
    """phi(s) = sum_i c_i Z_i(M s) over the odd Zernikes, beam tilt included; sx, sy (P,) 1/Å -> (P,) rad.

    A predicted transform is multiplied by exp(+i phi), an observed one by exp(-i phi).
    """
    return _zernike_sum(sx, sy, group, odd_coefficients(group), odd_index)


def even_phase(sx: Tensor, sy: Tensor, group: OpticsGroup) -> Tensor:
    """chi(s) = sum_i c_i Z_i(M s) over the even Zernikes, added to the CTF's gamma; sx, sy (P,) 1/Å -> (P,) rad."""
    return _zernike_sum(sx, sy, group, group.even_zernike, even_index)


def odd_coefficients(group: OpticsGroup) -> tuple[float, ...]:
    """The odd coefficients (rad) with the beam tilt b folded in.

    The tilt's phase is -2 pi Cs lambda^2 |s|^2 (b . s), and |s|^2 s_x = (Z_{3,1} + 2 Z_{1,1}) / 3; in y, m = -1.
    """
    if group.beam_tilt_mrad == (0.0, 0.0):
        return group.odd_zernike
    c = list(group.odd_zernike) + [0.0] * (5 - len(group.odd_zernike))
    strength = -2.0 * pi * group.cs_mm * MM * wavelength(group.voltage_kv) ** 2 * MRAD / 3.0
    x, y = (strength * tilt for tilt in group.beam_tilt_mrad)
    for index, value in ((1, 2.0 * x), (0, 2.0 * y), (4, x), (3, y)):
        c[index] += value
    return tuple(c)


def even_index(i: int) -> tuple[int, int]:
    """(n, m) of the i-th even Zernike in RELION's list: (0,0), (2,-2), (2,0), (2,2), (4,-4), ..."""
    k = isqrt(i)
    return 2 * k, 2 * (i - k * k - k)


def odd_index(i: int) -> tuple[int, int]:
    """(n, m) of the i-th odd Zernike in RELION's list: (1,-1), (1,1), (3,-3), (3,-1), (3,1), (3,3), ..."""
    k = (isqrt(1 + 4 * i) - 1) // 2
    return 2 * k + 1, 2 * (i - k * k - k) - (2 * k + 1)


def zernike(n: int, m: int, x: Tensor, y: Tensor) -> Tensor:
    """Z_{n,m} at (x, y) = rho (cos t, sin t): R_n^m(rho) cos(m t) for m >= 0, R_n^|m|(rho) sin(|m| t) for m < 0.

    R_n^m(rho) = sum_k (-1)^k (n-k)! / (k! ((n+m)/2-k)! ((n-m)/2-k)!) rho^(n-2k). Written as a polynomial in rho^2 times
    Re or Im of (x + i y)^|m|, so that it is exact at the origin.
    """
    order = abs(m)
    rho2 = x * x + y * y
    radial = torch.zeros_like(rho2)
    for k in range((n - order) // 2 + 1):
        below = factorial(k) * factorial((n + order) // 2 - k) * factorial((n - order) // 2 - k)
        radial = radial * rho2 + (-1) ** k * factorial(n - k) / below
    real, imaginary = torch.ones_like(x), torch.zeros_like(x)
    for _ in range(order):
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    return radial * (real if m >= 0 else imaginary)


def _zernike_sum(
    sx: Tensor, sy: Tensor, group: OpticsGroup, coefficients: tuple[float, ...], index: ZernikeIndex
) -> Tensor:
    """sum_i c_i Z_{index(i)}(M s), (P,), skipping coefficients that are 0."""
    total = torch.zeros_like(sx)
    if not any(coefficients):
        return total
    x, y = magnified_frequencies(sx, sy, group)
    for i, c in enumerate(coefficients):
        if c != 0.0:
            total = total + c * zernike(*index(i), x, y)
    return total
