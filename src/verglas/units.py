"""Physical constants and conversions. Inside the package lengths are Å, angles radians; only io and Params speak otherwise."""

from math import pi, sqrt

DEGREE = pi / 180.0
"""Radians per degree."""
MM = 1e7
"""Å per millimetre."""
KV = 1e3
"""Volts per kilovolt."""
MRAD = 1e-3
"""Radians per milliradian."""


def wavelength(voltage_kv: float) -> float:
    """Relativistic electron wavelength in Å for an acceleration voltage in kV.

    lambda = h / sqrt(2 m e V (1 + e V / 2 m c^2)) = 12.2643247 / sqrt(V (1 + 0.978466e-6 V)), V in volts.
    """
    v = voltage_kv * KV
    return 12.2643247 / sqrt(v * (1.0 + 0.978466e-6 * v))


def file_size(number: float) -> str:
    """'12.3 MB' of a number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB" if number < 999.5 else f"{number:.0f} TB"


def clock(seconds: float) -> str:
    """A duration: 0:07, 12:30, 3:05:10, from two days on 2 d 4 h."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
