"""Numbers over iterations: resolution, sampling against accuracy, changes, posterior sharpness, time."""

from collections.abc import Callable, Sequence

import numpy as np

from verglas.report import axes
from verglas.report.chart import MUTED, SERIES, Bars, Level, Line, Mark, chart
from verglas.report.data import Iteration

STAGES = ("read", "prepare", "project", "coarse", "fine", "insert", "solve", "other")
Read = Callable[[Iteration], float]


def column(iterations: Sequence[Iteration], read: Read) -> np.ndarray:
    """One number per iteration, NaN where unknown."""
    return np.array([read(one) for one in iterations], dtype=float)


def _numbers(iterations: Sequence[Iteration]) -> np.ndarray:
    return column(iterations, lambda one: one.number)


def resolution_plot(iterations: Sequence[Iteration], nyquist: float) -> str:
    """Resolution by iteration with the limit of the pixels."""
    x, y = _numbers(iterations), column(iterations, lambda one: one.resolution)
    marks: list[Mark] = [Line(x, y, dots=True, label="resolution")]
    if np.isfinite(nyquist):
        marks.append(Level(nyquist, label=f"limit of the pixels, {nyquist:.2f} Å"))
    return chart(marks, axes.iterations(x), axes.from_zero("resolution (Å)", y), "Resolution by iteration")


def angles_plot(iterations: Sequence[Iteration]) -> str:
    """Angular step, estimated accuracy and the change of the poses, degrees."""
    return _steps_plot(
        "angle (degrees)",
        iterations,
        (
            ("search step", lambda one: one.angular_step_deg),
            ("accuracy", lambda one: one.accuracy_rot_deg),
            ("change of poses", lambda one: one.change_angles_deg),
        ),
    )


def offsets_plot(iterations: Sequence[Iteration]) -> str:
    """Offset step, estimated accuracy and the change of the offsets, Å."""
    return _steps_plot(
        "offset (Å)",
        iterations,
        (
            ("search step", lambda one: one.offset_step),
            ("accuracy", lambda one: one.accuracy_trans),
            ("change of offsets", lambda one: one.change_offsets),
        ),
    )


def poses_plot(iterations: Sequence[Iteration]) -> str:
    """Effective number of poses and significant coarse samples per particle."""
    return _steps_plot(
        "poses per particle",
        iterations,
        (
            ("effective number of poses", lambda one: one.effective_poses),
            ("searched finely", lambda one: one.significant),
        ),
    )


def _steps_plot(ylabel: str, iterations: Sequence[Iteration], rows: Sequence[tuple[str, Read]]) -> str:
    """Positive numbers on a logarithmic axis, one line each."""
    x = _numbers(iterations)
    columns = [column(iterations, read) for _, read in rows]
    lines = [
        Line(x, np.where(y > 0, y, np.nan), colour, dots=True, label=label)
        for (label, _), y, colour in zip(rows, columns, SERIES)
        if np.any(y > 0)
    ]
    return chart(lines, axes.iterations(x), axes.logarithmic(ylabel, np.concatenate(columns)), f"{ylabel} by iteration")


def sharpness_plot(iterations: Sequence[Iteration]) -> str:
    """Mean of the largest pose probability by iteration."""
    line = Line(
        _numbers(iterations),
        column(iterations, lambda one: one.ave_pmax),
        dots=True,
        label="mean of the largest probability (Pmax)",
    )
    return chart([line], axes.iterations(line.x), axes.linear("Pmax", 0.0, 1.0), "Mean Pmax by iteration")


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
    x, bottom = _numbers(timed), np.zeros(len(timed))
    bars: list[Mark] = []
    for stage, colour in zip(STAGES, (*SERIES, MUTED)):
        seconds = np.nan_to_num(np.array([stage_seconds(one)[stage] for one in timed]))
        bars.append(Bars(x - 0.36, x + 0.36, bottom, bottom + seconds, colour, _share(stage, seconds, timed)))
        bottom = bottom + seconds
    return chart(bars, axes.iterations(x), axes.from_zero("seconds", bottom), "Time per iteration by stage", wide=True)


def _share(stage: str, seconds: np.ndarray, timed: Sequence[Iteration]) -> str:
    """'fine 48 %' of the whole."""
    total = sum(sum(stage_seconds(one).values()) for one in timed)
    return f"{stage} {100 * seconds.sum() / total:.0f} %" if total > 0 else stage
