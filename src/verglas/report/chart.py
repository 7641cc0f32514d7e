"""Charts as small inline SVG: axes and marks are frozen data, `chart` draws them; colours are CSS variables.

Written out here because a plotting library costs more time than all the rest of a report, which is made again and
again while a job runs (13 plots: matplotlib about 1 s + 0.5 s to import it, this 0.05 s), and cannot follow a reader's
light or dark theme.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

HALF_WIDTH, HALF_HEIGHT, WIDE_WIDTH, WIDE_HEIGHT = 560, 290, 1150, 380
SERIES = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)", "var(--s7)")
INK, MUTED, GRID, CARD = "var(--ink)", "var(--muted)", "var(--grid)", "var(--card)"
DASHED = "5 4"
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 46
CHARACTER = 6.6
"""Mean width of a character of the labels in SVG units, to place them without measuring."""


@dataclass(frozen=True)
class Axis:
    """low..high with ticks (value, text); logarithmic when `log`."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """0 at low, 1 at high; values outside stay on the border."""
        ends = np.array([self.low, self.high], dtype=float)
        values = np.asarray(values, dtype=float)
        if self.log:
            values, ends = np.log(np.maximum(values, 1e-12)), np.log(ends)
        return np.clip((values - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)


@dataclass(frozen=True)
class Line:
    """A polyline through the finite points; `dots`: a dot with its value at each."""

    x: np.ndarray
    y: np.ndarray
    colour: str = SERIES[0]
    width: float = 2.0
    dash: str = ""
    opacity: float = 1.0
    dots: bool = False
    label: str = ""


@dataclass(frozen=True)
class Area:
    """The space between two curves; `title` is shown under the pointer."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str = SERIES[0]
    opacity: float = 1.0
    label: str = ""
    title: str = ""


@dataclass(frozen=True)
class Bars:
    """Rectangles from (left, low) to (right, high), one per element; `titles` under the pointer, else their heights."""

    left: np.ndarray
    right: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str = SERIES[0]
    label: str = ""
    titles: tuple[str, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True)
class Level:
    """A horizontal dashed line across the chart; `text` stands on its left end."""

    y: float
    text: str = ""
    label: str = ""
    dash: str = DASHED


@dataclass(frozen=True)
class Upright:
    """A vertical line; `text` stands beside its top."""

    x: float
    text: str = ""
    label: str = ""
    dash: str = ""


@dataclass(frozen=True)
class Dots:
    """One dot per finite point."""

    x: np.ndarray
    y: np.ndarray
    colour: str = SERIES[0]
    size: float = 4.0
    label: str = ""


Mark = Line | Area | Bars | Level | Upright | Dots


@dataclass(frozen=True)
class Frame:
    """Where the axes are inside the drawing, in SVG units."""

    x: Axis
    y: Axis
    width: int
    height: int

    def across(self, values: np.ndarray | float) -> np.ndarray:
        return np.round(LEFT + self.x.place(values) * (self.width - LEFT - RIGHT), 1)

    def up(self, values: np.ndarray | float) -> np.ndarray:
        return np.round(self.height - BOTTOM - self.y.place(values) * (self.height - TOP - BOTTOM), 1)


def chart(marks: Sequence[Mark], x: Axis, y: Axis, label: str, *, wide: bool = False) -> str:
    """An <svg> with axes, marks and a legend of the marks that have a label; `label` describes it to screen readers."""
    frame = Frame(x, y, WIDE_WIDTH if wide else HALF_WIDTH, WIDE_HEIGHT if wide else HALF_HEIGHT)
    return drawing(
        [_grid(frame), *(draw(mark, frame) for mark in marks), _legend(marks)], frame.width, frame.height, label
    )


