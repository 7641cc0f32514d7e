"""The classes of a job folder: numbers, averages or maps, flow of particles between them, seeds of a starting model.

Besides RELION's files a job may leave in events.jsonl, with each event `iteration`: class_sizes and class_resolution_A (K values),
change_classes (share), class_flow (K x K counts, from the class of the row to that of the column), subset, step_size, tau; with fixed poses
also ess (effective number of classes per particle), kl, rms_density_change (a number or one per class) and scales {"edges", "counts"}.
Its iterations on batches before the full ones are events `batch` with `number` and the same fields. Starting models: seeds.json or an event
`seeds` with fsc and resolution, see data.Seeds. All of it is optional.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from verglas.io.mrc import MrcStack, read_map
from verglas.io.star import Table, read_star
from verglas.report.data import NAN, Classes, ClassRow, Flow, Iteration, MapViews, ParticleColumns, Seeds
from verglas.report.directions import fourier_coverage
from verglas.report.load_arrays import reduced, views
from verglas.report.load_record import iterations_of_events, matrix_of, numbers_of, read_object
from verglas.report.load_tables import column, values
from verglas.report.missing import Missing
from verglas.report.surface import contour_level, reach, surfaces
from verglas.types import Map

MOST_AVERAGES, MOST_MAPS, MOST_STEPS = 200, 12, 3
"""Averages and maps that are shown, the largest classes first, and steps of the flow between classes."""
AVERAGE_PIXELS, MAP_PIXELS = 128, 128


@dataclass(frozen=True)
class Found:
    """Where the newest classes are. root: 'run' or 'run_itNNN'; kind: 'class2d', 'class3d' or 'initialmodel', '' when unknown."""

    folder: Path
    kind: str
    root: str
    iteration: int

    @property
    def model(self) -> Path:
        return self.folder / f"{self.root}_model.star"


def find_classes(folder: Path, job: str, numbers: Sequence[int], final: int) -> Found | None:
    """None for anything but a classification: by the job's name, and in a folder of RELION by iterations without halves.

    numbers: iterations that left a model; final: the number of the last pass, for folders with run_model.star.
    """
    name = re.sub(r"[^a-z0-9]", "", job.lower())
    kind = next((one for one in ("class2d", "class3d", "initialmodel") if name.startswith(one)), "")
    halves = any(folder.glob("run_it*_half1_model.star"))
    if not kind and (name or halves or not numbers):
        return None
    done = (folder / "run_model.star").exists() or not numbers
    return Found(folder, kind, "run" if done else f"run_it{numbers[-1]:03d}", final if done else numbers[-1])


def load_classes(
    found: Found, particles: ParticleColumns | None, iterations: Sequence[Iteration], events: Sequence[Mapping[str, Any]], symmetry: str,
    missing: Missing,
) -> Classes:
    """Everything about classes; what is broken or absent is said in `missing`."""
    tables = (missing.attempt("the classes", lambda: read_star(found.model)) if found.model.exists() else None) or {}
    dimensions = 2 if found.kind == "class2d" or values(tables, "model_general").number("rlnReferenceDimensionality") == 2 else 3
    optimiser = found.folder / f"{found.root}_optimiser.star"
    descent = missing.attempt("the optimiser file", lambda: _descends(optimiser)) if not found.kind else None
    rows = class_rows(tables, particles, symmetry if dimensions == 3 else "")
    shown = _with_averages(found, tables, rows, missing) if dimensions == 2 else _with_maps(found, tables, rows, missing)
    initial = found.kind == "initialmodel" or (dimensions == 3 and bool(descent))
    largest = max(rows, key=lambda row: np.nan_to_num(row.share)).number if rows else 1
    flows = flows_of_iterations(iterations, len(rows)) or missing.attempt("the flow between classes", lambda: flows_of_files(found, len(rows)))
    return Classes(
        dimensions=dimensions,
        initial=initial,
        iteration=found.iteration,
        pixel_size=values(tables, "model_general").number("rlnPixelSize"),
        rows=shown,
        counted=particles is not None and bool(np.any(particles.class_number > 0)),
        flows=flows or (),
        stages=_stages(found.folder, largest, missing) if initial else (),
        seeds=missing.attempt("the comparison of seeds", lambda: read_seeds(found.folder, events)),
        scales=histogram_of_events(events),
        batches=iterations_of_events(events, "batch", "number"),
    )


def _descends(optimiser: Path) -> bool:
    """A gradient descent, as RELION's optimiser file says it."""
    return optimiser.exists() and values(read_star(optimiser), "optimiser_general").number("rlnDoGradientRefine") == 1


