"""The newest particle table and the maps of a job folder, reduced to what a page shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.io.mrc import read_map
from verglas.io.particles_star import read_particles
from verglas.report.data import MapViews, ParticleColumns
from verglas.report.surface import surfaces
from verglas.types import Map, Particles

LARGEST_SHOWN = 256
"""Pixels per side of an embedded picture; larger maps are averaged down."""


def read_particle_columns(path: Path) -> ParticleColumns:
    """Poses, CTF and scores of all particles; angles in radians, offsets in Å."""
    particles = read_particles(path)
    duplicates, across = count_duplicates(particles)
    angles = particles.poses.angles
    return ParticleColumns(
        angles=angles if np.any(angles) else np.zeros((0, 3)),
        origin=particles.poses.origin,
        defocus=np.stack([particles.defocus.u, particles.defocus.v], axis=1),
        half=particles.half,
        norm=particles.norm,
        pmax=_extra(particles, "rlnMaxValueProbDistribution"),
        significant=_extra(particles, "rlnNrOfSignificantSamples"),
        duplicates=duplicates,
        duplicates_across_halves=across,
        micrographs=len(particles.group_names),
        optics=tuple(
            f"{one.name}: {one.voltage_kv:g} kV, Cs {one.cs_mm:g} mm, {one.pixel_size:g} Å/pixel, box {one.box}"
            for one in particles.optics
        ),
        source=path.name,
        class_number=particles.class_number,
    )


def searched_only(rows: ParticleColumns) -> ParticleColumns:
    """NaN for the certainty of particles that no class has taken yet, as in a gradient descent on subsets."""
    idle = rows.class_number <= 0
    if idle.all():
        return rows
    pmax, significant = (np.where(idle, np.nan, one) if one.size else one for one in (rows.pmax, rows.significant))
    return replace(rows, pmax=pmax, significant=significant)


def _extra(particles: Particles, label: str) -> np.ndarray:
    """A column that verglas does not know, (N,); empty when absent, not numeric or without a single number."""
    values = particles.extra.get(label)
    known = values is not None and values.dtype != object and bool(np.isfinite(values).any())
    return np.asarray(values, dtype=float) if known else np.zeros(0)


def count_duplicates(particles: Particles) -> tuple[int, int]:
    """(rows that repeat an image, images that are in both halves)."""
    images = particles.images
    key = images.stack.astype(np.int64) * (int(images.index.max(initial=0)) + 1) + images.index
    _, place = np.unique(key, return_inverse=True)
    halves = [np.bincount(place, particles.half == one, place.max(initial=0) + 1) > 0 for one in (1, 2)]
    return len(key) - int(place.max(initial=-1)) - 1, int(np.sum(halves[0] & halves[1]))


def map_files(folder: Path, iteration: int | None) -> list[tuple[str, Path]]:
    """(title, path) of the maps to show: sharpened, final and halves, else of `iteration`, else what there is."""
    final = [
        ("Sharpened map", "postprocess.mrc"),
        ("Final map", "run_class001.mrc"),
        ("Half map 1, unfiltered", "run_half1_class001_unfil.mrc"),
        ("Half map 2, unfiltered", "run_half2_class001_unfil.mrc"),
    ]
    found = [(title, folder / name) for title, name in final if (folder / name).exists()]
    if found or iteration is None:
        return found or [(path.name, path) for path in sorted(folder.glob("*.mrc"))[:3]]
    names = [
        (f"Half map {half}, iteration {iteration}", f"run_it{iteration:03d}_half{half}_class001.mrc") for half in (1, 2)
    ]
    names.append((f"Map, iteration {iteration}", f"run_it{iteration:03d}_class001.mrc"))
    return [(title, folder / name) for title, name in names if (folder / name).exists()]


def read_views(title: str, path: Path, *, with_surface: bool) -> MapViews:
    """Central slices and projections along z, y and x, and the surface."""
    volume = read_map(path)
    flat = views(path.name, title, volume)
    if not with_surface:
        return flat
    width, pictures = surfaces(volume.data)
    return replace(flat, surfaces=pictures, surface_width=width * volume.pixel_size)


def views(name: str, title: str, volume: Map, largest: int = LARGEST_SHOWN) -> MapViews:
    """A picture's rows go up and its columns right: (y, x) seen along z, (z, x) along y, (z, y) along x."""
    data, centre = volume.data, volume.box // 2
    slices = tuple(np.ascontiguousarray(np.take(data, centre, axis=axis)) for axis in range(3))
    projections = tuple(data.sum(axis=axis, dtype=np.float32) for axis in range(3))
    small, smaller = (tuple(reduced(picture, largest) for picture in pictures) for pictures in (slices, projections))
    return MapViews(name, title, volume.box, volume.pixel_size, small, smaller)


def reduced(picture: np.ndarray, largest: int = LARGEST_SHOWN) -> np.ndarray:
    """Means of n x n pixels so that a side has at most `largest` of them."""
    n = -(-len(picture) // largest)
    side = len(picture) // n
    return picture[: side * n, : side * n].reshape(side, n, side, n).mean(axis=(1, 3))
