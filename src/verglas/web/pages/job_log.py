"""The numbers of iterations as small plots, the results as numbers, and the last lines of the log."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from nicegui import ui

from verglas.web.numbers import results
from verglas.web.progress import Events, series, words_of

LINES, PLOTS = 12, 6


class Log:
    """Drawn once; `show` brings it up to date."""

    def __init__(self, folder: Path, events: Events) -> None:
        self.events = events
        self.results = ui.html("", sanitize=False).classes("may-be-empty").style("width: 100%")
        self.plots = ui.element("div").classes("plots may-be-empty")
        self.drawn: dict[str, ui.echart] = {}
        with ui.element("section").classes("card"):
            ui.html("<h2>Last lines of the log</h2>", sanitize=False)
            self.lines = ui.html("", sanitize=False).style("width: 100%")

    def show(self, log: str) -> None:
        self.lines.set_content(f"<pre class='log'>{escape(chr(10).join(log.splitlines()[-LINES:])) or 'Nothing yet.'}</pre>")
        self.results.set_content(numbers(self.events.rows))
        found = list(series(self.events.of("iteration")).items())[:PLOTS]
        for name, points in found:
            if name not in self.drawn:
                with self.plots, ui.element("section").classes("card"):
                    ui.label(words_of(name)).style("font-weight: 600")
                    self.drawn[name] = ui.echart(options(points)).classes("plot")
            elif self.drawn[name].options["series"][0]["data"] != [list(one) for one in points]:
                self.drawn[name].options["series"][0]["data"] = [list(one) for one in points]
                self.drawn[name].update()


def options(points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """A line over the iterations, in colours that can be read on light and dark."""
    grey = "#7b8a94"
    axis = {"axisLabel": {"color": grey}, "axisLine": {"lineStyle": {"color": grey}}, "splitLine": {"lineStyle": {"color": "#7b8a9433"}}}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 14, "top": 14, "bottom": 24, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "value",
            "minInterval": 1,
            "min": "dataMin",
            "max": "dataMax",
            "name": "iteration",
            "nameLocation": "middle",
            "nameGap": 22,
            "nameTextStyle": {"color": grey},
            **axis,
        },
        "yAxis": {"type": "value", "scale": True, **axis},
        "series": [{"type": "line", "data": [list(one) for one in points], "symbolSize": 5, "itemStyle": {"color": "#2b8fb0"}}],
    }


def numbers(rows: Sequence[dict[str, Any]]) -> str:
    """What it ended with, as a list; "" where it has told nothing."""
    found = results(rows)
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in found.items())
    return f"<section class='card'><h2>Numbers</h2><dl class='facts'>{lines}</dl></section>" if found else ""