def class_rows(tables: Mapping[str, Table], particles: ParticleColumns | None, symmetry: str) -> tuple[ClassRow, ...]:
    """One row per class of the model, without pictures; coverage of Fourier space of the largest when `symmetry` is given."""
    count = len(tables.get("model_classes", Table({})))
    numbers = particles.class_number if particles is not None else np.zeros(0, dtype=int)
    members = [np.flatnonzero(numbers == k) for k in range(1, count + 1)]
    shares = column(tables, "model_classes", "rlnClassDistribution")
    if shares.size != count or not np.isfinite(shares).any():
        shares = np.array([one.size for one in members]) / max(1, sum(one.size for one in members))
    shares = np.where(np.isfinite(shares) & (shares > 0), shares, 0.0)
    resolution, completeness = _column(tables, "rlnEstimatedResolution", count), _column(tables, "rlnOverallFourierCompleteness", count)
    rotations, shifts = _column(tables, "rlnAccuracyRotations", count), _column(tables, "rlnAccuracyTranslationsAngst", count)
    covered = set(np.argsort(-np.nan_to_num(shares), kind="stable")[:MOST_MAPS].tolist()) if symmetry else set()
    angles = particles.angles if particles is not None else np.zeros((0, 3))
    return tuple(
        ClassRow(
            k + 1, float(shares[k]), float(resolution[k]), float(rotations[k]), float(shifts[k]), float(completeness[k]), members[k],
            coverage=fourier_coverage(angles[members[k]], symmetry) if k in covered and angles.size and members[k].size else None,
        )
        for k in range(count)
    )


def _column(tables: Mapping[str, Table], label: str, count: int) -> np.ndarray:
    """(K,) of model_classes; NaN where absent, infinite or 999, which is how RELION says unknown."""
    found = column(tables, "model_classes", label)
    return np.where((found > 0) & (found < 900), found, NAN) if found.size == count else np.full(count, NAN)


def _reference(found: Found, tables: Mapping[str, Table], number: int) -> tuple[Path, int]:
    """File of a class and place in it from 0, by the model's name for it (its folder may have been moved), else by the usual name."""
    name = str(tables["model_classes"]["rlnReferenceImage"][number - 1]) if "rlnReferenceImage" in tables["model_classes"] else ""
    place, _, path = name.rpartition("@")
    named = found.folder / Path(path).name
    if path and named.is_file():
        return named, int(place) - 1 if place.isdigit() else 0
    stack = found.folder / f"{found.root}_classes.mrcs"
    return (stack, number - 1) if stack.exists() else (found.folder / f"{found.root}_class{number:03d}.mrc", 0)


def _with_averages(found: Found, tables: Mapping[str, Table], rows: tuple[ClassRow, ...], missing: Missing) -> tuple[ClassRow, ...]:
    """The largest rows with their pictures; one sentence when the stack cannot be read."""

    def read() -> dict[int, np.ndarray]:
        largest = sorted(rows, key=lambda row: -np.nan_to_num(row.share))[:MOST_AVERAGES]
        places = {row.number: _reference(found, tables, row.number) for row in largest}
        images: dict[int, np.ndarray] = {}
        for path in {path for path, _ in places.values()}:
            with MrcStack(path) as stack:
                images |= {k: stack.read(np.array([place]))[0] for k, (where, place) in places.items() if where == path}
        return {k: reduced(np.nan_to_num(image), AVERAGE_PIXELS) for k, image in images.items()}

    pictures = (missing.attempt("the class averages", read) if rows else None) or {}
    return tuple(replace(row, average=pictures[row.number]) if row.number in pictures else row for row in rows)


def _with_maps(found: Found, tables: Mapping[str, Table], rows: tuple[ClassRow, ...], missing: Missing) -> tuple[ClassRow, ...]:
    """The largest rows with slices, projections and surfaces, all surfaces in one window so that sizes compare."""
    largest = sorted(rows, key=lambda row: -np.nan_to_num(row.share))[:MOST_MAPS]
    wanted = [(f"Class {row.number}", _reference(found, tables, row.number)[0]) for row in largest]
    shown = dict(zip((row.number for row in largest), maps_in_one_window(wanted, missing)))
    return tuple(replace(row, views=shown.get(row.number)) for row in rows)


