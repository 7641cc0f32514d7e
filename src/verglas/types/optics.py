"""Optics groups: what is common to all images of one microscope session."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class OpticsGroup:
    """One row of RELION's optics table. Lengths in Å; voltage, Cs and beam tilt in the units of their names.

    `group` is the number that STAR files use (any positive integer); particles refer to groups by position instead.
    Zernike coefficients are RELION's (radians, argument in 1/Å; method digest 1.5); beam tilt is kept apart from them.
    """

    name: str
    group: int
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    pixel_size: float
    box: int
    original_pixel_size: float
    odd_zernike: tuple[float, ...] = ()
    even_zernike: tuple[float, ...] = ()
    beam_tilt_mrad: tuple[float, float] = (0.0, 0.0)
    magnification: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)
    mtf_file: str = ""
    ctf_premultiplied: bool = False
    ctf_corrected: bool = False
    phase_flipped: bool = False
    extra: dict[str, object] = field(default_factory=dict)
    """Columns of the file that verglas does not use, kept for writing."""

    @property
    def magnification_matrix(self) -> np.ndarray:
        """(2, 2) float64."""
        return np.array(self.magnification, dtype=np.float64).reshape(2, 2)
