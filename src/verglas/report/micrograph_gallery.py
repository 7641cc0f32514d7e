"""Pictures of single micrographs with what was found drawn on them: motion as arrows, the fit's resolution, picks; and a sheet of particles."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from verglas.report.chart import SERIES, filled, path, stroke
from verglas.report.micrograph_data import Column, CtfShown, MotionShown, PicksShown, PlainShown, Processed, Sheet, Shown, Thumbnail
from verglas.report.micrograph_table import anchor
from verglas.report.pictures import scale_bar
from verglas.report.plots_micrographs import ctf_plot, round_length, track_plot

QUALITY = 80
SIDE = 1000.0
"""Width of the drawing over a picture, in its own units."""
ARROW = 0.15
"""Of the width: length of the arrows of all but the tenth of the patches that move most, whose tracks are often false."""
MOST_CIRCLES = 2000
FOM_COLOURS = ("#a06bff", "#5b8cff", "#2fc6c0", "#8fdc4a", "#ffe14a")
"""From low to high figures of merit, on grey pictures in both themes."""


def jpeg(pixels: np.ndarray) -> str:
    """(H, W) uint8, first row on top, as an embedded picture: a tenth of the size of a PNG of noise."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def gallery(data: Processed) -> str:
    """All micrographs that have pictures."""
    wide = data.kind in ("motion", "ctf")
    return f'<div class="shots{" pairs" if wide else ""}">{"".join(shot(one, data) for one in data.shown)}</div>'


def shot(one: Shown, data: Processed) -> str:
    """One micrograph: its picture or pictures, its name and its numbers."""
    name = data.names[one.row]
    numbers = " · ".join(filter(None, (_said(column, one.row) for column in data.columns[:5])))
    match one:
        case MotionShown():
            inside = motion(one, name)
        case CtfShown():
            inside = ctf(one, name)
        case PicksShown():
            inside = frame(one.thumbnail, circles(one), name)
        case PlainShown():
            inside = frame(one.thumbnail, "", name)
    short = escape(name.rpartition("/")[2])
    below = f'<p class="classnote" title="{escape(name, quote=True)}"><b>{short}</b><br>{numbers}</p>'
    return f'<div class="shot" id="{anchor(one.row)}">{inside}{below}</div>'


def _said(column: Column, row: int) -> str:
    """'motion 12.3 Å', empty when unknown."""
    value, quantity = column.values[row], column.quantity
    title = quantity.column or quantity.title.lower()
    return escape(f"{title} {quantity.text(float(value))}") if np.isfinite(value) else ""


def frame(picture: Thumbnail | None, drawn: str, title: str, shape: tuple[float, float] = (1.0, 1.0)) -> str:
    """A picture with a drawing SIDE units wide on it, and a scale bar. Without a picture: an empty field of `shape` (height, width)."""
    ny, nx = picture.shape if picture is not None else shape
    height = SIDE * ny / nx
    over = f'<svg class="over" viewBox="0 0 {SIDE:g} {height:.1f}" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>' if drawn else ""
    if picture is None:
        return f'<div class="frame empty" style="aspect-ratio:{SIDE:g}/{height:.1f}" title="the picture is not there">{over}</div>'
    bar, width = "", nx * picture.pixel_size
    if width > 0:
        length = scale_bar(width)
        label = f"{length / 10:g} nm" if length >= 1000 else f"{length:g} Å"
        bar = f'<span class="bar" style="width:{100 * length / width:.2f}%"></span><span class="barlabel">{label}</span>'
    return f'<div class="frame"><img src="{jpeg(picture.pixels)}" alt="{escape(title, quote=True)}" loading="lazy">{over}{bar}</div>'


def motion(one: MotionShown, title: str) -> str:
    """Local motion as exaggerated tracks that end in a dot, and the track of the whole field beside it."""
    drawn, times = tracks(one)
    note = f"local motion × {times:g}" if times else "no local motion"
    left = frame(one.thumbnail, drawn, title, (one.field[1], one.field[0]))
    right = track_plot(one.track) or '<p class="absent">no track</p>'
    figures = ((left, note), (right, "whole field"))
    return f'<div class="pair">{"".join(f"<figure>{one}<figcaption>{said}</figcaption></figure>" for one, said in figures)}</div>'


