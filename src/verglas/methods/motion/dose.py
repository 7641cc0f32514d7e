"""Radiation damage: how much of the signal is left in a frame."""

import numpy as np

SCALE_OF_VOLTAGE = ((100.0, 0.532), (200.0, 0.8), (300.0, 1.0))
"""Critical exposure relative to 300 kV: measured at 300 kV, scaled for 200 kV (Grant & Grigorieff 2015) and 100 kV (cisTEM)."""


def voltage_scale(voltage_kv: float) -> float:
    """Critical exposure at this voltage over that at 300 kV, between the known voltages by interpolation."""
    known, scale = zip(*SCALE_OF_VOLTAGE)
    return float(np.interp(voltage_kv, known, scale))


def critical_exposure(s: np.ndarray, voltage_kv: float) -> np.ndarray:
    """Nc(s) = c (0.245 s^-1.665 + 2.81) e/Å² at s in 1/Å (Grant & Grigorieff 2015); infinite at 0."""
    s = np.asarray(s, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return voltage_scale(voltage_kv) * (0.245 * np.power(s, -1.665) + 2.81)


def dose_after(frames: int, dose_rate: float, pre_exposure: float, first_frame: int = 0) -> np.ndarray:
    """(frames,) e/Å²: exposure at the end of each frame, counted from the first of the file."""
    return pre_exposure + dose_rate * (first_frame + 1 + np.arange(frames, dtype=np.float64))


def attenuation(s: np.ndarray, dose: np.ndarray, voltage_kv: float) -> np.ndarray:
    """(F, ...) exp(-D_i / (2 Nc(s))): what exposure D_i (F,) leaves of the amplitude at s (...)."""
    return np.exp(-np.multiply.outer(dose, 0.5 / critical_exposure(s, voltage_kv)))
