"""The headline of a job on movies or micrographs: a sentence, a few numbers, and what to write in a paper."""

import numpy as np

from verglas.report.data import ReportData
from verglas.report.findings import Finding
from verglas.report.micrograph_data import Processed
from verglas.report.micrograph_sections import seconds_per_movie
from verglas.report.wording import duration

LEADING = {"motion": ("motion", "local"), "ctf": ("resolution", "defocus"), "picks": ("picks",), "particles": ("particles", "sigma")}
"""Medians of the headline by kind."""


def tiles(data: ReportData, found: Processed) -> tuple[tuple[str, str], ...]:
    """Names and values of the headline."""
    time = ("Time", duration(data.record.seconds))
    if found.kind == "live":
        return (("Movies", f"{sum(one.movies for one in found.rounds):,}"), ("Rounds", f"{len(found.rounds):,}"),
                ("Seconds per movie", f"{seconds_per_movie(found):.1f}" if found.rounds else "none yet"), time)
    medians = [(f"{one.quantity.title.partition(',')[0]} (median)", one.quantity.text(one.median))
               for name in LEADING.get(found.kind, ()) if (one := found.column(name)) is not None]
    failed = (("Failed", f"{len(found.failures):,}"),) if found.failures else ()
    return ((found.noun.capitalize(), done(found)), *failed, *whole(found), *medians, time)


def done(found: Processed) -> str:
    """'120 of 1,400', or '1,400' when there are no more."""
    count, total = len(found.names), found.total - len(found.failures)
    return f"{count:,} of {total:,}" if total > count else f"{count:,}"


def whole(found: Processed) -> tuple[tuple[str, str], ...]:
    """The number of all particles."""
    name = {"picks": "picks", "particles": "particles"}.get(found.kind, "")
    values = found.values(name)
    return (("Particles", f"{values.sum():,.0f}"),) if values.size else ()


def micrograph_verdict(data: ReportData, found: Processed, noted: tuple[Finding, ...]) -> str:
    """One plain sentence."""
    start = "So far: " if data.state == "running" else ""
    if found.kind == "live":
        return start + _live(found)
    if not found.names:
        if found.failures:
            return f"All {len(found.failures):,} {found.noun} failed."
        return f"No {found.noun} have been finished yet." if data.state == "running" else f"This folder holds no {found.noun}."
    sentence = found.counted(len(found.names)) + _what(found)
    warnings = sum(one.level == "warning" for one in noted)
    if not warnings:
        return start + sentence + "."
    return f"{start}{sentence}; {'one point needs' if warnings == 1 else f'{warnings} points need'} attention."


def _what(found: Processed) -> str:
    """What was reached, with medians."""
    match found.kind:
        case "motion":
            return _with(found, "motion", " moved by {} (median)")
        case "ctf":
            return _with(found, "resolution", " fitted to {} (median)") + _with(found, "defocus", " at a defocus of {}")
        case "picks":
            values = found.values("picks")
            return f" with {values.sum():,.0f} particles, {np.median(values):.0f} in each (median)" if values.size else " with picks"
        case "particles":
            return f" gave {found.values('particles').sum():,.0f} particle images"
        case _:
            return " imported"


def _with(found: Processed, name: str, text: str) -> str:
    column = found.column(name)
    return text.format(column.quantity.text(column.median)) if column is not None else ""


def _live(found: Processed) -> str:
    movies = sum(one.movies for one in found.rounds)
    latest: dict[str, int] = {}
    for one in found.rounds:
        latest |= dict(one.rows)
    particles = f", {latest['extract']:,} particles" if "extract" in latest else ""
    rounds = f"{len(found.rounds):,} round{'s' if len(found.rounds) > 1 else ''}"
    return f"{found.counted(movies)} in {rounds}{particles}." if found.rounds else "no round has ended yet."


def micrograph_methods(data: ReportData, found: Processed) -> str:
    """Plain text for a paper; what is not known is left out."""
    program = f"RELION {data.record.version}" if "relion" in data.record.job.lower() else f"verglas {data.record.version}"
    program, count, param = program.strip(), len(found.names), data.record.param
    if not count:
        return ""
    match found.kind:
        case "motion":
            dose = _given(param("dose_per_frame"), " with {} e/Å² per frame")
            patches = f" in {param('patches_x')} × {param('patches_y')} patches" if param("patches_x") else ""
            return f"{count:,} movies were corrected for motion{patches} and weighted for dose{dose} in {program}."
        case "ctf":
            span = np.percentile(found.values("defocus"), [2.5, 97.5]) if found.values("defocus").size else None
            far = f" (defocus {span[0]:.1f} to {span[1]:.1f} µm for 95 % of them)" if span is not None else ""
            return f"The CTFs of {count:,} micrographs were estimated{far} in {program}."
        case "picks":
            return f"{found.values('picks').sum():,.0f} particles were picked in {count:,} micrographs with {program}."
        case "particles":
            box = _given(param("box"), " in windows of {} pixels") + _given(param("rescale"), ", shrunk to {} pixels")
            return f"{found.values('particles').sum():,.0f} particles were extracted from {count:,} {found.noun}{box} with {program}."
        case _:
            return ""


def _given(value: str, text: str) -> str:
    return text.format(value) if value not in ("", "None", "0", "0.0") else ""
