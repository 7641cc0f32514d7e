"""Where the particles of each class went: columns of classes joined by ribbons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verglas.report.chart import CHARACTER, INK, MUTED, WIDE_WIDTH, drawing, filled, words
from verglas.report.data import ClassRow, Flow
from verglas.report.plots_classes import colour, percent

MOST = 12
"""Classes with a bar of their own; the others share one."""
TOP, HEIGHT, GAP, BAR, MARGIN = 34, 440, 6, 12, 140
LEAST = 0.002
"""Ribbons with a smaller share of the particles are not drawn."""


@dataclass(frozen=True)
class Column:
    """The classes of one iteration as bars at x: shares (G,), where they begin and how high they are (G,) in SVG units."""

    x: float
    shares: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        return (HEIGHT - GAP * (self.shares.size - 1)) * self.shares

    @property
    def tops(self) -> np.ndarray:
        return TOP + np.cumsum(self.heights + GAP) - self.heights - GAP


Group = tuple[str, list[int]]
"""Name, and indices of its classes."""


def flow_plot(flows: Sequence[Flow], rows: Sequence[ClassRow]) -> str:
    """One column per iteration, `rows` (largest first) from the top; a ribbon is as thick as the share of the particles it carries."""
    groups = _groups(rows)
    tables = [_merged(flow.counts, groups) for flow in flows]
    shares = [*(table.sum(axis=1) for table in tables), tables[-1].sum(axis=0)]
    columns = [Column(float(x), share) for x, share in zip(np.linspace(MARGIN, WIDE_WIDTH - MARGIN - BAR, len(shares)), shares)]
    parts = [part for table, left, right in zip(tables, columns, columns[1:]) for part in _ribbons(table, left, right, groups)]
    parts += [part for one in columns for part in _bars(one, groups)]
    parts += _labels(columns[0], groups, -8, "end") + _labels(columns[-1], groups, BAR + 8, "start")
    numbers = [flows[0].before, *(flow.after for flow in flows)]
    parts += [words(one.x + BAR / 2, 18, f"iteration {number}", anchor="middle", colour=INK) for one, number in zip(columns, numbers)]
    return drawing(parts, WIDE_WIDTH, HEIGHT + TOP + 12, "Flow of particles between classes")


def _groups(rows: Sequence[ClassRow]) -> list[Group]:
    """The largest classes alone, all others together."""
    alone = len(rows) if len(rows) <= MOST + 1 else MOST
    groups = [(f"class {row.number}", [row.number - 1]) for row in rows[:alone]]
    return groups + ([(f"{len(rows) - alone} others", [row.number - 1 for row in rows[alone:]])] if alone < len(rows) else [])


def _merged(counts: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    """Shares (G, G) of all particles between groups."""
    choice = np.zeros((len(groups), len(counts)))
    for group, (_, members) in enumerate(groups):
        choice[group, members] = 1.0
    return choice @ counts @ choice.T / max(float(counts.sum()), 1e-30)


def _ribbons(table: np.ndarray, left: Column, right: Column, groups: Sequence[Group]) -> list[str]:
    """Ribbons in the colour of the class they leave; those that stay are stronger."""
    scale = HEIGHT - GAP * (len(groups) - 1)
    begin = left.tops[:, None] + scale * (np.cumsum(table, axis=1) - table)
    end = right.tops[None, :] + scale * (np.cumsum(table, axis=0) - table)
    x, far = left.x + BAR, right.x
    middle = (x + far) / 2
    parts = []
    for k, m in zip(*np.nonzero(table >= LEAST)):
        a, b, thick = begin[k, m], end[k, m], scale * table[k, m]
        outline = (
            f"M{x:.1f} {a:.1f}C{middle:.1f} {a:.1f} {middle:.1f} {b:.1f} {far:.1f} {b:.1f}v{thick:.1f}"
            f"C{middle:.1f} {b + thick:.1f} {middle:.1f} {a + thick:.1f} {x:.1f} {a + thick:.1f}z"
        )
        title = f"{groups[k][0]} \N{RIGHTWARDS ARROW} {groups[m][0]}: {percent(table[k, m])} of the particles"
        parts.append(filled(outline, _colour(k), 0.5 if k == m else 0.3, title))
    return parts


def _bars(one: Column, groups: Sequence[Group]) -> list[str]:
    return [
        filled(f"M{one.x:.1f} {top:.1f}h{BAR}v{max(1.0, height):.1f}h-{BAR}z", _colour(k), 1.0, f"{name}: {percent(share)}")
        for k, ((name, _), top, height, share) in enumerate(zip(groups, one.tops, one.heights, one.shares))
    ]


def _labels(one: Column, groups: Sequence[Group], away: float, anchor: str) -> list[str]:
    """Name and share beside the bars, moved apart where they would touch."""
    places = apart(one.tops + one.heights / 2 + 4, 2 * CHARACTER, TOP + HEIGHT + 4)
    return [
        words(one.x + away, round(float(y), 1), f"{name}, {percent(share)}", anchor=anchor, colour=INK)
        for (name, _), y, share in zip(groups, places, one.shares)
    ]


def apart(wanted: np.ndarray, step: float, lowest: float) -> np.ndarray:
    """Ascending places (n,) at least `step` from each other and none beyond `lowest`, near those wanted."""
    order = step * np.arange(wanted.size)
    down = np.maximum.accumulate(wanted - order) + order
    limit = lowest - order[::-1]
    return np.minimum(down, limit)


def _colour(rank: int) -> str:
    return colour(rank) if rank < MOST else MUTED
