"""The parts of the page: each takes the data and gives cards, and a sentence for each plot it cannot draw."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verglas.report import plots_fsc, plots_iterations, plots_particles, plots_views
from verglas.report.data import Coverage, ReportData
from verglas.report.pictures import surface_row, view_row


@dataclass(frozen=True)
class Card:
    """One plot or table. `good`: in one line, what good looks like; `html` is safe, the rest is escaped when shown."""

    title: str
    html: str
    good: str
    wide: bool = False


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    cards: tuple[Card, ...]
    absent: tuple[str, ...] = ()


Part = Card | str
"""A card, or the sentence that says why there is none."""


def make_section(name: str, title: str, *parts: Part) -> Section:
    """Cards and sentences on what is missing, told apart."""
    return Section(
        name,
        title,
        tuple(part for part in parts if isinstance(part, Card)),
        tuple(part for part in parts if isinstance(part, str)),
    )


def _post_card(data: ReportData) -> Part:
    post = data.postprocess
    if post is None or not post.frequency.size:
        return "Not post-processed here, so there are no masked FSC curves (verglas postprocess makes them)."
    return Card(
        "FSC after masking",
        plots_fsc.fsc_postprocess(post),
        "Good: the phase-randomised curve (dashed) falls to 0 right after its start and "
        "the corrected curve stays on the masked one; a gap between them is what the mask itself pretends.",
        wide=True,
    )


def _fsc_card(data: ReportData) -> Part:
    if data.model is None or not data.model.fsc.size:
        return "No half maps have been compared in this folder yet, so there is no FSC curve."
    return Card(
        "Agreement of the two halves",
        plots_fsc.fsc_by_iteration(data.iterations, data.model, data.model.resolution),
        "Good: near 1 at low resolution, one smooth fall through 0.143, then noise around 0; no rise afterwards.",
        wide=True,
    )


def _guinier_card(data: ReportData) -> Part:
    post = data.postprocess
    if post is not None and post.guinier:
        return Card(
            "Guinier plot",
            plots_fsc.guinier_of_postprocess(post),
            f"Good: beyond 10 Å a straight fall that the sharpened curve makes flat. B = {post.b_factor:.0f} Å² "
            "(usual: -30 to -300; more negative means blurred data).",
        )
    if data.model is None or plots_fsc.signal_b_factor(data.model)[2].size < 4:
        return "No signal spectrum was found for a Guinier plot."
    return Card(
        "Guinier plot",
        plots_fsc.guinier_of_model(data.model),
        "Good: beyond 10 Å a straight fall; its slope is B/4. B of 50 to 200 Å² is usual; more means blurred data.",
    )


def resolution_section(data: ReportData) -> Section:
    nyquist = data.model.nyquist if data.model is not None else float("nan")
    steps: Part = "No iterations were recorded, so nothing is shown over time."
    if data.iterations:
        steps = Card(
            "Resolution by iteration",
            plots_iterations.resolution_plot(data.iterations, nyquist),
            "Good: falls in steps and levels off; a rise means that the search went astray.",
        )
    return make_section("resolution", "Resolution", _fsc_card(data), _post_card(data), steps, _guinier_card(data))


def map_section(data: ReportData) -> Section:
    if not data.maps:
        return make_section("maps", "Maps", "No map has been written yet.")
    first = data.maps[0]
    surface = Card(
        f"Surface of the {first.title[:1].lower()}{first.title[1:]}",
        surface_row(first),
        "Good: one closed body; at 10 Å or better with rods (helices). Specks around it are noise. "
        "Contour: mean + 3 standard deviations of the box.",
        wide=True,
    )
    slices = Card(
        "Central slices and projections",
        "".join(view_row(views) for views in data.maps),
        "Good: the same features in both halves, flat solvent, density centred and well inside the box; "
        "rays or streaks across the slices mean over-fitting or uneven views.",
        wide=True,
    )
    return make_section("maps", "Maps", surface, slices)


def search_section(data: ReportData) -> Section:
    seen = [one for one in data.iterations if np.isfinite(one.angular_step_deg) or np.isfinite(one.accuracy_rot_deg)]
    if not seen:
        return make_section("search", "Search", "No sampling was recorded by iteration.")
    cards: list[Part] = [
        Card(
            "Angles",
            plots_iterations.angles_plot(seen),
            "Good: the step follows the accuracy down until finer steps no longer pay; changes shrink below the step.",
        ),
        Card(
            "Offsets",
            plots_iterations.offsets_plot(seen),
            "Good: the step follows the accuracy down; changes end well under one pixel.",
        ),
    ]
    if any(np.isfinite(one.ave_pmax) for one in seen):
        cards.append(
            Card(
                "Sharpness of the posterior",
                plots_iterations.sharpness_plot(data.iterations),
                "Good: rises as the map improves; 0.3 to 0.9 at the end is usual, near 0 means that poses are guesses.",
            )
        )
    poses = [one for one in seen if np.isfinite(one.effective_poses) or np.isfinite(one.significant)]
    cards.append(
        Card(
            "Poses per particle",
            plots_iterations.poses_plot(poses),
            "Good: both fall. 1 means one certain pose.",
        )
        if poses
        else "The effective number of poses was not recorded."
    )
    return make_section("search", "Search", *cards)


def view_section(data: ReportData) -> Section:
    rows = data.particles
    if rows is None or not rows.angles.size or data.coverage is None:
        return make_section("views", "Viewing directions", "No poses were found, so viewing directions are unknown.")
    note = "" if data.symmetry.upper() == "C1" else f" All {data.symmetry} copies of each view are drawn."
    return make_section(
        "views",
        "Viewing directions",
        Card(
            "Angular distribution",
            plots_views.angular_plot(rows.angles, data.symmetry),
            f"Good: no empty regions; crowding by 2 or 3 is common and harmless.{note}",
        ),
        Card(
            "Coverage of Fourier space",
            _coverage_html(data.coverage),
            "Good: 0.8 or more. Below 0.5 the map is sharper in some directions than in others.",
        ),
    )


def _coverage_html(cover: Coverage) -> str:
    rows = (
        (f"{cover.evenness:.2f}", "evenness, 1 = every direction equally well sampled"),
        (f"{cover.lowest:.2f}", "signal in the poorest direction, relative to the mean"),
        (f"{100 * cover.empty:.1f} %", "of all directions with less than a tenth of the mean"),
    )
    items = "".join(f'<div><span class="figure">{value}</span><span>{text}</span></div>' for value, text in rows)
    return (
        f'<div class="numbers">{items}</div><p class="note">Each view fills one slice of Fourier space; '
        'evenness is the harmonic over the '
        "arithmetic mean of how often each direction is filled, the factor that uneven views take from the "
        "signal-to-noise ratio.</p>"
    )


def particle_section(data: ReportData) -> Section:
    rows, model = data.particles, data.model
    if rows is None or not len(rows.origin):
        return make_section(
            "particles", "Particles", "No particle table was found, so nothing can be said about single particles."
        )
    parts: list[Part] = []
    parts.append(
        Card(
            "Certainty of the poses",
            plots_particles.pmax_histogram(rows.pmax),
            "Good: a broad hump away from 0; two humps often mean two kinds of particles.",
        )
        if rows.pmax.size
        else "No Pmax column, so the certainty of single particles is unknown."
    )
    if rows.significant.size:
        parts.append(
            Card(
                "How many poses were worth a closer look",
                plots_particles.significant_histogram(rows.significant),
                "Good: a few to some tens at the end; thousands mean that the images do not decide.",
            )
        )
    parts.append(
        Card(
            "Offsets from the box centre",
            plots_particles.offset_plot(rows.origin),
            "Good: most within a tenth of the particle's diameter; a long tail means particles that should be "
            "recentred.",
        )
    )
    if np.any(rows.defocus):
        parts.append(
            Card(
                "Defocus",
                plots_particles.defocus_histogram(rows.defocus),
                "Good: spread over 0.5 to 3 µm, so that the zeros of the CTF fall on different resolutions.",
            )
        )
    parts.append(
        Card(
            "Intensity scale by group",
            plots_particles.scale_plot(model),
            "Good: all within 0.7 to 1.4; outliers are bad micrographs.",
        )
        if model is not None and model.group_scales.size
        else "No groups with intensity scales were found."
    )
    return make_section("particles", "Particles", *parts)


def time_section(data: ReportData) -> Section:
    if not any(one.seconds for one in data.iterations):
        return make_section("time", "Time", "There is no event log in this folder, so times are unknown.")
    return make_section(
        "time",
        "Time",
        Card(
            "Seconds per iteration",
            plots_iterations.timing_plot(data.iterations),
            "Good: fine and insert dominate; much reading means a slow disk, much coarse means a wide search.",
            wide=True,
        ),
    )


REFINEMENT: tuple[Callable[[ReportData], Section], ...] = (
    resolution_section,
    map_section,
    search_section,
    view_section,
    particle_section,
    time_section,
)
