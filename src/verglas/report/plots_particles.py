"""Distributions over particles and groups."""

import numpy as np

from verglas.report import axes
from verglas.report.chart import DASHED, Axis, Bars, Level, Mark, Upright, chart
from verglas.report.data import Model


def histogram(values: np.ndarray, xlabel: str, ylabel: str = "particles", edges: np.ndarray | None = None) -> str:
    """Counts with the median marked; what lies outside the edges is counted in the last bins."""
    values = values[np.isfinite(values)]
    if edges is None:
        low, high = np.percentile(values, [0.5, 99.5])
        spread = 0.0 if high - low > 1e-6 * abs(low) else max(0.5, 0.01 * abs(low))
        edges = np.linspace(low - spread, high + spread, 41)
    return _counts(values, edges, axes.linear(xlabel, float(edges[0]), float(edges[-1])), ylabel)


def _counts(values: np.ndarray, edges: np.ndarray, x: Axis, ylabel: str) -> str:
    count, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    median = float(np.median(values))
    marks: list[Mark] = [
        Bars(edges[:-1], edges[1:], np.zeros(len(count)), count),
        Upright(median, label=f"median {median:.3g}", dash=DASHED),
    ]
    return chart(marks, x, axes.counts(ylabel, count), f"Histogram of {x.label}")


def pmax_histogram(pmax: np.ndarray) -> str:
    """Largest pose probability of each particle."""
    return histogram(pmax, "largest pose probability (Pmax)", edges=np.linspace(0.0, 1.0, 41))


def significant_histogram(significant: np.ndarray) -> str:
    """Coarse poses per particle that were searched finely, in logarithmic bins."""
    values = np.maximum(significant[np.isfinite(significant)], 1.0)
    edges = np.unique(np.round(np.geomspace(1.0, max(2.0, float(values.max())) + 1.0, 30))) - 0.5
    scale = axes.logarithmic("significant coarse poses per particle", values)
    return _counts(
        values, edges, Axis(scale.label, float(edges[0]), float(edges[-1]), scale.ticks, log=True), "particles"
    )


def defocus_histogram(defocus: np.ndarray) -> str:
    """Mean of defocus U and V, (N, 2) Å, in µm."""
    return histogram(defocus.mean(axis=1) / 1e4, "defocus (µm, underfocus positive)")


def offset_plot(origin: np.ndarray) -> str:
    """Distance of the particles from the centre of their images, (N, 2) Å, with the radii that hold 50 % and 95 %."""
    length = np.linalg.norm(origin, axis=1)
    edges = np.linspace(0.0, max(1.0, float(np.percentile(length, 99.5))), 41)
    count, _ = np.histogram(np.clip(length, 0, edges[-1]), edges)
    half, most = np.percentile(length, [50, 95])
    marks: list[Mark] = [
        Bars(edges[:-1], edges[1:], np.zeros(len(count)), count),
        Upright(float(half), label=f"50 % within {half:.1f} Å", dash=DASHED),
        Upright(float(most), label=f"95 % within {most:.1f} Å"),
    ]
    return chart(
        marks,
        axes.linear("distance from the box centre (Å)", 0.0, float(edges[-1])),
        axes.from_zero("particles", count, 1.0),
        "Offsets of the particles",
    )


def scale_plot(model: Model) -> str:
    """Intensity scale of the groups: bars by group when there are few, a histogram when there are many."""
    scales = model.group_scales
    if scales.size > 40:
        return histogram(scales, "intensity scale of the group", "groups")
    x = np.arange(1, scales.size + 1)
    ticks = tuple((float(one), f"{one}") for one in x[:: max(1, scales.size // 12)])
    marks: list[Mark] = [
        Bars(x - 0.36, x + 0.36, np.zeros(scales.size), scales),
        Level(1.0, label="mean of all particles"),
    ]
    return chart(
        marks,
        Axis("group (micrograph)", 0.4, scales.size + 0.6, ticks),
        axes.from_zero("intensity scale", scales, 1.2),
        "Intensity scale by group",
    )
