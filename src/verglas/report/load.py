"""A job folder, verglas's or RELION's, as ReportData; what cannot be read becomes a sentence, not a crash."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from verglas.errors import InputError
from verglas.report.data import NAN, Classes, Coverage, Iteration, Model, ParticleColumns, Record, ReportData, State
from verglas.report.directions import fourier_coverage
from verglas.report.load_arrays import map_files, read_particle_columns, read_views, searched_only
from verglas.report.load_classes import find_classes, load_classes
from verglas.report.load_micrographs import find_layout, load_processed
from verglas.report.load_record import iterations_of_events, job_state, make_record, read_events, read_job
from verglas.report.load_tables import (
    Values,
    final_iteration,
    iteration_numbers,
    iterations_of_files,
    model_path,
    read_command,
    read_model,
    read_postprocess,
    read_settings,
)
from verglas.report.micrograph_kinds import Layout
from verglas.report.missing import Missing
from verglas.report.names import told_data


def load_report(folder: Path, state: State | None = None, *, maps: bool = True) -> ReportData:
    """Read everything a page shows; `state` overrules the exit markers. Without `maps`: all but their pictures, which is quick."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), remedy="give the folder of a job")
    return told_data(_load(folder, state, maps), folder)


def _load(folder: Path, state: State | None, maps: bool) -> ReportData:
    missing = Missing()
    job, events = read_job(folder), read_events(folder)
    state = state or job_state(folder, job, events)
    layout = find_layout(folder, job)
    if layout is not None:
        return _of_micrographs(folder, layout, state, make_record(job, events, state), missing)
    numbers = iteration_numbers(folder)
    model = missing.attempt("the model file", lambda: _newest_model(folder, numbers))
    particles = missing.attempt("the particle table", lambda: _newest_particles(folder, numbers))
    iterations = (
        iterations_of_events(events) or missing.attempt("the iterations", lambda: _iterations(folder, model)) or ()
    )
    root = "run" if (folder / "run_optimiser.star").exists() or not numbers else f"run_it{numbers[-1]:03d}"
    settings, shown = missing.attempt("the settings", lambda: read_settings(folder, root)) or (Values(), ())
    record = make_record(job, events, state)
    symmetry = settings.text("rlnSymmetryGroup") or record.param("symmetry") or "C1"
    found = find_classes(folder, record.job, numbers, model.iteration if model is not None else 0)
    classes = load_classes(found, particles, iterations, events, symmetry, missing) if found is not None else None
    if classes is not None:
        model = replace(model, fsc=np.zeros(0)) if model is not None else None  # zeros: classes have no halves
        particles = searched_only(particles) if particles is not None else None
    coverage = _coverage(particles, classes, symmetry)
    named = map_files(folder, numbers[-1] if numbers else None) if maps and classes is None else []
    views = [missing.attempt(path.name, partial(read_views, title, path, with_surface=rank == 0)) for rank, (title, path) in enumerate(named)]
    post = (
        missing.attempt("postprocess.star", lambda: read_postprocess(folder / "postprocess.star"))
        if (folder / "postprocess.star").exists()
        else None
    )
    shown_maps = tuple(one for one in views if one is not None)
    return ReportData(
        folder=str(folder),
        state=state,
        record=record if job else _relion_record(record, folder, root, classes),
        iterations=iterations,
        model=model,
        particles=particles,
        maps=shown_maps,
        postprocess=post,
        coverage=coverage,
        symmetry=symmetry,
        settings=shown,
        join_resolution=_join(settings, record),
        converged=_converged(settings, model),
        missing=tuple(missing.sentences),
        classes=classes,
    )


def _of_micrographs(folder: Path, layout: Layout, state: State, record: Record, missing: Missing) -> ReportData:
    """A job on movies or micrographs has none of what a map has."""
    found = load_processed(folder, layout, read_events(folder), dict(record.params), state, missing)
    single = tuple(f"{name}: " for name in (*found.names, *(one.name for one in found.failures)))
    general = tuple(text for text in record.warnings if not single or not text.startswith(single))  # those of one micrograph are in its row
    named = replace(record, job=record.job or f"RELION {layout.kind}", warnings=general)
    return ReportData(
        folder=str(folder), state=state, record=named, iterations=(), model=None, particles=None, maps=(), postprocess=None, coverage=None,
        symmetry="C1", settings=(), join_resolution=NAN, converged=None, missing=tuple(missing.sentences), micrographs=found,
    )


def _coverage(particles: ParticleColumns | None, classes: Classes | None, symmetry: str) -> Coverage | None:
    """Of all particles where they share one map; several classes have their own, and 2D has none."""
    one_map = classes is None or (classes.dimensions == 3 and len(classes.rows) == 1)
    return fourier_coverage(particles.angles, symmetry) if particles is not None and one_map and particles.angles.size else None


def _newest_model(folder: Path, numbers: list[int]) -> Model | None:
    if (folder / "run_model.star").exists():
        return read_model(folder / "run_model.star", final=True, iteration=final_number(folder, numbers))
    return read_model(model_path(folder, numbers[-1]), final=False, iteration=numbers[-1]) if numbers else None


def final_number(folder: Path, numbers: list[int]) -> int:
    """The number of the last pass: named in the log, else one after the last that left files."""
    log = folder / "run.out"
    named = re.findall(r"iteration (\d+)", log.read_text("utf-8", "replace")) if log.exists() else []
    return max([int(one) for one in named[-1:]] + [numbers[-1] + 1 if numbers else 1])


def _newest_particles(folder: Path, numbers: list[int]) -> ParticleColumns | None:
    names = ["run_data.star", *(f"run_it{number:03d}_data.star" for number in reversed(numbers)), "particles.star"]
    for name in names:
        if (folder / name).exists():
            return read_particle_columns(folder / name)
    return None


def _iterations(folder: Path, model: Model | None) -> tuple[Iteration, ...]:
    rows = iterations_of_files(folder)
    return (*rows, final_iteration(folder, model.iteration)) if model is not None and model.final else rows


def _relion_record(record: Record, folder: Path, root: str, classes: Classes | None) -> Record:
    kind = "refinement" if classes is None else "starting model" if classes.initial else f"{classes.dimensions}D classification"
    program, arguments = read_command(folder, root)
    return replace(
        record,
        job=record.job or (f"RELION {kind}" if program else ""),
        version=record.version or program.partition("version ")[2],
        command=record.command or arguments,
    )


def _join(settings: Values, record: Record) -> float:
    joined = settings.number("rlnJoinHalvesUntilThisResolution")
    text = record.param("low_resolution_join")
    return joined if np.isfinite(joined) else float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else NAN


def _converged(settings: Values, model: Model | None) -> bool | None:
    value = settings.number("rlnHasConverged")
    return None if model is None or not np.isfinite(value) else bool(value)
