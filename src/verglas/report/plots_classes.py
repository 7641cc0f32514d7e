"""Classes over iterations and against each other: sizes, resolution, certainty, agreement of seeds. The largest are named, the rest grey."""

from collections.abc import Callable, Sequence

import numpy as np

from verglas.report import axes
from verglas.report.chart import DASHED, INK, MUTED, SERIES, Area, Axis, Bars, Line, Mark, chart
from verglas.report.data import Classes, ClassRow, Iteration, Seeds
from verglas.report.plots_iterations import column, over_iterations, series

NAMED = len(SERIES)
"""How many classes have a colour of their own."""
GREY = 0.35
"""Opacity of all others."""
WIDE_FROM = 16
BEYOND = 3.0
"""Small classes this many times coarser than the large ones are left out of the plot of resolutions."""


def colour(rank: int) -> str:
    """Of the class that is `rank` (from 0) by size, the same in every plot."""
    return SERIES[rank] if rank < NAMED else MUTED


def opacity(rank: int) -> float:
    return 1.0 if rank < NAMED else GREY


def percent(share: float) -> str:
    """'33 %' or '4.5 %'."""
    return f"{100 * share:.{0 if share >= 0.0995 else 1}f} %"


def by_class(iterations: Sequence[Iteration], read: Callable[[Iteration], np.ndarray], count: int) -> np.ndarray:
    """(I, K) of a per-class list, NaN where an iteration has none of the right length."""
    nothing = np.full(count, np.nan)
    return np.array([read(one) if read(one).size == count else nothing for one in iterations], dtype=float).reshape(-1, count)


def occupancy_plot(iterations: Sequence[Iteration], rows: Sequence[ClassRow]) -> str:
    """Shares of the classes stacked over the iterations; `rows` largest first, the largest at the bottom. "" with less than two iterations."""
    sizes = by_class(iterations, lambda one: one.class_sizes, len(rows))
    known = np.isfinite(sizes).all(axis=1) & (np.nan_to_num(sizes).sum(axis=1) > 0)
    if known.sum() < 2:
        return ""
    seen = [one for one, good in zip(iterations, known) if good]
    shares = 100 * sizes[known] / sizes[known].sum(axis=1, keepdims=True)
    x, bottom = column(seen, "number"), np.zeros(len(seen))
    areas: list[Mark] = []
    for rank, row in enumerate(rows):
        share = shares[:, row.number - 1]
        name = f"class {row.number}: {percent(share[-1] / 100)}"
        shade = opacity(rank) * (0.7 if rank >= NAMED and rank % 2 else 1.0)
        label = name if rank < NAMED else f"{len(rows) - NAMED} others" if rank == NAMED else ""
        areas.append(Area(x, bottom, bottom + share, colour(rank), shade, label, name))
        bottom = bottom + share
    return over_iterations(areas, seen, axes.linear("particles (%)", 0.0, 100.0, 5), "Share of the classes by iteration", wide=True)


def size_plot(rows: Sequence[ClassRow]) -> str:
    """Share of each class, largest first."""
    shares = 100 * np.nan_to_num(np.array([row.share for row in rows]))
    bars = _bars_by_class(rows, np.zeros(len(rows)), shares, [f"class {row.number}: {share:.1f} %" for row, share in zip(rows, shares)])
    return chart(bars, class_axis(rows), axes.from_zero("particles (%)", shares, 1.0), "Share of the classes", wide=len(rows) > WIDE_FROM)


def _bars_by_class(rows: Sequence[ClassRow], low: np.ndarray, high: np.ndarray, titles: Sequence[str], half: float = 0.36) -> list[Mark]:
    """One bar per class in its colour."""
    x = np.arange(1, len(rows) + 1)
    each = [slice(rank, rank + 1) for rank in range(len(rows))]
    return [
        Bars(x[one] - half, x[one] + half, low[one], high[one], colour(rank), titles=tuple(titles[one]), opacity=opacity(rank))
        for rank, one in enumerate(each)
    ]