def maps_in_one_window(wanted: Sequence[tuple[str, Path]], missing: Missing) -> list[MapViews | None]:
    """(title, path) -> pictures, None where a map cannot be read; surfaces from maps of at most MAP_PIXELS, at one scale."""
    maps = [missing.attempt(path.name, partial(read_map, path)) for _, path in wanted]
    flat = [None if one is None else views(path.name, title, one, MAP_PIXELS) for one, (title, path) in zip(maps, wanted)]
    small = [None if one is None else smaller(one) for one in maps]
    window = max((reach(one.data, contour_level(one.data)) for one in small if one is not None), default=0)
    return [
        None if shown is None or one is None else _with_surfaces(shown, one, min(window, one.box // 2)) for shown, one in zip(flat, small)
    ]


def _with_surfaces(shown: MapViews, small: Map, window: int) -> MapViews:
    width, pictures = surfaces(small.data, window)
    return replace(shown, surfaces=pictures, surface_width=width * small.pixel_size)


def smaller(volume: Map) -> Map:
    """Means of n x n x n voxels so that a side has at most MAP_PIXELS of them."""
    n = -(-volume.box // MAP_PIXELS)
    side = volume.box // n
    data = volume.data[: side * n, : side * n, : side * n].reshape(side, n, side, n, side, n).mean(axis=(1, 3, 5), dtype=np.float32)
    return Map(data, volume.pixel_size * n, volume.origin)


def flows_of_iterations(iterations: Sequence[Iteration], count: int) -> tuple[Flow, ...]:
    """The newest matrices of the event log that have a row and a column for each class."""
    before = (NAN, *(one.number for one in iterations))
    flows = [
        Flow(int(last) if last == last else one.number - 1, one.number, np.nan_to_num(one.class_flow))
        for last, one in zip(before, iterations)
        if count > 1 and one.class_flow.shape == (count, count) and np.nansum(one.class_flow) > 0
    ]
    return tuple(flows[-MOST_STEPS:])


def flows_of_files(found: Found, count: int) -> tuple[Flow, ...]:
    """From the class numbers in the newest two particle tables."""
    names = (re.fullmatch(r"run_it(\d+)_data\.star", path.name) for path in found.folder.glob("run_it*_data.star"))
    numbers = sorted(int(name.group(1)) for name in names if name)[-2:]
    if len(numbers) < 2 or count < 2:
        return ()
    (old_images, old), (new_images, new) = (_assignments(found.folder / f"run_it{number:03d}_data.star") for number in numbers)
    if old_images.size != new_images.size or np.any(old_images != new_images):
        _, first, second = np.intersect1d(old_images, new_images, return_indices=True)
        old, new = old[first], new[second]
    inside = (old >= 1) & (old <= count) & (new >= 1) & (new <= count)
    counts = np.bincount((old[inside] - 1) * count + new[inside] - 1, minlength=count**2).reshape(count, count)
    return (Flow(numbers[0], numbers[1], counts),) if inside.any() else ()


def _assignments(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image names and class numbers of a particle table."""
    table = next((one for one in read_star(path).values() if "rlnImageName" in one and "rlnClassNumber" in one), Table({}))
    if not len(table):
        return np.zeros(0, dtype=object), np.zeros(0, dtype=int)
    return table["rlnImageName"].astype(str), table["rlnClassNumber"].astype(int)


def _stages(folder: Path, number: int, missing: Missing) -> tuple[MapViews, ...]:
    """The map of one class at the first, a middle and the last iteration, and the finished starting model."""
    names = (re.fullmatch(rf"run_it(\d+)_class{number:03d}\.mrc", path.name) for path in folder.glob("run_it*_class*.mrc"))
    numbers = sorted(int(name.group(1)) for name in names if name)
    chosen = sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]}) if numbers else []
    wanted = [(f"Iteration {one}", folder / f"run_it{one:03d}_class{number:03d}.mrc") for one in chosen]
    finished = [("Finished model", folder / "initial_model.mrc")]
    wanted += [one for one in finished if one[1].exists()]
    return tuple(one for one in maps_in_one_window(wanted, missing) if one is not None)


def read_seeds(folder: Path, events: Iterable[Mapping[str, Any]]) -> Seeds | None:
    """seeds.json, else the newest event `seeds`: fields fsc (lists of one length) and resolution."""
    said = [event for event in events if event.get("event") == "seeds"]
    rows = read_object(folder / "seeds.json") or (said[-1] if said else {})
    fsc = matrix_of(rows.get("fsc"))
    return Seeds(fsc, numbers_of(rows.get("resolution"))) if fsc.size else None


def histogram_of_events(events: Iterable[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Edges (n + 1,) and counts (n,) of the newest `scales` {"edges": [...], "counts": [...]} of any event; both empty without."""
    for event in reversed(list(events)):
        scales = event.get("scales")
        if isinstance(scales, dict):
            edges, counts = numbers_of(scales.get("edges")), numbers_of(scales.get("counts"))
            if edges.size == counts.size + 1 > 1 and np.all(np.isfinite(counts)) and np.all(np.diff(edges) > 0):
                return edges, counts
    return np.zeros(0), np.zeros(0)