def tracks(one: MotionShown) -> tuple[str, float]:
    """SVG of the motion of the patches, an arrow as corrected over a thin line as measured, and how many times too long they are drawn."""
    nx, _ = one.field
    known = [patch for patch in one.patches if len(patch.fit) > 1 and np.isfinite(patch.fit).all() and np.isfinite(patch.path).all()]
    lengths = [float(np.hypot(*(patch.fit - patch.fit[0]).T).max()) for patch in known]
    if nx <= 1 or max(lengths, default=0.0) <= 0.0:
        return "", 0.0
    times = round_length(max(ARROW * nx / max(float(np.percentile(lengths, 90)), 1e-3), 1.0))
    scale = SIDE / nx
    lines, arrows = [], []
    for patch in known:
        measured, points = ((patch.centre + (way - way[0]) * times) * scale for way in (patch.path, patch.fit))
        line = path(*np.round(points.T, 1))
        if patch.path is not patch.fit:
            lines.append(stroke(path(*np.round(measured.T, 1)), "#63d8ff", 2.0, opacity=0.5))
        arrows.append(stroke(line, "#000", 9.0, opacity=0.45) + stroke(line, "#ffd23f", 5.0) + filled(arrow_head(points), "#ffd23f"))
    return "".join(lines + arrows), times


def arrow_head(points: np.ndarray, size: float = 22.0) -> str:
    """A triangle at the end of a path (F, 2), along the way from its middle to its end."""
    way = points[-1] - points[len(points) // 2]
    way = way / max(float(np.hypot(*way)), 1e-9)
    across = np.array([-way[1], way[0]])
    corners = np.round([points[-1] + size * way, points[-1] + 0.55 * size * across, points[-1] - 0.55 * size * across], 1)
    return path(*corners.T) + "z"


def ctf(one: CtfShown, title: str) -> str:
    """The half and half picture with a ring at the resolution of the fit, and the 1D curves."""
    ring = ""
    if np.isfinite(one.edge) and one.edge * one.resolution > 1.0:
        radius = 0.5 * SIDE / (one.edge * one.resolution)
        ring = f'<circle cx="500" cy="500" r="{radius:.1f}" fill="none" stroke="#ffd23f" stroke-width="4" stroke-dasharray="14 10"/>'
    curves = ctf_plot(one) if one.curves.shape[1] > 1 else '<p class="absent">no curves</p>'
    plain = one.picture and Thumbnail(one.picture.pixels, one.picture.shape, 0.0)
    return f'<div class="pair ctf"><figure>{frame(plain, ring, title)}</figure><figure class="plot">{curves}</figure></div>'


def circles(one: PicksShown) -> str:
    """A circle of the particle's diameter around every pick, coloured by its rank among the figures of merit of the micrograph."""
    width = one.thumbnail.shape[1] if one.thumbnail is not None else max(1.0, 1.05 * float(one.xy.max(initial=1.0)))
    scale = SIDE / width
    kept = np.argsort(-one.fom, kind="stable")[:MOST_CIRCLES]
    radius = max(2.0, 0.5 * one.diameter * scale)
    rank = np.argsort(np.argsort(one.fom[kept], kind="stable"), kind="stable")
    alike = len(kept) and float(np.ptp(one.fom[kept])) == 0.0
    bins = np.full(len(kept), 3) if alike else (rank * len(FOM_COLOURS)) // max(len(kept), 1)
    parts = []
    for which, colour in enumerate(FOM_COLOURS):
        inside = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"/>' for x, y in one.xy[kept[bins == which]] * scale)
        parts.append(f'<g fill="none" stroke="{colour}" stroke-width="3.5">{inside}</g>' if inside else "")
    return "".join(parts)


def sheet(one: Sheet) -> str:
    """Particles side by side, all on one scale of grey."""
    count, side, _ = one.images.shape
    columns = min(12, count)
    rows = -(-count // columns)
    low, high = np.nanpercentile(one.images, [0.5, 99.5])
    shade = np.nan_to_num(np.clip((one.images - low) / max(float(high - low), 1e-30), 0, 1) * 255)
    whole = np.full((rows * (side + 2), columns * (side + 2)), 255, dtype=np.uint8)
    for k, image in enumerate(np.rint(shade).astype(np.uint8)):
        y, x = divmod(k, columns)
        whole[y * (side + 2) : y * (side + 2) + side, x * (side + 2) : x * (side + 2) + side] = image
    note = f" · each {side * one.pixel_size:.0f} Å wide" if one.pixel_size > 0 else ""
    return (f'<img class="sheet" src="{jpeg(whole)}" alt="{count} particles">'
            f'<p class="note">{count:,} of {one.total:,} particles, evenly spread over the set{note}</p>')


def swatches() -> str:
    """What the colours of circles mean."""
    dots = "".join(f'<i class="swatch" style="background:{colour}"></i>' for colour in FOM_COLOURS)
    return f'<p class="note">figure of merit within the micrograph, from low {dots} to high</p>'


def curve_names() -> str:
    """What the colours of the 1D curves mean."""
    names = zip(SERIES, ("spectrum, scaled", "fit", "their correlation (dashed)"))
    return f'<p class="note">{" · ".join(f"""<i class="swatch" style="background:{colour}"></i>{name}""" for colour, name in names)}</p>'
