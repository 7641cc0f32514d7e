"""The page of a classification: the same kinds of parts as for a refinement, with the classes first."""

from dataclasses import replace

import numpy as np

from verglas.report import gallery, plots_classes, plots_iterations, sections
from verglas.report.data import Classes, ClassRow, ReportData
from verglas.report.plots_flow import flow_plot
from verglas.report.sections import Card, Part, Section, make_section, particle_section, search_section, time_section

MOST_GLOBES = 12
DESCENT = (
    ("subset", "particles", "Subset size", "Good: small at first for speed, larger at the end for accuracy."),
    ("step_size", "step size", "Step size", "Good: large at first to explore, small at the end to settle."),
    ("tau", "tau² factor", "Tau² factor", "How far the data are trusted over the prior; larger shows more detail and more noise."),
)
FIXED = (
    ("ess", "effective number of classes", "Classes per particle", "Good: falls towards 1, then each particle knows its class."),
    ("kl", "Kullback-Leibler divergence", "Divergence", "Good: levels off when the classes have settled."),
    ("rms_density_change", "RMS change / RMS of the map", "Change of the densities", "Good: falls towards 0; then the classes have settled."),
)
FALLING = ("kl", "rms_density_change")
"""Over orders of magnitude."""


def class_sections(data: ReportData) -> tuple[Section, ...]:
    """All parts of the page."""
    if data.classes is None:
        return ()
    first = model_section(data.classes) if data.classes.initial else None
    shown = first is not None and len(data.classes.rows) == 1 and bool(data.classes.stages)
    rest = (
        None if shown else gallery_section(data, data.classes), size_section(data, data.classes), progress_section(data, data.classes),
        view_section(data, data.classes), member_section(data, data.classes), time_section(data),
    )
    return tuple(one for one in (first, *rest) if one is not None and (one.cards or one.absent))


def model_section(classes: Classes) -> Section:
    parts: list[Part] = ["No starting model has been written yet."]
    if classes.stages:
        parts = [Card(
            "The model as it grew",
            gallery.stages(classes.stages),
            "Good: a blob that becomes one closed body with features that no single view shows; a spiky ball or a flat disc is a failure.",
            wide=True,
        )]
    seeds = classes.seeds
    if seeds is not None:
        matrix = seeds.each_with_each
        html = gallery.seed_table(seeds) if matrix else plots_classes.seeds_plot(seeds)
        good = "Good: independent starts end in the same map, close to 1; one seed unlike the others has gone astray."
        parts.append(Card("Agreement of independent starts", html, good) if html else "The comparison of the seeds could not be drawn.")
    return make_section("model", "Starting model", *parts)


def gallery_section(data: ReportData, classes: Classes) -> Section:
    rows = classes.by_size
    if classes.dimensions == 2:
        box = data.model.box if data.model is not None else 0
        shown = sum(row.average.size > 0 for row in rows)
        html = gallery.averages(classes, box) if shown and box else ""
        good = (
            "Good: sharp averages with inner detail, centred, one particle each; blurs, rings and edges are junk to leave out. "
            "± is the estimated accuracy of angle and offset."
        )
    else:
        shown = sum(row.views is not None for row in rows)
        html = gallery.volumes(classes) if shown else ""
        good = (
            "Good: each class a closed body; differences between classes are what is to be understood. All surfaces on one scale, contour "
            "mean + 3 standard deviations of each box. ± is the estimated accuracy of angle and offset."
        )
    hidden = f" The largest {shown} of {len(rows)} are shown." if shown < len(rows) else ""
    title = f"{len(rows)} classes, largest first" if len(rows) > 1 else "The class"
    parts: Part = Card(title, html, good + hidden, wide=True) if html else "No classes have been written yet."
    return make_section("classes", "Classes", parts)


