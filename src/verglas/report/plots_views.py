"""The sphere of viewing directions as an equal-area map."""

from math import cos, pi, sin

import numpy as np

from verglas.report.chart import INK, MUTED, drawing, path, stroke, words
from verglas.report.directions import binned, density, point_group, viewing_directions, with_mates
from verglas.report.pictures import data_uri

VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
"""Perceptually even colours from dark to bright (van der Walt and Smith 2015), every eighth of the scale."""
WIDTH, HEIGHT, RADIUS, CENTRE = 560, 290, 112, (286, 145)
WHITE = "#ffffff"


def colours(values: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 for values 0..1."""
    table = np.array([[int(one[i : i + 2], 16) for i in (0, 2, 4)] for one in VIRIDIS], dtype=float)
    place = np.linspace(0, 1, len(table))
    return np.stack([np.interp(np.clip(values, 0, 1), place, table[:, i]) for i in range(3)], axis=-1).astype(np.uint8)


def angular_plot(angles: np.ndarray, symmetry: str) -> str:
    """Density of the directions of angles (N, 3) radians and of their symmetry mates on the whole sphere."""
    values, inside = sphere_density(angles, symmetry)
    top = max(2.0, float(np.percentile(values[inside], 99.8)))
    x, y = CENTRE[0] - 2 * RADIUS, CENTRE[1] - RADIUS
    globe = (
        f'<clipPath id="globe"><ellipse cx="{CENTRE[0]}" cy="{CENTRE[1]}" rx="{2 * RADIUS}" ry="{RADIUS}"/></clipPath>'
        f'<image href="{coloured(values / top)}" x="{x}" y="{y}" width="{4 * RADIUS}" height="{2 * RADIUS}" '
        'preserveAspectRatio="none" '
        'clip-path="url(#globe)"/>'
    )
    return drawing([globe, *graticule(), *_colour_bar(top)], WIDTH, HEIGHT, "Density of viewing directions")


def sphere_density(angles: np.ndarray, symmetry: str, width: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Density relative to an even one on a Mollweide map (width / 2, width), 0 outside it, and where the map is."""
    directions = with_mates(viewing_directions(angles), point_group(symmetry))
    centres, shares = binned(directions)
    points, inside = mollweide_points(width, width // 2)
    values = np.zeros(inside.shape)
    values[inside] = density(points, centres, shares, smoothing(len(directions)))
    return values, inside


def coloured(values: np.ndarray) -> str:
    """(H, W) numbers 0..1, first row at the bottom, as an embedded picture."""
    rgba = np.dstack([colours(values), np.full(values.shape, 255, dtype=np.uint8)])
    return data_uri(rgba[::-1])


def smoothing(count: int) -> float:
    """Radius in radians of a spot that holds about 20 of `count` evenly spread directions, 5° to 20°."""
    return float(np.clip(np.sqrt(20 / max(1, count)), 0.09, 0.35))


def mollweide_points(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (P, 3) seen at the pixels of an equal-area Mollweide map, and their pixels (height, width).

    With y from -1 to 1 and x from -2 to 2: sin t = y, sin(lat) = (2 t + sin 2t) / pi, lon = pi x / (2 cos t);
    lat = 90° - tilt, lon = rot. Pixels just outside take the nearest direction, so that smoothing shows no rim.
    """
    y, x = np.meshgrid(
        (np.arange(height) + 0.5) / height * 2 - 1, ((np.arange(width) + 0.5) / width * 2 - 1) * 2, indexing="ij"
    )
    t = np.arcsin(y)
    lon = np.clip(pi * x / (2 * np.cos(t)), -pi, pi)
    inside = np.abs(x) <= 2 * np.cos(t) + 6 / width
    sin_lat = (2 * t + np.sin(2 * t)) / pi
    cos_lat = np.sqrt(1 - sin_lat**2)
    points = np.stack([cos_lat * np.cos(lon), cos_lat * np.sin(lon), sin_lat], axis=-1)
    return points[inside], inside


def graticule() -> list[str]:
    """Outline, meridians every 60° of rot and parallels every 30° of tilt, labelled."""
    t = np.linspace(-pi / 2, pi / 2, 41)
    meridians = "".join(path(*_placed(rot / 90 * np.cos(t), np.sin(t))) for rot in (-120, -60, 0, 60, 120))
    parts = [stroke("".join(path(*_placed(rot / 90 * np.cos(t), np.sin(t))) for rot in (-180, 180)), MUTED)]
    parallels, labels = "", []
    for tilt in (30, 60, 90, 120, 150):
        a = auxiliary(pi / 2 - tilt * pi / 180)
        x, y = _placed(np.array([-2.0, 2.0]) * cos(a), np.array([1.0, 1.0]) * sin(a))
        parallels += path(x, y)
        labels.append(
            words(float(x[0]) - 6, float(y[0]) + 4, f"tilt {tilt}°" if tilt == 90 else f"{tilt}°", anchor="end")
        )
    labels += [
        words(CENTRE[0] + rot / 90 * RADIUS, CENTRE[1] + 14, f"{rot}°", anchor="middle", colour=WHITE)
        for rot in (-120, -60, 60, 120)
    ]
    labels.append(words(CENTRE[0], CENTRE[1] + 14, "rot 0°", anchor="middle", colour=WHITE))
    labels += [
        words(CENTRE[0], CENTRE[1] - RADIUS - 6, "0°", anchor="middle"),
        words(CENTRE[0], CENTRE[1] + RADIUS + 15, "180°", anchor="middle"),
    ]
    return [*parts, stroke(meridians + parallels, WHITE, 0.8, opacity=0.35), *labels]


def _placed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map coordinates (x -2..2, y -1..1) in SVG units."""
    return np.round(CENTRE[0] + x * RADIUS, 1), np.round(CENTRE[1] - y * RADIUS, 1)


def auxiliary(lat: float) -> float:
    """The angle t of Mollweide's projection for a latitude: 2 t + sin 2t = pi sin(lat), by Newton steps."""
    t = 0.8 * lat
    for _ in range(30):
        t -= (2 * t + sin(2 * t) - pi * sin(lat)) / (2 + 2 * cos(2 * t) + 1e-12)
    return t


def _colour_bar(top: float) -> list[str]:
    x, y, height = 524, 43, 190
    scale = colours(np.linspace(1, 0, 64))[:, None]
    ticks = [value for value in (0, 1, 2, 3, 5, 10, 20, 50) if value <= top and (value == 0 or top / value < 12)]
    labels = [words(x + 15, y + height * (1 - value / top) + 4, f"{value}") for value in ticks]
    return [
        f'<image href="{data_uri(scale)}" x="{x}" y="{y}" width="10" height="{height}" preserveAspectRatio="none"/>',
        *labels,
        words(x + 20, y + height + 22, "× even", anchor="end", colour=INK),
    ]
