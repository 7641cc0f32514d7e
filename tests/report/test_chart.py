"""Axes and marks: positions, ticks, escaping."""

import re

import numpy as np
import pytest

from verglas.report import axes
from verglas.report.chart import BOTTOM, HALF_HEIGHT, HALF_WIDTH, LEFT, RIGHT, TOP, Bars, Level, Line, Upright, chart


def test_ends_of_an_axis_are_the_ends_of_the_frame() -> None:
    x, y = axes.linear("x", 0.0, 10.0), axes.linear("y", -1.0, 1.0)
    text = chart([Line(np.array([0.0, 10.0]), np.array([-1.0, 1.0]), colour="red")], x, y, "line")
    points = re.search(r'd="M([^"]+)" fill="none" stroke="red"', text)
    assert points and points.group(1) == f"{LEFT} {HALF_HEIGHT - BOTTOM}L{HALF_WIDTH - RIGHT} {TOP}"


def test_log_axis_places_the_geometric_mean_in_the_middle() -> None:
    few = axes.logarithmic("y", np.array([22.0, 32.0]))
    assert [text for _, text in few.ticks] == ["20", "25", "30", "35", "40"] and few.log
    assert axes.number(0.0002, 0.01) == "2e\N{MINUS SIGN}4" and axes.number(0.02) == "0.02"
    axis = axes.logarithmic("y", np.array([1.25, 80.0]))
    assert float(axis.place(10.0)) == pytest.approx(0.5)
    assert all(axis.low <= value <= axis.high for value, _ in axis.ticks) and len(axis.ticks) >= 3


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-11.2, -5.3), (0.0, 3e-4), (0.0, 123456.0), (2.0, 2.0)])
def test_linear_ticks_are_round_inside_and_not_crowded(low: float, high: float) -> None:
    axis = axes.linear("x", low, high)
    values = np.array([value for value, _ in axis.ticks])
    assert (
        3 <= len(values) <= 11
        and np.all(values >= axis.low - 1e-12)
        and np.all(values <= axis.high * (1 + 1e-9) + 1e-12)
    )
    assert not any(text == "\N{MINUS SIGN}0" for _, text in axis.ticks)


def test_resolution_axis_is_linear_in_frequency() -> None:
    axis = axes.resolution(0.25)
    places = {text: float(axis.place(value)) for value, text in axis.ticks}
    assert places["4"] == pytest.approx(1.0) and places["8"] == pytest.approx(0.5)
    squared = axes.resolution(0.0625, squared=True)
    assert {text: float(squared.place(value)) for value, text in squared.ticks}["8"] == pytest.approx(0.25)


def test_gaps_are_left_out_and_text_is_escaped() -> None:
    axis = axes.linear("<b>", 0.0, 1.0)
    marks = [
        Line(np.array([0.0, 0.5, 1.0]), np.array([0.0, np.nan, 1.0]), dots=True, label='<i>&"'),
        Level(0.5, "<u>"),
        Upright(0.5, "<s>"),
        Bars(np.array([0.1]), np.array([0.2]), np.array([0.0]), np.array([0.5]), label="<q>"),
        Line(np.array([np.nan]), np.array([1.0])),
    ]
    text = chart(marks, axis, axis, '"><script>')
    assert "nan" not in text and text.count("<circle") == 2
    assert not re.search(r"<(b|i|u|s|q|script)>", text)