def class_axis(rows: Sequence[ClassRow]) -> Axis:
    """Class numbers in the order of rows at 1, 2, ..."""
    every = max(1, -(-len(rows) // (48 if len(rows) > WIDE_FROM else WIDE_FROM)))
    ticks = tuple((float(rank + 1), f"{row.number}") for rank, row in enumerate(rows) if rank % every == 0)
    return Axis("class, largest first", 0.4, len(rows) + 0.6, ticks)


def resolution_by_class(iterations: Sequence[Iteration], rows: Sequence[ClassRow]) -> str:
    """Estimated resolution of each class by iteration; "" when no iteration says it."""
    values = by_class(iterations, lambda one: one.class_resolution, len(rows))
    values = np.where((values > 0) & (values < 900), values, np.nan)
    named = values[:, [row.number - 1 for row in rows[:NAMED]]]
    if np.isfinite(named).any():
        values = np.where(values <= BEYOND * np.nanmax(named), values, np.nan)
    if not np.isfinite(values).any():
        return ""
    x, few = column(iterations, "number"), len(iterations) <= 30
    lines: list[Mark] = [
        Line(x, values[:, row.number - 1], colour(rank), 2.0 if rank < NAMED else 1.0, opacity=opacity(rank), dots=few and rank < NAMED,
             label=f"class {row.number}" if rank < NAMED else "")
        for rank, row in enumerate(rows)
    ]
    legend = [Line(x[:0], x[:0], MUTED, 1.0, opacity=GREY, label=f"{len(rows) - NAMED} others")] if len(rows) > NAMED else []
    y = axes.logarithmic("resolution (Å)", values)
    return over_iterations([*lines[NAMED:], *lines[:NAMED], *legend], iterations, y, "Resolution of the classes by iteration", wide=True)


def switching_plot(iterations: Sequence[Iteration]) -> str:
    """Percent of the particles that changed their class."""
    line = series(iterations, "change_classes", "changed their class", factor=100.0)
    return over_iterations([line], iterations, axes.from_zero("particles (%)", line.y, 10.0), "Particles that changed their class")


def single_plot(iterations: Sequence[Iteration], name: str, label: str, *, log: bool = False) -> str:
    """One field over the iterations from zero, or on a logarithmic axis; "" when it is not recorded or never changes."""
    line = series(iterations, name, "")
    seen = line.y[np.isfinite(line.y)]
    if seen.size < 2 or np.ptp(seen) == 0:
        return ""
    return over_iterations([line], iterations, axes.logarithmic(label, line.y) if log else axes.from_zero(label, line.y), f"{label} by iteration")


def pmax_by_class(rows: Sequence[ClassRow], pmax: np.ndarray) -> str:
    """Spread of the largest probabilities (N,) in each class: 5 to 95 % thin, the middle half thick, the median a line; empty ones stay blank."""
    spread = [np.percentile(pmax[row.members], [5, 25, 50, 75, 95]) if row.members.size else np.full(5, np.nan) for row in rows]
    low, first, middle, third, high = np.array(spread).T
    titles = [f"class {row.number}: median {value:.2f}, {row.members.size} particles" for row, value in zip(rows, middle)]
    x = np.arange(1, len(rows) + 1)
    medians = Bars(x - 0.36, x + 0.36, middle - 0.004, middle + 0.004, INK, titles=tuple(titles))
    marks = [*_bars_by_class(rows, low, high, titles, 0.06), *_bars_by_class(rows, first, third, titles), medians]
    return chart(marks, class_axis(rows), axes.linear("Pmax", 0.0, 1.0, 5), "Largest pose probability by class", wide=len(rows) > WIDE_FROM)


def scales_plot(classes: Classes) -> str:
    """Histogram of the scales of single particles as the job counted it."""
    edges, counts = classes.scales
    bars = Bars(edges[:-1], edges[1:], np.zeros(counts.size), counts)
    x = axes.linear("scale of the particle", float(edges[0]), float(edges[-1]))
    return chart([bars], x, axes.from_zero("particles", counts, 1.0), "Scales of the particles")


def seeds_plot(seeds: Seeds) -> str:
    """FSC curves between pairs of seeds over resolution, their mean strong; "" when the shells are not known."""
    if seeds.resolution.size != seeds.fsc.shape[1] or not np.all(seeds.resolution > 0):
        return ""
    x = 1.0 / seeds.resolution
    faint = [Line(x, row, SERIES[0], 1.2, opacity=0.4, label="a pair of seeds" if rank == 0 else "") for rank, row in enumerate(seeds.fsc)]
    mean = Line(x, seeds.fsc.mean(axis=0), INK, 2.5, DASHED, label="mean")
    y = Axis("Fourier shell correlation", -0.1, 1.0, tuple((tick, f"{tick:g}") for tick in (0, 0.2, 0.4, 0.6, 0.8, 1)))
    return chart([*faint, mean], axes.resolution(float(x.max())), y, "Agreement of the seeds")
