"""What extract is to do: every particle with its micrograph and its place there, before any pixel is read."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.coordinates import FOM, read_coordinates, stem
from verglas.io.mrc_header import read_header
from verglas.io.particles_star import read_particles
from verglas.jobs.micrograph_door import open_table
from verglas.types import Coordinates, Defocus, ImageRefs, Micrographs, OpticsGroup, Particles, Poses

if TYPE_CHECKING:
    from verglas.jobs.extract import ExtractParams
    from verglas.methods.extract import Recipe

KEPT = ("rlnCtfMaxResolution", "rlnCtfFigureOfMerit")
"""Columns of a micrograph that its particles inherit."""
TOLERANCE = 0.01
"""By which the pixel size in a header may differ from that of the STAR file."""
CIRCLE = 0.75
"""The default background is outside a circle of this share of the box."""


@dataclass(frozen=True)
class Wanted:
    """Particle i is image images.index[i] of micrograph images.stack[i] of `names` (M,) text with pixels (M,) Å; its place is `xy_of`.

    has_ctf: whether the defocus means something.
    """

    names: np.ndarray
    pixels: np.ndarray
    particles: Particles
    has_ctf: bool
    told: str
    warnings: tuple[str, ...] = ()


def xy_of(particles: Particles) -> np.ndarray:
    """(N, 2) px of the micrograph."""
    return np.stack([np.asarray(particles.extra[label], dtype=np.float64) for label in L.COORDINATES], axis=1)


def rows_of_each(stack: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(number, its rows in their order) for every number in stack (N,), in one pass."""
    order = np.argsort(stack, kind="stable")
    numbers, first = np.unique(stack[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(order, first[1:])))


def open_wanted(params: "ExtractParams", project: Path) -> Wanted:
    """Read the tables and the headers of the micrographs; raises where they do not fit."""
    micrographs = open_table(params.micrographs)
    if params.particles is not None:
        particles, warnings = _again(params, micrographs)
    else:
        particles, warnings = _picked(params, micrographs, project)
    rows, odd = _inside(params, micrographs, particles, project)
    warnings += odd
    if not rows.any():
        raise InputError("no window lies in its micrograph", where=str(params.coordinates or params.particles),
                         remedy="are the coordinates in pixels of these micrographs?")
    told = "" if rows.all() else f"{int((~rows).sum())} left out at the edge"
    has_ctf = micrographs.defocus is not None or (params.particles is not None and not params.ctf_of_micrographs)
    if params.ctf != "none" and not has_ctf:
        raise InputError(f"--ctf {params.ctf}: the micrographs have no CTF", where=str(params.micrographs), remedy="estimate it first")
    warnings += () if has_ctf else ("The micrographs have no CTF, so neither have the particles; estimate it before classification.",)
    return _compact(micrographs, particles.take(rows), has_ctf, told, warnings)


def _compact(micrographs: Micrographs, particles: Particles, has_ctf: bool, told: str, warnings: tuple[str, ...]) -> Wanted:
    """In the order of the micrographs, numbered within each, without micrographs that have no particles."""
    particles = particles.take(np.argsort(particles.images.stack, kind="stable"))
    used, stack = np.unique(particles.images.stack, return_inverse=True)
    first = np.searchsorted(stack, np.arange(len(used)))
    images = ImageRefs(tuple(micrographs.name[used]), stack, np.arange(len(stack)) - first[stack])
    pixels = np.array([group.pixel_size for group in micrographs.optics])[micrographs.optics_index[used]]
    return Wanted(micrographs.name[used], pixels, replace(particles, images=images), has_ctf, told, warnings)


