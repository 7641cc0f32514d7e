"""What to point out about classes."""

from collections.abc import Iterator, Sequence

import numpy as np

from verglas.report.data import ReportData
from verglas.report.findings import (
    Check,
    Finding,
    duplicates,
    far_offsets,
    flat_posterior,
    group_scales,
    norms,
    note,
    preferred_views,
    unfinished,
    warning,
)

EMPTY, DOMINANT = 0.001, 0.8
SWITCHING, UNSETTLED = 0.5, 0.1
COARSER = 2.0


def named(numbers: Sequence[int]) -> str:
    """'class 3' or 'classes 3, 5, 8 and 4 more'."""
    first = ", ".join(str(number) for number in numbers[:8])
    more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
    return f"class {first}" if len(numbers) == 1 else f"classes {first}{more}"


def _empty(data: ReportData) -> Iterator[Finding]:
    classes = data.classes
    if classes is None or len(classes.rows) < 2:
        return
    empty = [row.number for row in classes.rows if row.share < EMPTY or (classes.counted and not row.members.size)]
    if empty:
        yield note(
            f"{len(empty)} of {len(classes.rows)} classes {'is' if len(empty) == 1 else 'are'} empty: {named(empty)}",
            "The others took their particles. Harmless, but fewer classes would do"
            + ("." if classes.dimensions == 2 else "; do not read anything into the maps of empty classes."),
        )


def _dominant(data: ReportData) -> Iterator[Finding]:
    classes = data.classes
    if classes is None or len(classes.rows) < 2:
        return
    largest = classes.by_size[0]
    if largest.share > DOMINANT:
        yield warning(
            f"Class {largest.number} holds {100 * largest.share:.0f} % of the particles",
            "One average took nearly everything, so little was sorted. Use a gradient-driven search, more iterations or a smaller tau² factor."
            if classes.dimensions == 2
            else "Either the particles are of one kind, which is good news, or the references were too alike to part them. "
            "Look at the other classes: junk supports the first, weak copies of the large class the second.",
        )


def _idle(data: ReportData) -> Iterator[Finding]:
    """Particles that no subset has held."""
    if data.classes is None or not data.classes.counted or data.particles is None or data.state == "running":
        return
    idle = int(np.sum(data.particles.class_number <= 0))
    if idle:
        yield note(
            f"{idle:,} of {len(data.particles):,} particles were never searched",
            "They were in none of the subsets and have no class. More iterations or a larger final subset reach them.",
        )


def _coarse(data: ReportData) -> Iterator[Finding]:
    """Classes of some size whose resolution lags behind the middle particle's."""
    classes = data.classes
    if classes is None or len(classes.rows) < 2:
        return
    share = np.array([row.share for row in classes.rows])
    reached = np.array([row.resolution for row in classes.rows])
    known = np.isfinite(reached) & np.isfinite(share) & (share >= 0.5 / len(share))
    if known.sum() < 2:
        return
    order = np.argsort(reached[known])
    middle = reached[known][order][np.searchsorted(np.cumsum(share[known][order]), 0.5 * share[known].sum())]
    far = [row.number for row, seen in zip(classes.rows, known) if seen and row.resolution > COARSER * middle]
    if far:
        held = 100 * sum(row.share for row in classes.rows if row.number in far)
        yield note(
            f"{named(far).capitalize()} {'has' if len(far) == 1 else 'have'} a resolution worse than {COARSER * middle:.0f} Å; "
            f"half of the particles are in classes at {middle:.1f} Å or better",
            f"Together {held:.0f} % of the particles: usually junk, aggregates or rare views. Look at them and leave them out if so.",
        )


def _switching(data: ReportData) -> Iterator[Finding]:
    classes = data.classes
    if classes is None or data.state == "running" or len(classes.rows) < 2:
        return
    said = [one.change_classes for one in data.iterations if np.isfinite(one.change_classes)]
    moved = said[-1] if said else classes.flows[-1].moved if classes.flows else float("nan")
    if moved > SWITCHING:
        yield warning(
            f"{100 * moved:.0f} % of the particles still changed their class in the last iteration",
            "The classes mean nothing yet, or are copies of each other. Ask for fewer classes, or run more iterations.",
        )
    elif moved > UNSETTLED:
        yield note(
            f"{100 * moved:.0f} % of the particles still changed their class in the last iteration",
            "Some classes are alike or have not settled. More iterations show which.",
        )


def _uneven_classes(data: ReportData) -> Iterator[Finding]:
    rows = data.classes.rows if data.classes is not None and len(data.classes.rows) > 1 else ()
    uneven = [row.number for row in rows if row.coverage is not None and row.share >= 0.5 / len(rows) and row.coverage.evenness < 0.5]
    if uneven:
        yield note(
            f"The views of {named(uneven)} are uneven (coverage below 0.5)",
            "Such a class may have been sorted by orientation instead of by shape, and its map is stretched.",
        )


def _unlike_seeds(data: ReportData) -> Iterator[Finding]:
    seeds = data.classes.seeds if data.classes is not None else None
    if seeds is None or not seeds.each_with_each or len(seeds.fsc) < 2:
        return
    others = (seeds.fsc.sum(axis=1) - 1.0) / (len(seeds.fsc) - 1)
    if others.max() < 0.5:
        yield warning(
            f"Independent starts do not agree: their mutual FSC is {others.mean():.2f} on average",
            "Do not trust the starting model. Use more or cleaner particles, a symmetry that is certain, or more iterations.",
        )
    elif others.min() < 0.5:
        yield note(
            f"Start {int(others.argmin()) + 1} ended in another map than the rest (mutual FSC {others.min():.2f})",
            "The others agree; that start went astray.",
        )


CLASSIFICATION: tuple[Check, ...] = (
    unfinished, _unlike_seeds, _dominant, _switching, flat_posterior, duplicates, preferred_views, _uneven_classes,
    _coarse, _empty, _idle, group_scales, norms, far_offsets,
)
