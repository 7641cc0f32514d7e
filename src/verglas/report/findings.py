"""What a careful colleague would point out, in plain words: each check is one function of the data -> findings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from verglas.report.data import Model, ParticleColumns, ReportData
from verglas.report.plots_fsc import GOLD, shell_frequencies


@dataclass(frozen=True)
class Finding:
    """`title`: what was found, with the number; `advice`: what it means and what to do."""

    level: Literal["warning", "note"]
    title: str
    advice: str


Check = Callable[[ReportData], Iterator[Finding]]


def warning(title: str, advice: str) -> Finding:
    """Something that has to be looked at before the result is used."""
    return Finding("warning", title, advice)


def note(title: str, advice: str) -> Finding:
    """Something worth knowing."""
    return Finding("note", title, advice)


def findings(data: ReportData, checks: Iterable[Check] | None = None) -> tuple[Finding, ...]:
    """All of them, warnings first."""
    rows = [finding for check in (REFINEMENT if checks is None else checks) for finding in check(data)]
    rows += [warning(text, "Said by the job while it ran.") for text in data.record.warnings]
    return tuple(sorted(rows, key=lambda row: row.level != "warning"))


def half_counts(rows: ParticleColumns | None) -> tuple[int, int]:
    """Particles of half 1 and of half 2."""
    return (int(np.sum(rows.half == 1)), int(np.sum(rows.half == 2))) if rows is not None else (0, 0)


def _with_fsc(data: ReportData, shells: int) -> Model | None:
    """The model when its FSC is long enough to be judged."""
    return data.model if data.model is not None and data.model.fsc.size >= shells else None


OUTCOMES = {
    "failed": "The job ended with an error",
    "aborted": "The job was stopped before its end",
    "killed": "The job's process is gone and left no exit marker",
}


def unfinished(data: ReportData) -> Iterator[Finding]:
    if data.state in OUTCOMES:
        job = data.record.job if data.classes is not None and data.record.job else "refine3d"
        yield warning(
            OUTCOMES[data.state],
            f"The numbers are those of the last iteration that was written. run.err says why; verglas {job} --continue goes on from there.",
        )


def _cut_short(data: ReportData) -> Iterator[Finding]:
    if data.state == "finished" and (data.converged is False or _at_the_limit(data)):
        yield warning(
            "The refinement ended at its number of iterations, not because it had converged",
            "Poses or resolution may still improve. Run it again without a limit on the iterations.",
        )


def _at_the_limit(data: ReportData) -> bool:
    """The last iteration is the one that --max-iterations named."""
    limit = data.record.param("max_iterations")
    return limit.isdigit() and int(limit) > 0 and bool(data.iterations) and data.iterations[-1].number >= int(limit)


def _never_falls(data: ReportData) -> Iterator[Finding]:
    if (model := _with_fsc(data, 8)) is None:
        return
    tail = model.fsc[-4:]
    if model.fsc[model.fsc.size // 2 :].min() > GOLD and tail.mean() > 0.3:
        yield warning(
            f"The FSC never falls below 0.143 (it is {tail.mean():.2f} at the last shells)",
            "Either the pixels are too coarse for these data, or the two halves are not independent: duplicated particles in both "
            "halves, or one mask multiplied into both maps. Look for duplicates, then extract with smaller pixels.",
        )


def _at_nyquist(data: ReportData) -> Iterator[Finding]:
    model = data.model
    if model is None or not np.isfinite(data.resolution) or data.resolution > 1.05 * model.nyquist:
        return
    yield note(
        f"The resolution is limited by the pixel size (Nyquist {model.nyquist:.2f} Å)",
        "The data may hold more. Extract the particles again with less binning and refine once more.",
    )


def _noise(data: ReportData) -> Iterator[Finding]:
    """FSC beyond the joined low resolutions has to stand out from zero somewhere."""
    if (model := _with_fsc(data, 8)) is None:
        return
    s = shell_frequencies(model.fsc.size, model.box, model.pixel_size)
    start = 1.0 / data.join_resolution if np.isfinite(data.join_resolution) and data.join_resolution > 0 else s[2]
    beyond = model.fsc[(s > start * 1.05)]
    if beyond.size >= 3 and float(np.max(np.convolve(beyond, np.ones(3) / 3, "valid"))) < 0.2:
        yield warning(
            f"Beyond {1 / start:.0f} Å the two halves do not agree: their FSC is noise",
            "There is no structure in this map that the data confirm. Suspect wrong particles, inverted contrast, wrong CTF values "
            "or a wrong pixel size before anything else.",
        )


def _rises_again(data: ReportData) -> Iterator[Finding]:
    if (model := _with_fsc(data, 12)) is None:
        return
    below = np.flatnonzero(model.fsc < GOLD)
    if below.size and model.fsc[below[0] :].max() > 0.3:
        at = below[0] + int(np.argmax(model.fsc[below[0] :]))
        yield warning(
            f"The FSC falls below 0.143 and rises again to {model.fsc[at]:.2f} at {model.box * model.pixel_size / at:.1f} Å",
            "Noise that both halves share does this: duplicates, a sharp mask, hot pixels or interpolation. "
            "The true resolution is where it first crosses.",
        )


def preferred_views(data: ReportData) -> Iterator[Finding]:
    cover = data.coverage
    if cover is None or cover.evenness >= 0.8:
        return
    say = warning if cover.evenness < 0.5 or cover.empty > 0.05 else note
    yield say(
        f"Views are uneven: coverage of Fourier space is {cover.evenness:.2f} (1 = even)",
        f"{100 * cover.empty:.0f} % of all directions get less than a tenth of the average signal, so the resolution differs with "
        "direction and densities look stretched. Collect with tilt, or thin out the crowded views.",
    )


def flat_posterior(data: ReportData) -> Iterator[Finding]:
    pmax = _mean_pmax(data)
    if pmax < 0.1:
        yield warning(
            f"Poses are uncertain: the best pose of a particle has only {100 * pmax:.0f} % probability on average",
            "The posterior is nearly flat: small or very noisy particles, many junk images, or an early iteration. "
            + ("Check mask diameter and CTF." if data.classes is not None else "Classify first, or check mask diameter and CTF."),
        )


def _mean_pmax(data: ReportData) -> float:
    if data.particles is not None and data.particles.pmax.size:
        return float(np.nanmean(data.particles.pmax))
    return data.model.ave_pmax if data.model is not None else float("nan")


def group_scales(data: ReportData) -> Iterator[Finding]:
    if data.model is None or not data.model.group_scales.size:
        return
    scales = data.model.group_scales
    odd = np.flatnonzero((scales < 0.4) | (scales > 2.5))
    if odd.size:
        worst = odd[np.argmax(np.abs(np.log(np.maximum(scales[odd], 1e-3))))]
        name = data.model.group_names[worst] if worst < len(data.model.group_names) else str(worst + 1)
        yield warning(
            f"{odd.size} of {scales.size} groups have an extreme intensity scale (worst: {name}, {scales[worst]:.2f})",
            "Their images do not match the map: thick ice, wrong defocus, contamination or inverted contrast. Look at those micrographs.",
        )


def norms(data: ReportData) -> Iterator[Finding]:
    norm = data.particles.norm if data.particles is not None else np.zeros(0)
    if norm.size < 20 or np.ptp(norm) == 0:
        return
    ratio = norm / np.median(norm)
    share = float(np.mean((ratio > 2.0) | (ratio < 0.5)))
    if share > 0.02:
        yield warning(
            f"{100 * share:.0f} % of the particles have more than twice or less than half the usual noise",
            "Usually carbon edges, ice or overlapping particles. Remove them by their rlnNormCorrection and refine again.",
        )


def duplicates(data: ReportData) -> Iterator[Finding]:
    rows = data.particles
    if rows is None or not rows.duplicates:
        return
    across = rows.duplicates_across_halves
    yield warning(
        f"{rows.duplicates} particles occur more than once" + (f", {across} of them in both halves" if across else ""),
        "Images shared by the halves make the FSC too good; copies in one half count noise as signal. Remove the duplicates."
        if across
        else "Copies count their noise as signal. Remove the duplicates.",
    )


def _unequal_halves(data: ReportData) -> Iterator[Finding]:
    one, two = half_counts(data.particles)
    if one and two and abs(one - two) > max(0.1 * (one + two), 3 * np.sqrt(one + two)):
        yield note(
            f"The halves are unequal: {one} and {two} particles",
            "The FSC then underestimates the map. Draw new halves.",
        )


def far_offsets(data: ReportData) -> Iterator[Finding]:
    rows, model = data.particles, data.model
    if rows is None or model is None or not len(rows.origin):
        return
    edge = 0.25 * model.box * model.pixel_size
    share = float(np.mean(np.linalg.norm(rows.origin, axis=1) > edge))
    if share > 0.02:
        yield note(
            f"{100 * share:.0f} % of the particles sit more than {edge:.0f} Å off the centre of their box",
            "Extract them again with recentring, so that no density is cut off.",
        )


def _tight_mask(data: ReportData) -> Iterator[Finding]:
    post = data.postprocess
    if post is None or not post.randomised.size or not np.isfinite(post.resolution):
        return
    shell = int(np.argmin(np.abs(post.frequency - 1.0 / post.resolution)))
    value = float(post.randomised[max(0, shell - 1) : shell + 2].mean())
    if value > 0.1:
        yield warning(
            f"The mask alone makes an FSC of {value:.2f} at the resolution",
            "Maps with random phases should give about 0 there: the mask is too tight or too sharp. Widen it or soften its edge.",
        )


REFINEMENT: tuple[Check, ...] = (
    unfinished,
    _cut_short,
    _noise,
    _never_falls,
    _rises_again,
    duplicates,
    _tight_mask,
    preferred_views,
    flat_posterior,
    group_scales,
    norms,
    _unequal_halves,
    far_offsets,
    _at_nyquist,
)