def _inside(params: "ExtractParams", micrographs: Micrographs, particles: Particles, project: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) which windows touch their micrograph, with --edge drop: lie in it; a warning about headers with other pixel sizes."""
    from verglas.methods.extract import closest_edge, touches

    xy, stack, keep = xy_of(particles), particles.images.stack, np.zeros(len(particles), dtype=bool)
    odd = []
    for m, rows in rows_of_each(stack):
        path = project / micrographs.name[m]
        if not path.is_file():
            raise InputError(f"there is no micrograph {path}", where=f"{params.micrographs}, row {m + 1}", remedy="run in the project folder")
        header, pixel = read_header(path), micrographs.optics[micrographs.optics_index[m]].pixel_size
        shape = header.shape[1:]
        if header.pixel_size > 0 and abs(header.pixel_size - pixel) > TOLERANCE * pixel:
            odd.append(f"{path} has {header.pixel_size:.4f} Å in its header, {params.micrographs} says {pixel:.4f} Å")
        if min(shape) < params.box:
            raise InputError(f"{shape[1]} x {shape[0]} px, smaller than --box {params.box}", where=str(path), remedy="give a smaller box")
        keep[rows] = touches(xy[rows], params.box, shape) if params.edge == "fill" else closest_edge(xy[rows], params.box, shape) >= 0
    return keep, (f"{odd[0]}, which is taken ({len(odd)} micrographs like this).",) if odd else ()


def _picked(params: "ExtractParams", micrographs: Micrographs, project: Path) -> tuple[Particles, tuple[str, ...]]:
    """Particles of the picks; images.stack is the row of the micrograph."""
    where = str(params.coordinates)
    picks = read_coordinates(Path(where), project)
    rows, lost = _rows_of(list(picks), micrographs, where)
    found = [(row, _above(one, params.min_fom)) for row, one in zip(rows.tolist(), picks.values()) if row >= 0]
    if not sum(len(one) for _, one in found):
        raise InputError("no picks are left", where=where, remedy="lower --min-fom" if params.min_fom is not None else "pick again")
    row = np.repeat([row for row, _ in found], [len(one) for _, one in found])
    one = _joined([one for _, one in found])
    extra: dict[str, np.ndarray] = dict(zip(L.COORDINATES, one.xy.T)) | {L.MICROGRAPH_NAME: micrographs.name[row]}
    extra |= {FOM: one.fom} if one.fom.any() else {}
    extra |= {label: micrographs.extra[label][row] for label in KEPT if label in micrographs.extra}
    zero, n = np.zeros(len(row)), len(row)
    defocus = micrographs.defocus.take(row) if micrographs.defocus else Defocus(zero, zero, zero, zero, zero, zero + 1)
    optics = tuple(_imaged(group, group.pixel_size, params) for group in micrographs.optics)
    return Particles(
        optics, ImageRefs(tuple(micrographs.name), row, zero.astype(np.int64)), micrographs.optics_index[row], row, tuple(micrographs.name), defocus,
        Poses(np.stack((zero, zero, one.psi), axis=1), np.zeros((n, 2))), np.zeros(n, dtype=np.int64), one.class_number, zero + 1, extra,
    ), _told_lost(lost, len(picks), where)


def _joined(picks: list[Coordinates]) -> Coordinates:
    """All in one, without extra columns."""
    xy, fom, number, psi = (np.concatenate([getattr(one, name) for one in picks]) for name in ("xy", "fom", "class_number", "psi"))
    return Coordinates(xy, fom, number, psi, {})


def _above(picks: Coordinates, least: float | None) -> Coordinates:
    return picks if least is None else picks.take(picks.fom > least)


def _again(params: "ExtractParams", micrographs: Micrographs) -> tuple[Particles, tuple[str, ...]]:
    """Particles of a STAR file, perhaps recentred; images.stack is the row of the micrograph."""
    from verglas.methods.extract import recentred

    where = str(params.particles)
    old = read_particles(where)
    for label in (L.MICROGRAPH_NAME, *L.COORDINATES):
        if label not in old.extra:
            raise InputError(f"missing column _{label}", where=where, remedy="give particles with their places in the micrographs")
    names = dict.fromkeys(old.extra[L.MICROGRAPH_NAME].tolist())
    rows, lost = _rows_of(list(names), micrographs, where)
    row_of = dict(zip(names, rows.tolist()))
    row = np.array([row_of[name] for name in old.extra[L.MICROGRAPH_NAME].tolist()])
    old, row = old.take(row >= 0), row[row >= 0]
    pixels = np.array([group.pixel_size for group in micrographs.optics])[micrographs.optics_index[row]]
    xy, origin = xy_of(old), old.poses.origin
    if params.recentre:
        xy, origin = recentred(xy, old.poses, pixels, (params.recentre_x, params.recentre_y, params.recentre_z))
    elif params.reset_offsets:
        origin = np.zeros_like(origin)
    defocus = old.defocus
    if params.ctf_of_micrographs:
        if micrographs.defocus is None:
            raise InputError("--ctf-of-micrographs: they have no CTF", where=str(params.micrographs), remedy="give micrographs_ctf.star")
        defocus = micrographs.defocus.take(row)
    extra = old.extra | dict(zip(L.COORDINATES, xy.T)) | {L.MICROGRAPH_NAME: micrographs.name[row]}
    return replace(
        old, optics=_optics_again(params, old, pixels, where), images=ImageRefs(tuple(micrographs.name), row, np.zeros(len(row), dtype=np.int64)),
        defocus=defocus, poses=replace(old.poses, origin=origin), extra=extra,
    ), _told_lost(lost, len(names), where)


def _optics_again(params: "ExtractParams", particles: Particles, pixels: np.ndarray, where: str) -> tuple[OpticsGroup, ...]:
    """The groups of the particles, with what a refinement found about them, at the new pixel size."""
    found = []
    for number, group in enumerate(particles.optics):
        sizes = np.unique(pixels[particles.optics_index == number])
        if len(sizes) > 1:
            raise InputError(f"the particles of optics group {group.group} lie in micrographs of {sizes[0]:g} and {sizes[1]:g} Å/px", where=where,
                             remedy="extract them one pixel size at a time")
        found.append(_imaged(group, float(sizes[0]) if len(sizes) else group.pixel_size, params))
    return tuple(found)


def _imaged(group: OpticsGroup, pixel_size: float, params: "ExtractParams") -> OpticsGroup:
    """The optics group of the images, from micrographs of `pixel_size` Å."""
    side = params.rescale or params.box
    return replace(group, pixel_size=pixel_size * params.box / side, box=params.crop or side, ctf_premultiplied=params.ctf == "multiply",
                   phase_flipped=params.ctf == "flip", ctf_corrected=False)


def _rows_of(names: list[str], micrographs: Micrographs, where: str) -> tuple[np.ndarray, list[str]]:
    """(row of each named micrograph, -1 where there is none; those names). By full name, else by `stem` where that is unique."""
    rows = {name: row for row, name in enumerate(micrographs.name.tolist())}
    often = Counter(map(stem, rows))
    short = {stem(name): row for name, row in rows.items() if often[stem(name)] == 1}
    found = np.array([rows.get(name, short.get(stem(name), -1)) for name in names], dtype=np.int64)
    if (found < 0).all():
        raise InputError(f"none of its {len(names)} micrographs ({names[0] if names else 'it names none'}) is among the {len(rows)} given ones "
                         f"({next(iter(rows), 'none')})", where=where, remedy="give the micrographs that it belongs to")
    return found, [name for name, row in zip(names, found.tolist()) if row < 0]


def _told_lost(lost: list[str], total: int, where: str) -> tuple[str, ...]:
    return (f"{len(lost)} of the {total} micrographs in {where} are not among the given ones, for example {lost[0]}; left out.",) if lost else ()


def recipe_of(params: "ExtractParams", pixel: float) -> "Recipe":
    """What to do with each window, in micrographs of `pixel` Å. The radius of the background is in whole pixels of the image, as RELION's."""
    from verglas.methods.extract import Dust, Recipe

    side = params.rescale or params.box
    window = params.crop or side
    diameter = CIRCLE * params.box if params.background_diameter is None else params.background_diameter / pixel
    radius = float(int(diameter / 2 * side / params.box)) if params.normalise else None
    if radius is not None and 2 * radius > window:
        raise InputError(f"the background begins at {radius:g} px, beyond the image of {window} px", where="--background-diameter",
                         remedy=f"give at most {window * pixel * params.box / side:.0f} Å")
    dust = Dust(params.white_dust, params.black_dust) if params.white_dust or params.black_dust else None
    return Recipe(params.box, side, window, radius, params.invert, dust=dust)


