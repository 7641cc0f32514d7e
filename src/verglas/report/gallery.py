"""The classes as pictures with their numbers, largest first: averages in 2D, surfaces, slices and projections in 3D."""

from collections.abc import Sequence
from html import escape

import numpy as np

from verglas.report.data import Classes, ClassRow, Iteration, MapViews, Seeds
from verglas.report.pictures import AXES, data_uri, figure, png
from verglas.report.plots_classes import colour, opacity
from verglas.report.plots_views import coloured, sphere_density

GLOBE_PIXELS = 120


def averages(classes: Classes, box: int) -> str:
    """2D averages in a grid; box: pixels of a side before they were made smaller. The first row of a picture is on top."""
    rows = [(rank, row) for rank, row in enumerate(classes.by_size) if row.average.size]
    width = box * classes.pixel_size
    items = [
        f"<div>{figure(png(row.average[::-1]), '', width, f'Class {row.number}', bar=rank == 0)}"
        f'<p class="classnote">{swatch(rank)}<b>{row.number}</b> · {"<br>".join(numbers(row, classes.counted))}</p></div>'
        for rank, row in rows
    ]
    return f'<div class="gallery">{"".join(items)}</div>'


def volumes(classes: Classes) -> str:
    """3D classes, one row each."""
    rows = [(rank, row) for rank, row in enumerate(classes.by_size) if row.views is not None]
    items = [
        f'<h4>{swatch(rank)}Class {row.number} <span class="note">{" · ".join(numbers(row, classes.counted))}</span></h4>{map_row(row.views)}'
        for rank, row in rows
        if row.views is not None
    ]
    return "".join(f'<div class="map">{item}</div>' for item in items)


def stages(shown: Sequence[MapViews]) -> str:
    """One map at several iterations, one row each."""
    items = (f'<h4>{escape(one.title)} <span class="note">{escape(one.name)}</span></h4>{map_row(one)}' for one in shown)
    return "".join(f'<div class="map">{item}</div>' for item in items)


def map_row(one: MapViews) -> str:
    """Three surfaces, three slices and three projections side by side, a scale bar on the first of each."""
    width = one.box * one.pixel_size
    kinds = (
        ("surface", [data_uri(picture[::-1]) for picture in one.surfaces], one.surface_width),
        ("slice", [png(picture) for picture in one.slices], width),
        ("projection", [png(picture) for picture in one.projections], width),
    )
    groups = [
        f'<div class="trio {kind}">'
        + "".join(figure(uri, f"{kind} {axis}", field, one.title, bar=axis == "z") for axis, uri in zip(AXES, pictures))
        + "</div>"
        for kind, pictures, field in kinds
    ]
    return f'<div class="trios">{"".join(groups)}</div>'


def swatch(rank: int) -> str:
    """A dot in the colour that the class has in the plots."""
    return f'<i class="swatch" style="background:{colour(rank)};opacity:{opacity(rank):g}"></i>'


def numbers(row: ClassRow, counted: bool) -> list[str]:
    """Share, particles, resolution, accuracy; what is unknown is left out."""
    known = [f"{100 * row.share:.1f} %"] if np.isfinite(row.share) else []
    known += [f"{row.members.size:,} particles"] if counted else []
    known += [f"{row.resolution:.1f} Å"] if np.isfinite(row.resolution) else ["no resolution"]
    if np.isfinite(row.accuracy_rot_deg):
        known.append(f"± {row.accuracy_rot_deg:.1f}°" + (f", {row.accuracy_trans:.1f} Å" if np.isfinite(row.accuracy_trans) else ""))
    return known


def globes(rows: Sequence[tuple[int, ClassRow]], angles: np.ndarray, symmetry: str) -> str:
    """Viewing directions of each class (rank, row) on an equal-area map, all on one scale, with the evenness of their coverage."""
    maps = [sphere_density(angles[row.members], symmetry, GLOBE_PIXELS) for _, row in rows]
    top = max(2.0, *(float(np.percentile(values[inside], 99)) for values, inside in maps))
    items = [
        f'<figure><img class="globe" src="{coloured(values / top)}" alt="Viewing directions of class {row.number}">'
        f"<figcaption>{swatch(rank)}<b>{row.number}</b> · {row.members.size:,} particles{_evenness(row)}</figcaption></figure>"
        for (rank, row), (values, _) in zip(rows, maps)
    ]
    bar = f'<img class="scale" src="{coloured(np.linspace(0, 1, 64)[None])}" alt="">'
    legend = f'<p class="note">0 {bar} {top:.1f} × the density of even views; rot from left (−180°) to right, tilt 0° on top.</p>'
    return f'<div class="globes">{"".join(items)}</div>{legend}'


def _evenness(row: ClassRow) -> str:
    cover = row.coverage
    return "" if cover is None else f"<br>coverage {cover.evenness:.2f}, poorest direction {cover.lowest:.2f}"


QUANTITIES: tuple[tuple[str, str, str, float], ...] = (
    ("resolution", "best resolution", " Å", 1.0), ("change_classes", "particles that changed their class", " %", 100.0),
    ("angular_step_deg", "angular step", "°", 1.0), ("offset_step", "offset step", " Å", 1.0), ("accuracy_rot_deg", "accuracy of angles", "°", 1.0),
    ("accuracy_trans", "accuracy of offsets", " Å", 1.0), ("change_angles_deg", "change of angles", "°", 1.0),
    ("change_offsets", "change of offsets", " Å", 1.0), ("ave_pmax", "mean Pmax", "", 1.0), ("subset", "particles in the subset", "", 1.0),
    ("step_size", "step size", "", 1.0), ("tau", "tau² factor", "", 1.0),
)
"""Field of an iteration, its name, unit and the factor that brings it to that unit."""


def numbers_table(one: Iteration) -> str:
    """What is known of one iteration."""
    known = [(name, getattr(one, field), unit, factor) for field, name, unit, factor in QUANTITIES]
    rows = (f"<tr><th>{name}</th><td>{factor * value:.4g}{unit}</td></tr>" for name, value, unit, factor in known if np.isfinite(value))
    return f"<table>{''.join(rows)}</table>"


def seed_table(seeds: Seeds) -> str:
    """FSC of each seed with each, darker where they agree."""
    count = len(seeds.fsc)
    known = seeds.resolution.size == count
    head = "".join(f"<th>{k}</th>" for k in range(1, count + 1)) + ("<th>resolution</th>" if known else "")
    rows = []
    for k in range(count):
        cells = "".join(f'<td style="background:{_shade(value)}">{value:.2f}</td>' for value in seeds.fsc[k])
        rows.append(f"<tr><th>{k + 1}</th>{cells}" + (f"<td>{seeds.resolution[k]:.1f} Å</td>" if known else "") + "</tr>")
    return f'<table class="seeds"><tr><th>seed</th>{head}</tr>{"".join(rows)}</table>'


def _shade(value: float) -> str:
    """A colour for an FSC, stronger towards 1."""
    return f"color-mix(in srgb, var(--s1) {70 * float(np.clip(np.nan_to_num(value), 0, 1)):.0f}%, var(--card))"
