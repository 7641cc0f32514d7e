"""Numbers over iterations: resolution, sampling against accuracy, changes, posterior sharpness, time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verglas.report import axes
from verglas.report.chart import MUTED, SERIES, Axis, Bars, Level, Line, Mark, chart
from verglas.report.data import Iteration

STAGES = ("read", "prepare", "project", "coarse", "fine", "insert", "solve", "other")
MOST_DOTS = 60


def column(iterations: Sequence[Iteration], name: str) -> np.ndarray:
    """One field of every iteration, (I,); NaN where unknown."""
    return np.array([getattr(one, name) for one in iterations], dtype=float)


def over_iterations(marks: Sequence[Mark], iterations: Sequence[Iteration], y: Axis, label: str, *, wide: bool = False) -> str:
    """A chart with the numbers of the iterations across."""
    return chart(marks, axes.iterations(column(iterations, "number")), y, label, wide=wide)


def series(iterations: Sequence[Iteration], name: str, label: str, colour: str = SERIES[0], factor: float = 1.0) -> Line:
    """One field over the iterations, with dots while they are few."""
    return Line(column(iterations, "number"), factor * column(iterations, name), colour, dots=len(iterations) <= MOST_DOTS, label=label)


def resolution_plot(iterations: Sequence[Iteration], nyquist: float) -> str:
    """Resolution by iteration with the limit of the pixels."""
    line = series(iterations, "resolution", "resolution")
    limit = [Level(nyquist, label=f"limit of the pixels, {nyquist:.2f} Å")] if np.isfinite(nyquist) else []
    return over_iterations([line, *limit], iterations, axes.from_zero("resolution (Å)", line.y), "Resolution by iteration")


def angles_plot(iterations: Sequence[Iteration]) -> str:
    """Angular step, estimated accuracy and the change of the poses, degrees."""
    rows = {"search step": "angular_step_deg", "accuracy": "accuracy_rot_deg", "change of poses": "change_angles_deg"}
    return positive_plot("angle (degrees)", iterations, rows)


def offsets_plot(iterations: Sequence[Iteration]) -> str:
    """Offset step, estimated accuracy and the change of the offsets, Å."""
    rows = {"search step": "offset_step", "accuracy": "accuracy_trans", "change of offsets": "change_offsets"}
    return positive_plot("offset (Å)", iterations, rows)


def poses_plot(iterations: Sequence[Iteration]) -> str:
    """Effective number of poses and significant coarse samples per particle."""
    rows = {"effective number of poses": "effective_poses", "searched finely": "significant"}
    return positive_plot("poses per particle", iterations, rows)


def positive_plot(ylabel: str, iterations: Sequence[Iteration], rows: Mapping[str, str]) -> str:
    """Positive numbers on a logarithmic axis, one line each; rows: label -> field."""
    lines = [series(iterations, name, label, colour) for (label, name), colour in zip(rows.items(), SERIES)]
    shown = [replace(line, y=np.where(line.y > 0, line.y, np.nan)) for line in lines if np.any(line.y > 0)]
    y = axes.logarithmic(ylabel, np.concatenate([line.y for line in lines]))
    return over_iterations(shown, iterations, y, f"{ylabel} by iteration")


def sharpness_plot(iterations: Sequence[Iteration]) -> str:
    """Mean of the largest pose probability by iteration."""
    line = series(iterations, "ave_pmax", "mean of the largest probability (Pmax)")
    return over_iterations([line], iterations, axes.linear("Pmax", 0.0, 1.0), "Mean Pmax by iteration")


def stage_seconds(one: Iteration) -> dict[str, float]:
    """Seconds per stage with `other` = total - the rest."""
    known = dict(one.seconds)
    total = known.pop("total", None)
    shares = {name: known.pop(name, 0.0) for name in STAGES if name != "other"}
    rest = sum(known.values())
    other = rest if total is None else max(rest, total - sum(shares.values()))
    return shares | {"other": max(0.0, other)}


def timing_plot(iterations: Sequence[Iteration]) -> str:
    """One stacked bar per iteration."""
    timed = [one for one in iterations if one.seconds]
    x, bottom = column(timed, "number"), np.zeros(len(timed))
    bars: list[Mark] = []
    for stage, colour in zip(STAGES, (*SERIES, MUTED)):
        seconds = np.nan_to_num(np.array([stage_seconds(one)[stage] for one in timed]))
        bars.append(Bars(x - 0.36, x + 0.36, bottom, bottom + seconds, colour, _share(stage, seconds, timed)))
        bottom = bottom + seconds
    return over_iterations(bars, timed, axes.from_zero("seconds", bottom), "Time per iteration by stage", wide=True)


def _share(stage: str, seconds: np.ndarray, timed: Sequence[Iteration]) -> str:
    """'fine 48 %' of the whole."""
    total = sum(sum(stage_seconds(one).values()) for one in timed)
    return f"{stage} {100 * seconds.sum() / total:.0f} %" if total > 0 else stage
