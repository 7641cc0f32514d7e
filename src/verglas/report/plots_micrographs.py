"""Charts over micrographs: distributions, courses, motion by frame, one CTF fit, counts of live processing."""

from dataclasses import replace

import numpy as np

from verglas.report import axes
from verglas.report.chart import DASHED, GRID, INK, MUTED, SERIES, Area, Axis, Bars, Dots, Line, Mark, Upright, chart, drawing, path, stroke, words
from verglas.report.micrograph_data import Column, CtfShown, Processed, Round
from verglas.report.plots_particles import histogram

MOST_DOTS = 4000
"""Dots of a course; more micrographs are thinned out evenly."""
TRACK = 200


def spread(column: Column, noun: str) -> str:
    """Histogram of a quantity."""
    values = column.values[np.isfinite(column.values)]
    if column.quantity.digits == 0 and float(np.ptp(values)) <= 40:
        return histogram(values, column.quantity.label, noun, np.arange(values.min() - 0.5, values.max() + 1.5))
    low, high = (float(one) for one in np.percentile(values, [0.5, 99.5]))
    room = 0.0 if high - low > 1e-6 * abs(low) else max(0.5, 0.01 * abs(low))
    bins = int(np.clip(3 * np.sqrt(values.size), 10, 50))
    return histogram(values, column.quantity.label, noun, np.linspace(low - room, high + room, bins + 1))


def course(column: Column, noun: str) -> str:
    """The value of every micrograph in the order in which they were done, one small dot each; the line is a running median."""
    number = np.flatnonzero(np.isfinite(column.values))
    values = column.values[number]
    top = float(np.percentile(values, 99.5)) if values.size else 1.0
    x = axes.whole(axes.linear(f"number of the {noun.removesuffix('s')}", 0.5, len(column.values) + 0.5))
    low = min(0.0, float(values.min(initial=0.0)))
    y = axes.linear(column.quantity.label, low, max(1.08 * top, low + 1e-6))
    kept = np.unique(np.linspace(0, len(number) - 1, min(len(number), MOST_DOTS)).round().astype(int)) if number.size else number
    marks: list[Mark] = [Dots(number[kept] + 1.0, values[kept], size=5.0 if number.size < 500 else 2.5), *running_median(number + 1.0, values)]
    return chart(marks, x, y, f"{column.quantity.title} by number")


def running_median(x: np.ndarray, values: np.ndarray) -> list[Mark]:
    """Medians of about 40 groups of neighbours; nothing where there are too few."""
    if values.size < 60:
        return []
    groups = np.array_split(np.arange(values.size), min(40, values.size // 15))
    middles = np.array([np.median(values[g]) for g in groups])
    return [Line(np.array([x[g].mean() for g in groups]), middles, INK, 1.5, label="running median")]


def frames_plot(steps: np.ndarray) -> str:
    """Median motion between frames with the middle 80 % of the movies, steps (N, F) Å."""
    known = np.isfinite(steps).any(axis=0)
    steps = steps[:, known]
    low, middle, high = np.nanpercentile(steps, [10, 50, 90], axis=0)
    frame = np.flatnonzero(known) + 2.0
    x = axes.whole(axes.linear("frame", 1.5, float(frame[-1]) + 0.5))
    marks: list[Mark] = [Area(frame, low, high, opacity=0.25, label="80 % of the movies"), Line(frame, middle, label="median", dots=len(frame) <= 60)]
    return chart(marks, x, axes.from_zero("motion from the frame before (Å)", high), "Motion by frame", wide=True)


def ctf_plot(one: CtfShown) -> str:
    """1D curves of a fit; spectrum and rings are on one scale, on which the rings reach 1."""
    k, average, rings, agreement = one.curves
    seen = np.isfinite(k) & (k <= (one.edge if np.isfinite(one.edge) else np.inf))
    inner = seen & (k <= 1.3 / one.resolution) if np.isfinite(one.resolution) and one.resolution > 0 else seen
    scale = 1.0 / max(float(np.abs(rings[inner]).max(initial=0.0)), 1e-9)
    bottom = -1.2 if rings.min(initial=0.0) < 0 else -0.2
    marks: list[Mark] = [
        Line(k[seen], np.clip(average[seen] * scale, bottom, 1.2), SERIES[0], 1.2),
        Line(k[seen], rings[seen] * scale, SERIES[1], 1.5),
        Line(k[seen], agreement[seen], SERIES[2], 1.5, DASHED),
    ]
    if np.isfinite(one.resolution) and one.resolution > 0:
        marks.append(Upright(1.0 / one.resolution, f"{one.resolution:.1f} Å"))
    ticks = tuple((value, axes.number(value)) for value in ((-1.0, 0.0, 1.0) if bottom < -1 else (0.0, 1.0)))
    across = axes.resolution(float(k[seen].max(initial=0.1)))
    few = tuple((place, text) for place, text in across.ticks if text in ("20", "10", "7", "5", "4", "3", "2"))
    return chart(marks, replace(across, ticks=few), Axis("", bottom, 1.2, ticks), "CTF fit")


def track_plot(track: np.ndarray) -> str:
    """The path (F, 2) Å of the whole field, from a hollow dot to a filled one, with a scale bar."""
    seen = track[np.isfinite(track).all(axis=1)]
    if len(seen) < 2:
        return ""
    middle, half = (seen.min(axis=0) + seen.max(axis=0)) / 2, max(0.5 * float(np.ptp(seen, axis=0).max()), 0.5)
    scale = 0.38 * TRACK / half
    x, y = np.round(TRACK / 2 + (seen - middle).T * scale, 1)
    bar = round_length(0.6 * half)
    parts = [
        stroke(f"M{TRACK / 2:g} 0V{TRACK}M0 {TRACK / 2:g}H{TRACK}", GRID), stroke(path(x, y), SERIES[0], 2.0),
        "".join(f'<circle cx="{a:g}" cy="{b:g}" r="1.6" fill="{SERIES[0]}"/>' for a, b in zip(x[1:-1], y[1:-1])),
        f'<circle cx="{x[0]:g}" cy="{y[0]:g}" r="4" fill="var(--card)" stroke="{SERIES[0]}" stroke-width="2"/>',
        f'<circle cx="{x[-1]:g}" cy="{y[-1]:g}" r="4" fill="{SERIES[0]}"/>',
        stroke(f"M8 {TRACK - 8}h{bar * scale:.1f}", INK, 2.0), words(8, TRACK - 14, f"{bar:g} Å", colour=MUTED),
    ]
    return drawing(parts, TRACK, TRACK, "Track of the whole field")


def round_length(wanted: float) -> float:
    """1, 2 or 5 times a power of ten, at most `wanted`."""
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * 1.0001))


