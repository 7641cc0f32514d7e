"""The phase of the contrast transfer function, as Thon rings show it."""

from dataclasses import dataclass, replace
from math import asin, atan2, hypot, pi

import numpy as np

from verglas.types import OpticsGroup
from verglas.units import MM, wavelength


@dataclass(frozen=True)
class Lens:
    """Wavelength and spherical aberration in Å; contrast: the phase asin(Q0) of the amplitude contrast, rad."""

    wavelength: float
    cs: float
    contrast: float

    @staticmethod
    def of(group: OpticsGroup) -> "Lens":
        return Lens(wavelength(group.voltage_kv), group.cs_mm * MM, asin(group.amplitude_contrast))


@dataclass(frozen=True)
class Aim:
    """What is fitted: mean defocus, astigmatism a1 = half cos(2 angle), a2 = half sin(2 angle) with half = (U - V) / 2, all Å; phase shift rad;
    thickness of the ice, Å.

    These variables have no singular point: at zero astigmatism the angle is free and (a1, a2) = 0.
    """

    mean: float
    a1: float = 0.0
    a2: float = 0.0
    phase: float = 0.0
    thickness: float = 0.0

    def moved(self, step: float) -> "Aim":
        """The same at another mean defocus (Å)."""
        return replace(self, mean=self.mean + step)

    @property
    def u(self) -> float:
        return self.mean + hypot(self.a1, self.a2)

    @property
    def v(self) -> float:
        return self.mean - hypot(self.a1, self.a2)

    @property
    def angle(self) -> float:
        """Direction of U from the x axis, rad, in (-pi/2, pi/2]."""
        return 0.5 * atan2(self.a2, self.a1)


def gamma(lens: Lens, aim: Aim, k2: np.ndarray, cos2: np.ndarray | float = 0.0, sin2: np.ndarray | float = 0.0) -> np.ndarray:
    """pi lambda k^2 (d(t) - lambda^2 k^2 Cs / 2) + phase + asin(Q0), rad, with d(t) = mean + a1 cos 2t + a2 sin 2t; |CTF| = |sin gamma|.

    k2 (...,) 1/Å², cos2 and sin2 (...,) of twice the direction t of k. This is minus the gamma of RELION (`core.ctf`).
    """
    defocus = aim.mean + aim.a1 * cos2 + aim.a2 * sin2
    turn: np.ndarray = pi * lens.wavelength * k2 * (defocus - 0.5 * lens.wavelength**2 * k2 * lens.cs) + (aim.phase + lens.contrast)
    return turn


def slab(lens: Lens, thickness: float, k2: np.ndarray) -> np.ndarray:
    """sin(x) / x with x = pi lambda k^2 thickness: the mean of cos(2 gamma) over layers of that many Å of defocus, as a part of cos(2 gamma) of
    the middle. Zero at k^2 = 1 / (lambda thickness); negative, so that rings are turned over, beyond (Tichelaar et al. 2020; Elferich et al. 2024).
    """
    return np.sinc(lens.wavelength * k2 * thickness)


def rings(lens: Lens, aim: Aim, k2: np.ndarray, cos2: np.ndarray | float = 0.0, sin2: np.ndarray | float = 0.0) -> np.ndarray:
    """-slab cos(2 gamma) / 2 float32: what |CTF|^2 is more than 1/2, as a mean over the layers of the ice."""
    turns = gamma(lens, aim, k2.astype(np.float64), cos2, sin2)
    shown = -0.5 * np.cos(2.0 * (turns % pi)).astype(np.float32)
    return shown * slab(lens, aim.thickness, k2).astype(np.float32) if aim.thickness else shown


def turning_point(lens: Lens, mean: float) -> float:
    """k^2 (1/Å²) up to which gamma grows: mean / (lambda^2 Cs); infinite without spherical aberration."""
    return mean / (lens.wavelength**2 * lens.cs) if lens.cs > 0 and mean > 0 else float("inf")


def stretched(lens: Lens, defocus: np.ndarray, higher: float, k2: np.ndarray) -> np.ndarray:
    """k'^2 (1/Å²) where gamma of `defocus` (...,) Å + higher is what gamma of defocus is at k2 (...,).

    With c = lambda^2 Cs / 2, k'^2 (defocus + higher - c k'^2) = k^2 (defocus - c k^2) = q, of whose two solutions the one on the same side of the
    turning point is taken; where there is none, the turning point itself.
    """
    c, there = 0.5 * lens.wavelength**2 * lens.cs, defocus + higher
    q = k2 * (defocus - c * k2)
    root = np.sqrt(np.maximum(there * there - 4 * c * q, 0.0))
    if c == 0:
        return q / there
    sides: np.ndarray = np.where(2 * c * k2 < defocus, 2 * q / (there + root), (there + root) / (2 * c))
    return sides
