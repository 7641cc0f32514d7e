"""Curves over resolution: Fourier shell correlations and Guinier plots."""

from collections.abc import Sequence

import numpy as np

from verglas.report import axes
from verglas.report.chart import DASHED, INK, SERIES, Axis, Level, Line, Mark, Upright, chart
from verglas.report.data import Iteration, Model, PostProcess

GOLD, HALF = 0.143, 0.5
THRESHOLDS = (Level(0.0, dash=""), Level(GOLD, "0.143"), Level(HALF, "0.5"))


def shell_frequencies(shells: int, box: int, pixel_size: float) -> np.ndarray:
    """(S,) 1/Å: s_k = k / (box * pixel)."""
    return np.arange(shells) / (box * pixel_size)


def measured(fsc: np.ndarray) -> np.ndarray:
    """Without the zeros that stand beyond the last shell that an iteration used."""
    return fsc[: np.flatnonzero(fsc)[-1] + 1] if fsc.any() else fsc[:1]


def fsc_by_iteration(iterations: Sequence[Iteration], model: Model, resolution: float) -> str:
    """FSC of the half maps: earlier iterations faint, the newest strong, 0.143 and 0.5 marked."""
    earlier = [measured(one.fsc) for one in iterations if one.fsc.size and one.number != model.iteration]
    faint = [
        Line(
            shell_frequencies(fsc.size, model.box, model.pixel_size),
            fsc,
            SERIES[0],
            1.2,
            opacity=0.3 + 0.4 * rank / len(earlier),
            label="earlier iterations" if rank == len(earlier) - 1 else "",
        )
        for rank, fsc in enumerate(earlier)
    ]
    name = "final, all data" if model.final else f"iteration {model.iteration}"
    curve = measured(model.fsc)
    newest = Line(shell_frequencies(curve.size, model.box, model.pixel_size), curve, SERIES[0], 3.0, label=name)
    highest = 1.0 / model.nyquist
    marks: list[Mark] = [*THRESHOLDS, *_at(resolution, highest), *faint, newest]
    return chart(
        marks,
        axes.resolution(highest),
        _fsc_axis(),
        "Fourier shell correlation of the half maps by iteration",
        wide=True,
    )


def fsc_postprocess(post: PostProcess) -> str:
    """The four curves of post-processing over resolution."""
    curves = (
        ("unmasked", post.unmasked, SERIES[2], 1.8, ""),
        ("phases randomised, masked", post.randomised, SERIES[3], 1.8, DASHED),
        ("corrected", post.corrected, SERIES[0], 4.0, ""),
        ("masked", post.masked, SERIES[1], 1.8, ""),
    )
    lines = [
        Line(post.frequency[: y.size], y, colour, width, dash, label=label)
        for label, y, colour, width, dash in curves
        if y.size
    ]
    highest = float(post.frequency[-1])
    marks: list[Mark] = [*THRESHOLDS, *_at(post.resolution, highest), *lines]
    return chart(marks, axes.resolution(highest), _fsc_axis(), "Fourier shell correlations after masking", wide=True)


def _fsc_axis() -> Axis:
    return Axis(
        "Fourier shell correlation", -0.1, 1.0, tuple((tick, f"{tick:g}") for tick in (0, 0.2, 0.4, 0.6, 0.8, 1))
    )


def _at(resolution: float, highest: float) -> list[Mark]:
    """A vertical line at the resolution."""
    known = np.isfinite(resolution) and resolution > 0
    return [Upright(min(1.0 / resolution, highest), f"{resolution:.2f} Å")] if known else []


def guinier_of_postprocess(post: PostProcess) -> str:
    """ln amplitude over 1/d² with the fitted line whose slope is B / 4."""
    lines = [
        Line(post.guinier_x[: y.size], np.where(y > -90, y, np.nan), colour, label=label)
        for (label, y), colour in zip(post.guinier, SERIES)
    ]
    if all(np.isfinite(post.fit)):
        lines.append(Line(post.guinier_x, post.fit[1] + post.fit[0] * post.guinier_x, INK, 1.2, DASHED, label="fit"))
    return _guinier(lines, float(post.guinier_x[-1]))


def signal_b_factor(model: Model) -> tuple[float, float, np.ndarray, np.ndarray]:
    """B (Å²) and intercept of ln F = c - B s² / 4, fitted from 10 Å to the resolution; NaN below five shells.

    Then s² and ln F. F(s) = sqrt(2 tau²(s)) is the signal amplitude per Fourier pixel, tau² being per real component
    (Scheres, J Struct Biol 2012).
    """
    s = shell_frequencies(model.tau2.size, model.box, model.pixel_size)
    inside = np.isfinite(model.tau2) & (model.tau2 > 0) & (s > 0) & (s <= 1.0 / max(model.resolution, model.nyquist) + 1e-9)
    x, y = s[inside] ** 2, 0.5 * np.log(2.0 * model.tau2[inside])
    fitted = x >= 0.01
    if fitted.sum() < 5:
        return float("nan"), float("nan"), x, y
    slope, intercept = np.polyfit(x[fitted], y[fitted], 1)
    return float(-4.0 * slope), float(intercept), x, y


def guinier_of_model(model: Model) -> str:
    """Guinier plot of the signal power that the half maps agree on."""
    b_factor, intercept, x, y = signal_b_factor(model)
    lines = [Line(x, y, label="signal amplitude of the map")]
    if np.isfinite(b_factor):
        lines.append(Line(x, intercept - b_factor / 4.0 * x, INK, 1.2, DASHED, label=f"fit, B = {b_factor:.0f} Å²"))
    return _guinier(lines, float(x[-1]))


def _guinier(lines: Sequence[Line], highest: float) -> str:
    seen = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    seen = seen if seen.size else np.zeros(1)
    y = axes.linear("ln amplitude", float(seen.min()) - 0.3, float(seen.max()) + 0.3, 5)
    return chart(lines, axes.resolution(highest, squared=True), y, "Guinier plot")
