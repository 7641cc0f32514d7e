"""Sentences made from numbers: the verdict, the state, durations, and a methods paragraph for a paper."""

import numpy as np

from verglas.report.data import Classes, Record, ReportData
from verglas.report.findings import Finding, half_counts

STATES = {
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "aborted": "stopped",
    "killed": "killed",
    "unknown": "state unknown",
}


def state_words(data: ReportData) -> str:
    """'running, iteration 7' or 'finished'."""
    if data.state == "running" and data.iterations:
        return f"running, iteration {data.iterations[-1].number}"
    return STATES[data.state]


def duration(seconds: float) -> str:
    """'43 s', '2 min 05 s', '3 h 10 min'."""
    if not np.isfinite(seconds):
        return "not recorded"
    whole = round(seconds)
    if whole < 90:
        return f"{seconds:.3g} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def verdict(data: ReportData, found: tuple[Finding, ...]) -> str:
    """One plain sentence on how good the result is."""
    if data.classes is not None:
        return class_verdict(data, data.classes)
    warnings = sum(row.level == "warning" for row in found)
    if not np.isfinite(data.resolution):
        return (
            "No half maps have been compared yet."
            if data.state == "running"
            else "This folder holds no resolution estimate."
        )
    basis = "inside the mask, corrected for the mask's own effect" if data.postprocess is not None else "without a mask"
    start = f"The two independent halves agree to {data.resolution:.2f} Å {basis}"
    if data.state == "running":
        start = f"So far the two halves agree to {data.resolution:.2f} Å"
    limit = data.model.nyquist if data.model is not None else float("nan")
    if any("noise" in row.title for row in found):
        return "The halves do not agree beyond the resolution at which they are joined: this is not a structure yet."
    if data.resolution <= 1.05 * limit:
        start += ", which is as fine as the pixels allow"
    if not warnings:
        return start + (". Nothing unusual was found." if not found else ".")
    return (
        start
        + f"; {'one point needs' if warnings == 1 else f'{warnings} points need'} attention before this number is used."
    )


def class_verdict(data: ReportData, classes: Classes) -> str:
    """How the particles were sorted, in one or two sentences."""
    rows = classes.by_size
    if not rows:
        return "No classes have been written yet." if data.state == "running" else "This folder holds no classes."
    start = "So far: " if data.state == "running" else ""
    reached = f" to {data.resolution:.1f} Å" if np.isfinite(data.resolution) else ""
    if len(rows) == 1:
        return f"{start}{'A starting model' if classes.initial else 'One class'}{reached}, from {_count(data)}."
    half = int(np.searchsorted(np.cumsum([np.nan_to_num(row.share) for row in rows]), 0.5)) + 1
    most = f"the largest holds {100 * rows[0].share:.0f} %" if half == 1 else f"the largest {half} hold half of them"
    sentence = f"{_count(data)} in {len(rows)} classes; {most}."
    best = f" The best class reaches {data.resolution:.1f} Å." if np.isfinite(data.resolution) else ""
    return start + sentence + best


def _count(data: ReportData) -> str:
    return f"{len(data.particles):,} particles" if data.particles is not None and len(data.particles) else "All particles"


def methods_paragraph(data: ReportData) -> str:
    """Plain text for a paper, from what the folder records; a value that is not recorded is left out."""
    sentences = [
        _particles_sentence(data),
        _search_sentence(data),
        _halves_sentence(data),
        _resolution_sentence(data),
        _views_sentence(data),
    ]
    return " ".join(filter(None, sentences))


def _program(record: Record) -> str:
    if "relion" in record.job.lower():
        return f"RELION {record.version}".strip()
    return f"verglas {record.version}".strip()


def _particles_sentence(data: ReportData) -> str:
    rows = data.particles
    if rows is None:
        return ""
    optics = "; ".join(text.partition(": ")[2] for text in rows.optics[:3])
    flat = data.classes is not None and data.classes.dimensions == 2
    group = "" if data.symmetry == "C1" or flat else f" with {data.symmetry} symmetry imposed"
    where = f" from {rows.micrographs} micrographs" if rows.micrographs > 1 else ""
    done = "refined"
    if data.classes is not None:
        kind = f"classified in {data.classes.dimensions}D into {len(data.classes.rows)} classes"
        done = "used for a starting model" if data.classes.initial else kind
    return f"{len(rows):,} particle images{where} ({optics}) were {done}{group} in {_program(data.record)}."


def _search_sentence(data: ReportData) -> str:
    first = next((one for one in data.iterations if np.isfinite(one.angular_step_deg)), None)
    if first is None:
        return ""
    last = next(one for one in reversed(data.iterations) if np.isfinite(one.angular_step_deg))
    settings = dict(data.settings)
    lowpass, reference = record_number(data, "initial_lowpass"), data.record.param("reference").rpartition("/")[2]
    start = f"Starting from {reference or 'the reference map'}" + (
        f" low-pass filtered to {lowpass} Å, " if lowpass else ", "
    )
    if data.classes is not None and not reference:
        start = "Starting from the data alone, " if data.classes.initial or data.classes.dimensions == 2 else ""
    diameter = record_number(data, "mask_diameter") or settings.get("mask diameter (Å)", "")
    mask = f" in a circular mask of {diameter} Å" if diameter else ""
    steps = list(dict.fromkeys(f"{one.angular_step_deg:.2g}" for one in (first, last)))
    return (
        f"{start}{'poses' if start else 'Poses'} were searched by maximum a posteriori likelihood{mask} in steps of "
        f"{' to '.join(steps)} degrees over {last.number} iterations."
    )


def record_number(data: ReportData, name: str) -> str:
    """A parameter without needless decimals, "" when it is not a number."""
    try:
        return f"{float(data.record.param(name)):g}"
    except ValueError:
        return ""


def _halves_sentence(data: ReportData) -> str:
    one, two = half_counts(data.particles)
    if not one or not two:
        return ""
    joined = f", sharing only information below {data.join_resolution:g} Å" if np.isfinite(data.join_resolution) else ""
    return f"Two halves of {one:,} and {two:,} particles were refined independently{joined}."


def _resolution_sentence(data: ReportData) -> str:
    if not np.isfinite(data.resolution) or data.state == "running" or data.classes is not None:
        return ""
    post = data.postprocess
    if post is None:
        return (
            f"The resolution was {data.resolution:.2f} Å at a Fourier shell correlation of 0.143 between the "
            "unmasked half maps."
        )
    sharpened = (
        f", and the map was sharpened with a B-factor of {post.b_factor:.0f} Å²" if np.isfinite(post.b_factor) else ""
    )
    return (
        f"The resolution was {post.resolution:.2f} Å at a Fourier shell correlation of 0.143 between masked "
        "half maps, corrected by "
        "phase "
        f"randomisation{f' beyond {post.randomise_from:.1f} Å' if np.isfinite(post.randomise_from) else ''}{sharpened}."
    )


def _views_sentence(data: ReportData) -> str:
    cover = data.coverage
    return f"The evenness of Fourier coverage was {cover.evenness:.2f} (1 = even)." if cover is not None else ""
