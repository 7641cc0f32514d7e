"""What a careful colleague would point out of a job on movies or micrographs: each check is one function of the data -> findings."""

from collections.abc import Iterator

import numpy as np

from verglas.report.data import ReportData
from verglas.report.findings import Finding, note, warning
from verglas.report.micrograph_data import Processed

FAR, FAR_EARLY, COARSE, ASTIGMATIC, ICY, FLAT_SHARE = 20.0, 8.0, 8.0, 1500.0, 0.3, 0.01
"""Limits of motion, early motion, resolution, astigmatism (Å), of the ice ring over its surroundings, and of the share of flat images."""
SHARE = 0.05
"""Of the micrographs that has to be doubtful before a word is said."""
OUTCOMES = {
    "failed": "The job ended with an error", "aborted": "The job was stopped before its end",
    "killed": "The job's process is gone and left no exit marker",
}


def _data(data: ReportData) -> Processed:
    assert data.micrographs is not None
    return data.micrographs


def unfinished(data: ReportData) -> Iterator[Finding]:
    if data.state in OUTCOMES:
        yield warning(OUTCOMES[data.state],
                      f"run.err says why; all that was finished is kept, and verglas {data.record.job or 'JOB'} --continue goes on from there.")


def failures(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    every = len(found.failures) + len(found.names)
    if found.failures:
        share = 100 * len(found.failures) / every
        first = found.failures[0]
        yield warning(f"{len(found.failures):,} of {every:,} {found.noun} failed ({share:.0f} %)",
                      f"{first.name}: {first.plain}. All are listed below; --continue does them again once the cause is mended.")


def doubts(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    if found.remarks:
        count = len({one.name for one in found.remarks})
        first = found.remarks[0]
        yield warning(f"{found.counted(count)} {'is' if count == 1 else 'are'} doubtful",
                      f"{first.name}: {first.plain}. Sort the table by its last column to see all.")


def _beyond(found: Processed, name: str, limit: float) -> float:
    """Percent of the known values of a quantity that are beyond the limit; 0 where no more than SHARE of them are."""
    values = found.values(name)
    many = int((values > limit).sum())
    return 100 * many / values.size if values.size and many > SHARE * values.size else 0.0


def motion(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    if percent := _beyond(found, "motion", FAR):
        yield warning(f"{percent:.0f} % of the movies move more than {FAR:.0f} Å",
                      "High frequencies are lost within single frames. Let the stage settle longer before exposing, look for broken ice, and "
                      "check the grid's contact; leave the worst movies out.")
    if percent := _beyond(found, "early", FAR_EARLY):
        yield note(f"{percent:.0f} % of the movies move more than {FAR_EARLY:.0f} Å within the first 4 e/Å²",
                   "These frames hold the least damaged signal. Supports of gold move less than carbon; per-particle polishing wins some of it back.")


def resolution(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    if percent := _beyond(found, "resolution", COARSE):
        yield warning(f"{percent:.0f} % of the micrographs have CTF fits worse than {COARSE:.0f} Å",
                      "Thick ice, motion, or no specimen there. Sort the table by resolution, look at the worst pictures, and leave them out.")


def lens(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    astigmatism = found.values("astigmatism")
    if astigmatism.size and np.median(astigmatism) > ASTIGMATIC:
        yield warning(f"Half of the micrographs have more than {np.median(astigmatism):,.0f} Å of astigmatism",
                      "It is corrected for, but the microscope should be aligned; a wrong pixel size or a distorted magnification looks the same.")
    defocus = found.values("defocus")
    if defocus.size >= 10 and float(np.ptp(np.percentile(defocus, [5, 95]))) < 0.2:
        yield note(f"All micrographs have nearly the same defocus ({np.median(defocus):.2f} µm)",
                   "Information is missing at the zeros of the CTF, which are the same in all. Vary the defocus by 1 µm or more.")
    if defocus.size and np.median(defocus) > 3.5:
        yield note(f"The defocus is high (median {np.median(defocus):.1f} µm)",
                   "High resolution suffers and boxes must be larger. 0.5 to 2.5 µm is usual.")


def ice(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    if data.record.job != "ctf":
        return
    if percent := _beyond(found, "ice", ICY):
        yield warning(f"{percent:.0f} % of the micrographs have a strong ice ring at 3.7 Å",
                      "Crystalline ice: devitrified, or contamination on the grid. Leave these out by the column rlnCtfIceRingDensity.")


def picks(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    if found.kind not in ("picks", "particles"):
        return
    counts = found.values("picks") if found.kind == "picks" else found.values("particles")
    if not counts.size:
        return
    empty = int((counts == 0).sum())
    if found.kind == "picks" and empty > SHARE * counts.size:
        yield warning(f"Nothing was picked in {empty:,} of {counts.size:,} micrographs",
                      "Look at some of them: bad ice, or a threshold that is too high (--threshold lowers it).")
    if np.median(counts) < 10 and counts.size >= 3:
        yield warning(f"Few particles: {np.median(counts):.0f} per micrograph (median)",
                      "Check the diameter, the contrast (--white for bright particles), and how thick the ice is; then lower the threshold.")
    false = found.column("false")
    picked = found.column("picks")
    if false is not None and picked is not None and np.nansum(picked.values) > 0:
        share = float(np.nansum(false.values) / np.nansum(picked.values))
        if share > 0.15:
            yield warning(f"About {100 * share:.0f} % of the picks are expected to be false",
                          "Raise --threshold, or let 2D classification sort them out.")


def flat(data: ReportData) -> Iterator[Finding]:
    found = _data(data)
    count, total = float(found.values("flat").sum()), float(found.values("particles").sum())
    if count > FLAT_SHARE * max(total, 1.0):
        yield warning(f"{count:,.0f} of {total:,.0f} images have a flat background",
                      "Their windows lie outside the picture. Leave them out with --edge drop.")
    sigma = found.values("sigma")
    if sigma.size >= 10 and float(sigma.max()) > 2.0 * float(np.median(sigma)):
        yield note(f"The background of {int((sigma > 2 * np.median(sigma)).sum())} micrographs is more than twice as strong as usual",
                   "Another detector setting, gold or contamination; sort the table by background σ and look at them.")


def lagging(data: ReportData) -> Iterator[Finding]:
    """Live: a stage with far fewer rows than movies came in."""
    found = _data(data)
    if not found.rounds:
        return
    latest: dict[str, int] = {}
    for one in found.rounds:
        latest |= dict(one.rows)
    start = latest.get("import", 0)
    for name in ("motioncorr", "ctf", "pick"):
        done = latest.get(name, 0)
        if start >= 5 and done < (1 - 2 * SHARE) * start:
            yield warning(f"{name} has {done:,} of {start:,} movies", "Movies failed or were left out there; the report of that job says which.")
            return


CHECKS = (unfinished, failures, doubts, motion, resolution, lens, ice, picks, flat, lagging)
