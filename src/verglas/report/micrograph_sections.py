"""The parts of the page of a job on movies or micrographs."""

from html import escape

import numpy as np

from verglas.report import plots_micrographs as plots
from verglas.report.micrograph_data import Column, Processed
from verglas.report.micrograph_gallery import curve_names, gallery, sheet, swatches
from verglas.report.micrograph_table import SORT_NOTE, script, table
from verglas.report.sections import Card, Part, Section, make_section

MOST_REASONS = 20
"""Different reasons of failures that are listed."""
GOOD_PICTURES = {
    "motion": "Good: arrows that change smoothly from one part of the field to the next, and a track that slows down. Arrows that point anywhere "
              "mean that the patches hold too little signal: fewer patches. Yellow: motion of the parts beyond that of the whole field, as it was "
              "corrected; blue: as it was measured.",
    "ctf": "Good: rings of spectrum (left) and fit (right) that continue each other out to the dashed circle, where the fit ends; the correlation "
           "stays high up to there.",
    "picks": "Good: a circle on every particle, none on edges, holes, ice or gold.",
    "import": "The first images as they are.",
}
AGAIN = "With --continue the job does those that failed again, and what is new."
CHECK_OPTICS = "Check voltage, Cs and pixel size: every later step relies on them."
GOOD_SHEET = "Good: particles in the middle of their windows, bright on dark, of one size; empty windows and edges are false picks."


def micrograph_sections(data: Processed) -> tuple[Section, ...]:
    """All that have something to show."""
    if data.kind == "live":
        return (live_section(data),)
    found = (sheet_section(data), picture_section(data), spread_section(data), table_section(data), failure_section(data), optics_section(data))
    return tuple(one for one in found if one is not None)


def picture_section(data: Processed) -> Section | None:
    """The micrographs that have pictures."""
    if data.kind == "particles":
        return None
    title = "Pictures"
    if not data.shown:
        if data.kind == "import" and data.names:
            return make_section("pictures", title, "Movies are not opened here; motion correction makes pictures of them.")
        return make_section("pictures", title, "No pictures: there is no micrograph yet whose files could be read.")
    leading = next((one.quantity for one in data.columns if one.quantity.worst), None)
    all_shown = len(data.shown) == len(data.names)
    which = f"{len(data.shown)} of {len(data.names):,} {data.noun}"
    if all_shown:
        which = f"All {len(data.names)} {data.noun}" if len(data.names) > 1 else f"The {data.noun.removesuffix('s')}"
    elif leading is not None:
        which += ": the worst first, then the best, then some evenly spread over the others"
    note = curve_names() if data.kind == "ctf" else swatches() if data.kind == "picks" and data.foms.size else ""
    return make_section("pictures", title, Card(which, gallery(data) + note, GOOD_PICTURES[data.kind], wide=True))


def spread_section(data: Processed) -> Section | None:
    """How each quantity is distributed, and its course."""
    if not data.columns:
        return None if data.kind == "import" else make_section("numbers", "Numbers", f"No numbers of single {data.noun} were found.")
    parts: list[Part] = []
    if data.steps.size:
        parts.append(Card("Motion by frame", plots.frames_plot(data.steps),
                          "Good: most at the start, then falling to a low level; a level that stays high is drift.", wide=True))
    if data.foms.size:
        parts.append(Card("Figures of merit of the picks", plots.fom_plot(data),
                          "Good: a hump of particles well to the right of the threshold; picks that crowd at the threshold are noise.",
                          wide=True))
    elif data.kind == "picks":
        parts.append("The picks have no figures of merit.")
    if len(data.names) == 1:
        return make_section("numbers", "Numbers", *parts)
    for one in data.columns:
        parts.append(Card(one.quantity.title, plots.spread(one, data.noun), one.quantity.good))
        parts.append(Card(f"{one.quantity.title} in the course of the session", plots.course(one, data.noun), course_note(one)))
    return make_section("numbers", "Numbers", *parts)


def course_note(one: Column) -> str:
    """What a course shows."""
    return "Good: level. A step means that the microscope or the specimen changed." if one.quantity.worst else "A step shows a change of settings."


def table_section(data: Processed) -> Section | None:
    """Every micrograph in one table."""
    if not data.names and not data.failures:
        return None
    title = f"All {len(data.names) + len(data.failures):,} {data.noun}"
    return make_section("table", "Table", Card(title, table(data) + script(), SORT_NOTE, wide=True))


def failure_section(data: Processed) -> Section | None:
    """Failures by reason, with the first of each."""
    if not data.failures:
        return None
    reasons: dict[str, list[str]] = {}
    for one in data.failures:
        reasons.setdefault(one.plain, []).append(one.name)
    most = sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    rows = "".join(f"<tr><td>{len(names)}</td><td>{escape(reason)}</td><td>{escape(names[0])}</td></tr>" for reason, names in most[:MOST_REASONS])
    more = f'<p class="note">and {len(most) - MOST_REASONS} more reasons, see the table</p>' if len(most) > MOST_REASONS else ""
    html = f'<table class="reasons"><tr><th>how many</th><th>reason</th><th>the first</th></tr>{rows}</table>{more}'
    return make_section("failures", "Failures", Card(f"Why {data.noun} failed", html, AGAIN, wide=True))


def sheet_section(data: Processed) -> Section | None:
    """Particles side by side."""
    if data.kind != "particles":
        return None
    part: Part = "No particle image could be read yet."
    if data.sheet is not None:
        part = Card("Contact sheet", sheet(data.sheet), GOOD_SHEET, wide=True)
    return make_section("particles", "Particles", part)


def optics_section(data: Processed) -> Section | None:
    """The optics groups in words."""
    if not data.optics:
        return None
    html = "<table>" + "".join(f"<tr><td>{escape(one)}</td></tr>" for one in data.optics) + "</table>"
    title = f"{len(data.optics)} optics group{'s' if len(data.optics) > 1 else ''}"
    return make_section("optics", "Optics groups", Card(title, html, CHECK_OPTICS, wide=True))


def live_section(data: Processed) -> Section:
    """Rounds of live processing."""
    if not data.rounds:
        return make_section("live", "Progress", "No round has ended yet: no movie is complete, or the first one is still being worked on.")
    stages = tuple(dict.fromkeys(name for one in data.rounds for name, _ in one.rows))
    movies, particles = (tuple(name for name in stages if (name == "extract") == last and name != "class2d") for last in (False, True))
    parts: list[Part] = []
    if movies:
        parts.append(Card("Movies that each stage has done", plots.counts_plot(data.rounds, movies, "movies"),
                          "Good: all stages keep up with the first. One that stays behind leaves micrographs out.", wide=True))
    if particles:
        parts.append(Card("Particles", plots.counts_plot(data.rounds, particles, "particles"), "Good: grows with the movies.", wide=True))
    parts += [
        Card("Seconds of each stage by round", plots.seconds_plot(data.rounds),
             "Good: below the time in which the movies of a round are recorded, and not growing.", wide=True),
    ]
    if data.links:
        items = "".join(f'<li><a href="{escape(address, quote=True)}">{escape(stage)}</a></li>' for stage, address in data.links)
        parts.append(Card("Reports of the stages", f'<ul class="links">{items}</ul>', "Each job of the chain has a page of its own."))
    return make_section("live", "Progress", *parts)


def seconds_per_movie(data: Processed) -> float:
    """Processing seconds of all stages per new movie, NaN when unknown."""
    movies = sum(one.movies for one in data.rounds)
    spent = sum(float(np.nan_to_num(value)) for one in data.rounds for _, value in one.seconds)
    return spent / movies if movies else float("nan")