def drawing(parts: Sequence[str], width: int, height: int, label: str) -> str:
    """The <svg> element around parts."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}">'
        + "\n".join(filter(None, parts))
        + "</svg>"
    )


def words(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = MUTED, weight: str = "", turn: bool = False
) -> str:
    """A line of text; `turn`: reading upwards."""
    extra = (f' font-weight="{weight}"' if weight else "") + (f' transform="rotate(-90 {x:g} {y:g})"' if turn else "")
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}"{extra}>{escape(text)}</text>'


def stroke(points: str, colour: str, width: float = 1.0, dash: str = "", opacity: float = 1.0) -> str:
    """An open path; `points` is SVG path data."""
    extra = (f' stroke-dasharray="{dash}"' if dash else "") + (
        f' stroke-opacity="{opacity:.2f}"' if opacity < 1 else ""
    )
    return f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"{extra}/>'


def filled(points: str, colour: str, opacity: float = 1.0, title: str = "", edge: str = "") -> str:
    """A closed path; `title` is shown under the pointer."""
    extra = (f' fill-opacity="{opacity:.2f}"' if opacity < 1 else "") + (f' stroke="{edge}" stroke-width="0.6"' if edge else "")
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<path d="{points}" fill="{colour}"{extra}>{inside}</path>'


def path(x: np.ndarray, y: np.ndarray) -> str:
    """SVG path data through points in SVG units."""
    return "M" + "L".join(f"{a:g} {b:g}" for a, b in zip(x, y))


def draw(mark: Mark, frame: Frame) -> str:
    """One mark as SVG."""
    match mark:
        case Line():
            return _line(mark, frame)
        case Area():
            return _area(mark, frame)
        case Bars():
            return _bars(mark, frame)
        case Level():
            y = frame.up(mark.y)
            text = words(LEFT + 5, float(y) - 4, mark.text) if mark.text else ""
            return stroke(f"M{LEFT} {y:g}H{frame.width - RIGHT}", MUTED, 1.0, mark.dash) + text
        case Upright():
            return _upright(mark, frame)
        case Dots():
            return _dots(mark, frame)


def _line(mark: Line, frame: Frame) -> str:
    seen = np.isfinite(mark.x) & np.isfinite(mark.y)
    if not seen.any():
        return ""
    x, y = frame.across(mark.x[seen]), frame.up(mark.y[seen])
    dots = (
        [
            f'<circle cx="{a:g}" cy="{b:g}" r="3" '
            f'fill="{mark.colour}"><title>{escape(f"{mark.label}: {value:.4g}")}</title></circle>'
            for a, b, value in zip(x, y, mark.y[seen])
        ]
        if mark.dots
        else []
    )
    return stroke(path(x, y), mark.colour, mark.width, mark.dash, mark.opacity) + "".join(dots)


def _area(mark: Area, frame: Frame) -> str:
    if not mark.x.size:
        return ""
    x, low, high = frame.across(mark.x), frame.up(mark.low), frame.up(mark.high)
    outline = path(np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])) + "z"
    return filled(outline, mark.colour, mark.opacity, mark.title, edge=CARD if mark.opacity == 1 else "")


def _bars(mark: Bars, frame: Frame) -> str:
    left, right, low, high = frame.across(mark.left), frame.across(mark.right), frame.up(mark.low), frame.up(mark.high)
    gap = np.minimum(0.5, 0.2 * (right - left))
    titles = mark.titles or [f"{value:.4g}" if value < 1000 else f"{value:.0f}" for value in mark.high - mark.low]
    rects = [
        f'<path d="M{a:g} {b:g}V{t:g}H{c:g}V{b:g}z"><title>{escape(title)}</title></path>'
        for a, c, b, t, title in zip(left + gap, right - gap, low, high, titles)
        if b > t
    ]
    clear = f' fill-opacity="{mark.opacity:.2f}"' if mark.opacity < 1 else ""
    return f'<g fill="{mark.colour}"{clear}>{"".join(rects)}</g>'


def _dots(mark: Dots, frame: Frame) -> str:
    """All in one path: steps of no length with round ends."""
    seen = np.isfinite(mark.x) & np.isfinite(mark.y)
    points = "".join(f"M{a:g} {b:g}h0" for a, b in zip(frame.across(mark.x[seen]), frame.up(mark.y[seen])))
    return f'<path d="{points}" stroke="{mark.colour}" stroke-width="{mark.size:g}" stroke-linecap="round"/>' if points else ""


def _upright(mark: Upright, frame: Frame) -> str:
    x, top = float(frame.across(mark.x)), TOP - 4
    left = x > 0.7 * frame.width
    text = (
        words(x + (-6 if left else 6), TOP + 12, mark.text, anchor="end" if left else "start", colour=INK, weight="600")
        if mark.text
        else ""
    )
    return stroke(f"M{x:g} {top}V{frame.height - BOTTOM}", INK, 1.0, mark.dash) + text


def _grid(frame: Frame) -> str:
    """Grid lines, tick labels, axis labels, base line."""
    right, bottom = frame.width - RIGHT, frame.height - BOTTOM
    xs = [(float(frame.across(value)), text) for value, text in frame.x.ticks]
    ys = [(float(frame.up(value)), text) for value, text in frame.y.ticks]
    lines = "".join(f"M{x:g} {TOP}V{bottom}" for x, _ in xs) + "".join(f"M{LEFT} {y:g}H{right}" for y, _ in ys)
    parts = [stroke(lines, GRID), stroke(f"M{LEFT} {TOP}V{bottom}H{right}", MUTED)]
    parts += [words(x, bottom + 17, text, anchor="middle") for x, text in xs]
    parts += [words(LEFT - 7, y + 4, text, anchor="end") for y, text in ys]
    parts.append(words((LEFT + right) / 2, frame.height - 7, frame.x.label, anchor="middle", colour=INK))
    parts.append(words(13, (TOP + bottom) / 2, frame.y.label, anchor="middle", colour=INK, turn=True))
    return "\n".join(parts)


def _legend(marks: Sequence[Mark]) -> str:
    """One row above the axes."""
    parts, x = [], float(LEFT)
    for mark in (one for one in marks if one.label):
        parts.append(_sample(mark, x) + words(x + 24, 16, mark.label, colour=INK))
        x += 24 + CHARACTER * len(mark.label) + 18
    return "".join(parts)


def _sample(mark: Mark, x: float) -> str:
    match mark:
        case Bars() | Area():
            clear = f' fill-opacity="{mark.opacity:.2f}"' if mark.opacity < 1 else ""
            return f'<path d="M{x + 5:g} 6h12v12h-12z" fill="{mark.colour}"{clear}/>'
        case Line():
            return stroke(f"M{x:g} 12h18", mark.colour, max(1.5, mark.width), mark.dash, max(0.4, mark.opacity))
        case Level():
            return stroke(f"M{x:g} 12h18", MUTED, 1.0, mark.dash)
        case Upright():
            return stroke(f"M{x:g} 12h18", INK, 1.0, mark.dash)
        case Dots():
            return f'<circle cx="{x + 11:g}" cy="12" r="{mark.size / 2:g}" fill="{mark.colour}"/>'