def fom_plot(data: Processed) -> str:
    """Figures of merit of picks with the median threshold."""
    low, high = (float(one) for one in np.percentile(data.foms, [0.2, 99.8]))
    edges = np.linspace(low, max(high, low + 1e-3), 61)
    count, _ = np.histogram(np.clip(data.foms, low, edges[-1]), edges)
    marks: list[Mark] = [Bars(edges[:-1], edges[1:], np.zeros(60), count)]
    if np.isfinite(data.threshold):
        marks.append(Upright(data.threshold, label=f"threshold {data.threshold:.2f} (median)", dash=DASHED))
    return chart(marks, axes.linear("figure of merit", edges[0], edges[-1]), axes.counts("picks", count), "Figures of merit", wide=True)


def counts_plot(rounds: tuple[Round, ...], stages: tuple[str, ...], label: str) -> str:
    """Rows of the tables of some stages over time; earlier stages have thicker lines, so that equal ones are seen."""
    minutes = np.array([0.0, *(one.time for one in rounds)]) / 60.0
    known = [dict(one.rows) for one in rounds]
    values = [carried(np.array([0.0, *(row.get(name, np.nan) for row in known)], dtype=float)) for name in stages]
    marks = [Line(minutes, one, colour, 2.0 + 2.5 * (len(stages) - 1 - rank), label=name)
             for rank, (name, one, colour) in enumerate(zip(stages, values, SERIES))]
    top = np.nan_to_num(np.concatenate(values))
    return chart(marks, axes.linear("minutes since the start", 0.0, max(float(minutes.max()), 1e-3)), axes.counts(label, top), label, wide=True)


def carried(values: np.ndarray) -> np.ndarray:
    """NaN replaced by the value before it: a stage that was not run has what it had."""
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(values.size), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)


def seconds_plot(rounds: tuple[Round, ...]) -> str:
    """Seconds of every stage in each round, on top of each other; neighbouring rounds are joined when there are many."""
    stages = list(dict.fromkeys(name for one in rounds for name, _ in one.seconds))
    known = [dict(one.seconds) for one in rounds]
    groups = np.array_split(np.arange(len(rounds)), min(len(rounds), 120))
    low = np.zeros(len(groups))
    left = np.array([g[0] for g in groups]) + 0.5
    right = np.array([g[-1] for g in groups]) + 1.5
    marks: list[Mark] = []
    for name, colour in zip(stages, SERIES * 2):
        each = np.array([np.nan_to_num(row.get(name, 0.0)) for row in known])
        high = low + np.array([each[g].mean() for g in groups])
        marks.append(Bars(left, right, low, high, colour, name))
        low = high
    x = axes.whole(axes.linear("round", 0.5, len(rounds) + 0.5))
    return chart(marks, x, axes.from_zero("seconds", low, 0.1), "Seconds by stage", wide=True)
