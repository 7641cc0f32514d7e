"""From the rows of the ctf job to its STAR file."""

from dataclasses import dataclass, replace

import numpy as np

from verglas.io import labels as L
from verglas.io.star_rows import text_column
from verglas.jobs.each import Outcome
from verglas.types import Defocus, Micrographs
from verglas.units import DEGREE

OURS = (L.CTF_IMAGE, L.CTF_ASTIGMATISM, L.CTF_MERIT, L.CTF_RESOLUTION, L.CTF_ICE, *L.TILT, *L.THICKNESS)


@dataclass(frozen=True)
class Fits:
    """The micrographs that go on, with their defocus; the others (and bad ones kept on request) by name with the reason."""

    table: Micrographs
    left_out: list[tuple[str, str]]


def fitted(micrographs: Micrographs, outcomes: list[Outcome], keep_bad: bool) -> Fits:
    """Columns of an earlier fit are replaced, all others are carried. Ice is written only if every spectrum reaches far enough to see it."""
    reasons = [one.reason or "failed" if one.row is None else str(one.row["fault"]) for one in outcomes]
    keep = np.array([one.row is not None and (keep_bad or not reason) for one, reason in zip(outcomes, reasons)], dtype=bool)
    rows = [one.row for one, kept in zip(outcomes, keep) if kept and one.row is not None]

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=np.float64)

    u, v = column("defocus_u"), column("defocus_v")
    defocus = Defocus(u, v, column("angle") * DEGREE, column("phase_shift") * DEGREE, np.zeros(len(u)), np.ones(len(u)))
    own = {L.CTF_IMAGE: text_column(str(row["image"]) for row in rows), L.CTF_ASTIGMATISM: u - v, L.CTF_MERIT: column("merit"),
           L.CTF_RESOLUTION: column("resolution")}
    if rows and all(row["ice"] is not None for row in rows):
        own[L.CTF_ICE] = column("ice")
    own |= _asked(rows, L.TILT, ("tilt", "tilt_axis", "tilt_error"), (0.0, 0.0, 90.0))
    own |= _asked(rows, L.THICKNESS, ("thickness", "thickness_error", "thickness_below"), (0.0, 0.0, 0.0))
    kept_rows = micrographs.take(np.flatnonzero(keep))
    carried = {label: values for label, values in kept_rows.extra.items() if label not in OURS}
    named = [(one.key, reason) for one, reason in zip(outcomes, reasons) if reason]
    return Fits(replace(kept_rows, extra=own | carried, defocus=defocus), named)


def _asked(rows: list[dict[str, object]], labels: tuple[str, ...], names: tuple[str, ...], unknown: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Columns of what was asked for beside the defocus; `unknown` where it could not be found."""
    if not any(names[-1] in row for row in rows):
        return {}
    return {label: np.array([other if row.get(name) is None else row[name] for row in rows], dtype=np.float64)
            for label, name, other in zip(labels, names, unknown)}


def extras(table: Micrographs) -> list[str]:
    """Lines of the log on tilt and thickness."""
    lines = []
    if L.TILT[0] in table.extra:
        angle, error = (np.asarray(table.extra[label], dtype=np.float64) for label in (L.TILT[0], L.TILT[2]))
        found = error < 90.0
        lines.append(f"tilt: {found.sum()} of {len(angle)} found" + (f", {angle[found].min():.1f} to {angle[found].max():.1f}° (standard error "
                     f"{np.median(error[found]):.1f}°)" if found.any() else ""))
    if L.THICKNESS[0] in table.extra:
        value, below = (np.asarray(table.extra[label], dtype=np.float64) for label in (L.THICKNESS[0], L.THICKNESS[2]))
        seen = value > 0
        line = f"thickness: {seen.sum()} of {len(value)} found"
        if seen.any():
            line += f", {value[seen].min():.0f} to {value[seen].max():.0f} Å"
        if not seen.all():
            line += f"; the rings of the others do not turn over: less than {np.median(below[~seen]):.0f} Å ({L.THICKNESS[2]}, median)"
        lines.append(line)
    return lines


def summary(table: Micrographs) -> str:
    """The line of the log."""
    assert table.defocus is not None
    mean, far = 0.5 * (table.defocus.u + table.defocus.v), np.asarray(table.extra[L.CTF_RESOLUTION], dtype=np.float64)
    astigmatism = np.median(table.defocus.u - table.defocus.v)
    return (f"{len(table)} micrographs: defocus {mean.min():.0f} to {mean.max():.0f} Å (median {np.median(mean):.0f}), astigmatism median "
            f"{astigmatism:.0f} Å, fit resolution median {np.median(far):.1f} Å (worst {far.max():.1f}); micrographs_ctf.star")