def size_section(data: ReportData, classes: Classes) -> Section | None:
    rows = classes.by_size
    if len(rows) < 2:
        return None
    parts: list[Part] = []
    over_time = plots_classes.occupancy_plot(data.iterations, rows)
    if over_time:
        good = "Good: bands that run level at the end; a band that keeps growing means that the classes have not settled."
        parts.append(Card("Share of the classes by iteration", over_time, good, wide=True))
    else:
        good = "Good: no class with nearly everything, few with nearly nothing."
        wide = len(rows) > plots_classes.WIDE_FROM
        parts += [Card("Share of the classes", plots_classes.size_plot(rows), good, wide=wide), "Sizes by iteration were not recorded."]
    if early := plots_classes.occupancy_plot(classes.batches, rows):
        parts.append(Card("Share of the classes in the fast iterations on batches", early, "Good: bands that part and settle.", wide=True))
    if classes.flows:
        last = classes.flows[-1]
        good = (
            f"From iteration {last.before} to {last.after}, {plots_classes.percent(last.moved)} of the particles changed their class. "
            "Good: nearly all stay; two classes that exchange many particles are one."
        )
        parts.append(Card("Flow between the classes", flow_plot(classes.flows, rows), good, wide=True))
    else:
        parts.append("Where particles went between iterations was not recorded.")
    return make_section("sizes", "Sizes", *parts)


def progress_section(data: ReportData, classes: Classes) -> Section:
    """Numbers over the iterations, or those of the only one that is known."""
    seen, rows = data.iterations, classes.by_size
    if len(seen) == 1:
        html = gallery.numbers_table(seen[0])
        return make_section("search", "Progress", Card(f"Iteration {seen[0].number}", html, "Only this iteration was recorded."))
    parts: list[Part] = []
    if len(rows) > 1 and (html := plots_classes.resolution_by_class(seen, rows)):
        good = "Good: the large classes fall and level off together; small ones may stay coarse."
        parts.append(Card("Resolution of the classes by iteration", html, good, wide=True))
    elif any(np.isfinite(one.resolution) for one in seen):
        nyquist = data.model.nyquist if data.model is not None else float("nan")
        parts.append(Card("Resolution by iteration", plots_iterations.resolution_plot(seen, nyquist), "Good: falls and levels off."))
    if len(rows) > 1 and any(np.isfinite(one.change_classes) for one in seen):
        good = "Good: falls below a few percent; a level far above means that some classes are alike."
        parts.append(Card("Particles that changed their class", plots_classes.switching_plot(seen), good))
    search = search_section(data)
    parts += search.cards
    known = [*DESCENT[: 3 if any(np.isfinite(one.subset) for one in seen) else 0], *FIXED]
    drawn = ((plots_classes.single_plot(seen, name, label, log=name in FALLING), title, good) for name, label, title, good in known)
    parts += [Card(title, html, good) for html, title, good in drawn if html]
    early = ((plots_classes.single_plot(classes.batches, name, label, log=name in FALLING), title, good) for name, label, title, good in FIXED)
    parts += [Card(f"{title}, fast iterations", html, good) for html, title, good in early if html]
    return make_section("search", "Progress", *parts, *(() if parts else search.absent))


def view_section(data: ReportData, classes: Classes) -> Section | None:
    """Viewing directions, which only classes in 3D have."""
    rows, angles = _with_views(classes), data.particles.angles if data.particles is not None else np.zeros((0, 3))
    if classes.dimensions == 2:
        return None
    if len(classes.rows) == 1:
        return sections.view_section(data)
    if not rows or not angles.size:
        return make_section("views", "Viewing directions", "No poses with classes were found, so viewing directions are unknown.")
    good = (
        "Good: no empty regions, coverage 0.8 or more; below 0.5 a class is sharper in some directions than in others. "
        "A class with one view only often gathers an orientation, not a conformation."
    )
    card = Card("Angular distribution of the classes", gallery.globes(rows, angles, data.symmetry), good, wide=True)
    return make_section("views", "Viewing directions", card)


def _with_views(classes: Classes) -> list[tuple[int, ClassRow]]:
    return [(rank, row) for rank, row in enumerate(classes.by_size) if row.members.size][:MOST_GLOBES]


def member_section(data: ReportData, classes: Classes) -> Section:
    section, rows = particle_section(data), classes.by_size
    added: list[Part] = []
    if data.particles is not None and data.particles.pmax.size and classes.counted and len(rows) > 1:
        good = (
            "Good: the thick bars well above 0; low bars are classes that fit nothing. "
            "Thick: the middle half of the particles; thin: 5 to 95 %; line: the median."
        )
        html = plots_classes.pmax_by_class(rows, data.particles.pmax)
        added.append(Card("Certainty of the poses by class", html, good, wide=len(rows) > plots_classes.WIDE_FROM))
    if classes.scales[1].size:
        good = "Good: one hump around 1; a tail near 0 holds particles that match no class."
        added.append(Card("Scales of single particles", plots_classes.scales_plot(classes), good))
    return replace(section, cards=tuple(one for one in added if isinstance(one, Card)) + section.cards)
