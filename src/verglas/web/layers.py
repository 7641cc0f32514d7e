"""A graph of jobs as layers from top to bottom, drawn as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from verglas.project.graph import edges, reached
from verglas.project.layout import number_of
from verglas.types.pipeline import Pipeline, Process

WIDTH, HEIGHT, GAP_X, GAP_Y, EDGE = 176, 46, 22, 40, 24
BEND = " > "
"""In the name of a place where a line passes a row."""


class Spot(NamedTuple):
    """Middle of the upper side of a box."""

    x: float
    y: float


def family(pipeline: Pipeline, name: str) -> tuple[str, ...]:
    """A job with all that it builds on and all that builds on it."""
    pairs = edges(pipeline)
    down: dict[str, set[str]] = {}
    up: dict[str, set[str]] = {}
    for one, other in pairs:
        down.setdefault(one, set()).add(other)
        up.setdefault(other, set()).add(one)
    return (*reached(up, [name]), name, *reached(down, [name]))


def layers(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Every job one layer below the lowest of those that it reads from; a circle, which only a broken file has, is cut."""
    parents: dict[str, list[str]] = {one: [] for one in names}
    for one, other in pairs:
        parents[other].append(one)
    depth: dict[str, int] = {}
    for name in names:
        _descend(name, parents, depth)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        found[depth[name]].append(name)
    return found


def _descend(name: str, parents: Mapping[str, list[str]], depth: dict[str, int]) -> None:
    """Depth of a job and of those above it, without recursion: chains are long."""
    todo, open_ = [name], set[str]()
    while todo:
        one = todo[-1]
        missing = [other for other in parents[one] if other not in depth and other not in open_]
        if missing and one not in depth:
            open_.add(one)
            todo += missing
        else:
            depth.setdefault(one, max((depth[other] + 1 for other in parents[one] if other in depth), default=0))
            todo.pop()


def with_bends(rows: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]]) -> tuple[list[list[str]], dict[tuple[str, str], list[str]]]:
    """Rows with a place for each line that passes them, so that it passes beside the boxes; and the places of each line from end to end."""
    depth = {name: level for level, row in enumerate(rows) for name in row}
    full, paths = [list(row) for row in rows], {}
    for one, other in pairs:
        bends = [f"{one}{BEND}{other}{BEND}{level}" for level in range(depth[one] + 1, depth[other])]
        for level, bend in enumerate(bends, depth[one] + 1):
            full[level].append(bend)
        paths[one, other] = [one, *bends, other]
    return full, paths


def placed(rows: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]]) -> dict[str, Spot]:
    """Each box below the middle of its parents, as far as its neighbours leave room; bends are narrow."""
    parents: dict[str, list[str]] = {}
    for one, other in pairs:
        parents.setdefault(other, []).append(one)
    found: dict[str, Spot] = {}
    for level, row in enumerate(rows):
        wish = {one: _mean([found[other].x for other in parents.get(one, ()) if other in found]) for one in row}
        order = sorted(row, key=lambda one: (wish[one], number_of(one)))
        edge, places = float("-inf"), []
        for one in order:
            half = _width(one) / 2
            places.append(max(wish[one], edge + GAP_X + half))
            edge = places[-1] + half
        shift = _mean([place - wish[one] for one, place in zip(order, places)])
        for one, place in zip(order, places):
            found[one] = Spot(place - shift, EDGE + level * (HEIGHT + GAP_Y))
    left = min((spot.x - _width(one) / 2 for one, spot in found.items()), default=0) - EDGE
    return {one: Spot(spot.x - left, spot.y) for one, spot in found.items()}


def _width(name: str) -> int:
    return 0 if BEND in name else WIDTH


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class Box(NamedTuple):
    """What stands in a box: two lines, the colour of a state ("" none), where a click leads ("" nowhere), and what shows when one rests on it."""

    name: str
    words: str
    second: str
    state: str
    link: str
    hint: str


def box_of(one: Process, link: str, detail: str) -> Box:
    """A job of a project; its second line is its alias, else how it stands."""
    alias = one.alias.rpartition("/")[2]
    hint = f"{one.name}{f' = {alias}' if alias else ''}: {one.state}" + (f", {detail}" if detail else "")
    return Box(one.name, one.name, alias or (one.state if one.state != "Succeeded" else ""), one.state, link, hint)


def svg(boxes: Sequence[Box], pairs: Sequence[tuple[str, str]], label: str = "Graph of the jobs") -> str:
    """The picture, boxes in the order in which they came about. Texts of users are escaped."""
    names = [one.name for one in boxes]
    kept = set(names)
    pairs = [(one, other) for one, other in pairs if one in kept and other in kept]
    rows, paths = with_bends(layers(names, pairs), pairs)
    spots = placed(rows, [step for path in paths.values() for step in pairwise(path)])
    width = max((spot.x + _width(one) / 2 for one, spot in spots.items()), default=0) + EDGE
    height = max((spot.y for spot in spots.values()), default=0) + HEIGHT + EDGE
    lines = "".join(_line([spots[one] for one in path]) for path in paths.values())
    drawn = "".join(_box(one, spots[one.name]) for one in boxes)
    return f"<svg width='{width:.0f}' height='{height:.0f}' role='img' aria-label='{escape(label, True)}'>{lines}{drawn}</svg>"


def _line(spots: Sequence[Spot]) -> str:
    """From the lower side of the first box, straight through the rows of the bends, to the upper side of the last."""
    parts = [f"M{spots[0].x:.0f} {spots[0].y + HEIGHT:.0f}"]
    for one, other in pairwise(spots):
        half = GAP_Y / 2
        parts.append(f"C{one.x:.0f} {other.y - half:.0f} {other.x:.0f} {other.y - half:.0f} {other.x:.0f} {other.y:.0f}")
        if other is not spots[-1]:
            parts.append(f"V{other.y + HEIGHT:.0f}")
    return f"<path d='{''.join(parts)}'/>"


def _box(one: Box, spot: Spot) -> str:
    x, y = spot.x - WIDTH / 2, spot.y
    mark = f"<rect class='{one.state}' x='{x:.0f}' y='{y:.0f}' width='7' height='{HEIGHT}' rx='3'/>" if one.state else ""
    drawn = (
        f"<title>{escape(one.hint)}</title>"
        f"<rect class='box' x='{x:.0f}' y='{y:.0f}' width='{WIDTH}' height='{HEIGHT}' rx='6'/>{mark}"
        f"<text x='{x + 17:.0f}' y='{y + (20 if one.second else 28):.0f}'>{escape(_cut(one.words, 21))}</text>"
        f"<text class='small' x='{x + 17:.0f}' y='{y + 37:.0f}'>{escape(_cut(one.second, 24))}</text>"
    )
    return f"<a href='{escape(one.link, True)}'>{drawn}</a>" if one.link else f"<g>{drawn}</g>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
