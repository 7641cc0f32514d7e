"""Maps as small grey PNG pictures with a scale bar that is drawn by the browser."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from verglas.report.data import MapViews

AXES = ("z", "y", "x")


def png(picture: np.ndarray) -> str:
    """(H, W) numbers -> data URI; black and white are the 0.5 and 99.8 percentiles, the first row is at the bottom."""
    low, high = np.percentile(picture, [0.5, 99.8])
    grey = np.clip((picture - low) / max(float(high - low), 1e-30), 0, 1) * 255
    return data_uri(np.rint(grey[::-1]).astype(np.uint8))


def data_uri(pixels: np.ndarray) -> str:
    """(H, W) or (H, W, 3|4) uint8, first row on top, as an embedded PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=6)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def scale_bar(width: float) -> float:
    """A round length in Å near a quarter of the field of view."""
    wanted = width / 4.0
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted))


def view_row(views: MapViews) -> str:
    """One map: three slices and three projections in a row."""
    width = views.box * views.pixel_size
    kinds = (("slice", views.slices), ("projection", views.projections))
    figures = [
        figure(png(picture), f"{kind} along {axis}", width, views.title)
        for kind, pictures in kinds
        for axis, picture in zip(AXES, pictures)
    ]
    note = f"{views.box} × {views.pixel_size:.4g} Å = {width:.0f} Å wide"
    return (
        f'<div class="map"><h4>{escape(views.title)} <span class="note">{escape(views.name)}, {note}</span></h4>'
        f'<div class="views">{"".join(figures)}</div></div>'
    )


def surface_row(views: MapViews) -> str:
    """The surface of one map from three sides, all at one scale."""
    figures = [
        figure(data_uri(picture[::-1]), f"seen along {axis}", views.surface_width, views.title)
        for axis, picture in zip(AXES, views.surfaces)
    ]
    return f'<div class="views surfaces">{"".join(figures)}</div>'


def figure(uri: str, caption: str, width: float, title: str, *, bar: bool = True) -> str:
    """A picture `width` Å wide with a caption ("" for none) and a scale bar."""
    length = scale_bar(width)
    scale = f'<span class="bar" style="width:{100 * length / width:.2f}%"></span><span class="barlabel">{length:g} Å</span>' if bar else ""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    alt = escape(f"{title}, {caption}" if caption else title, quote=True)
    return f'<figure><div class="frame"><img src="{uri}" alt="{alt}">{scale}</div>{below}</figure>'
