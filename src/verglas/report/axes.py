"""Axes with round ticks: linear, logarithmic, iteration numbers, resolution."""

from dataclasses import replace

import numpy as np

from verglas.report.chart import Axis

NICE_RESOLUTIONS = (
    100,
    50,
    30,
    20,
    15,
    12,
    10,
    8,
    7,
    6,
    5,
    4,
    3.5,
    3,
    2.5,
    2.2,
    2,
    1.8,
    1.6,
    1.4,
    1.2,
    1.0,
    0.8,
    0.6,
    0.5,
)
SMALL = 0.005
"""Ticks of a logarithmic axis below this are written as 1e-3."""


def linear(label: str, low: float, high: float, count: int = 6) -> Axis:
    """low..high as they are, about `count` round ticks."""
    if not high > low:
        high = low + max(1.0, 0.01 * abs(low))
    rough = (high - low) / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda one: abs(np.log(one / rough)))
    values = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step + 0.0
    return Axis(label, low, high, tuple((float(value), number(float(value))) for value in values))


def from_zero(label: str, values: np.ndarray, least: float = 0.0) -> Axis:
    """0 to a little above the largest finite value."""
    seen = values[np.isfinite(values)]
    return linear(label, 0.0, 1.06 * max(float(seen.max(initial=0.0)), least))


def counts(label: str, values: np.ndarray) -> Axis:
    """Like from_zero, with ticks at whole numbers only."""
    return whole(from_zero(label, values, 1.0))


def whole(axis: Axis) -> Axis:
    """Without the ticks between whole numbers."""
    return replace(axis, ticks=tuple(tick for tick in axis.ticks if tick[0] == round(tick[0])))


def logarithmic(label: str, values: np.ndarray) -> Axis:
    """The range of the positive values with ticks at 1, 2, 5: only decades when they are many, evenly spaced ones when they are few."""
    seen = values[np.isfinite(values) & (values > 0)]
    low, high = (float(seen.min()) / 1.25, float(seen.max()) * 1.25) if seen.size else (0.8, 12.0)
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    steps = (1, 2, 5) if np.log10(high / low) < 2.5 else (1,)
    ticks = [m * 10.0**power for power in decades for m in steps if low <= m * 10.0**power <= high]
    if len(ticks) < 3:
        ticks = [value for value, _ in linear(label, low, high, 4).ticks]
    return Axis(label, low, high, tuple((tick, number(tick, SMALL)) for tick in ticks), log=True)


def iterations(numbers: np.ndarray) -> Axis:
    """Whole numbers only, half an iteration of room on both sides."""
    low, high = float(numbers.min()), float(numbers.max())
    step = max(1, round((high - low) / 10))
    ticks = np.arange(low, high + 1, step)
    return Axis("iteration", low - 0.5, high + 0.5, tuple((float(tick), f"{tick:.0f}") for tick in ticks))


def resolution(highest: float, *, squared: bool = False) -> Axis:
    """0 to `highest` in 1/Å (or 1/Å² when `squared`), labelled with the resolutions in Å that a reader expects."""
    power = 2 if squared else 1
    ticks: list[tuple[float, str]] = []
    for value in NICE_RESOLUTIONS:
        place = value**-power
        if place <= 1.001 * highest and (not ticks or place - ticks[-1][0] > 0.05 * highest):
            ticks.append((place, f"{value:g}"))
    return Axis("resolution (Å)" + (", on a scale of 1/d²" if squared else ""), 0.0, highest, tuple(ticks))


def number(value: float, small: float = 0.0) -> str:
    """A tick in as few characters as it needs, with a true minus; scientific below `small`."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
    if 0 < abs(value) < small:
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")
