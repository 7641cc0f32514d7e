"""The rows of a job on movies or micrographs: from rows.jsonl while it runs and after, else from the table of a finished job (RELION's too)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from verglas.io import labels as L
from verglas.io.coordinates import FILE, LIST
from verglas.io.micrographs_star import read_micrographs
from verglas.io.star import Table, read_star
from verglas.report.load_record import number
from verglas.report.micrograph_data import Column, Remark
from verglas.report.micrograph_kinds import FAINT, Layout, Row

HEAVY = "curves"
"""Key of a row that is read from its own file where it is shown, not kept for all micrographs."""


@dataclass(frozen=True)
class Rows:
    """done: (name, row) of each micrograph in the order in which they were finished; failed: with their reasons."""

    done: tuple[tuple[str, Row], ...] = ()
    failed: tuple[Remark, ...] = ()
    optics: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.done)


def read_lines(path: Path) -> Rows:
    """rows.jsonl: the last line of every micrograph counts; lines that are cut short are passed over."""
    found: dict[str, dict[str, Any]] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "key" in entry:
                row = entry.get("row")
                if isinstance(row, dict):
                    row.pop(HEAVY, None)
                found[str(entry["key"])] = entry
    done = tuple((name, entry["row"]) for name, entry in found.items() if isinstance(entry.get("row"), dict))
    failed = tuple(Remark(name, str(entry.get("failed") or "no reason was given")) for name, entry in found.items()
                   if not isinstance(entry.get("row"), dict))
    return Rows(done, failed)


def read_table(path: Path, kind: str) -> Rows:
    """A STAR file as rows of the shape that the job of this kind writes."""
    if kind == "picks":
        table = read_star(path).get(LIST)
        pairs = zip(table[L.MICROGRAPH_NAME], table[FILE]) if table is not None and L.MICROGRAPH_NAME in table and FILE in table else ()
        return Rows(tuple((str(name), {"listed": str(file)}) for name, file in pairs))
    if kind == "particles":
        return _of_particles(read_star(path).get("particles"))
    found = read_micrographs(path)
    groups = tuple(
        f"{one.name}: {one.voltage_kv:g} kV, Cs {one.cs_mm:g} mm, amplitude contrast {one.amplitude_contrast:g}, {one.pixel_size:g} Å/pixel, "
        f"{int((found.optics_index == k).sum()):,} of {len(found):,}" for k, one in enumerate(found.optics))
    columns = {label: column.tolist() for label, column in found.extra.items()}
    rows: list[dict[str, Any]] = [{label: values[i] for label, values in columns.items()} for i in range(len(found))]
    if kind == "motion":
        rows = [{"star": row | {L.MICROGRAPH_NAME: str(name)}} for row, name in zip(rows, found.name)]
    if kind == "ctf" and found.defocus is not None:
        u, v = found.defocus.u.tolist(), found.defocus.v.tolist()
        shift = np.degrees(found.defocus.phase_shift).tolist()
        named = {"resolution": L.CTF_RESOLUTION, "image": L.CTF_IMAGE, "merit": L.CTF_MERIT, "ice": L.CTF_ICE}
        rows = [{"defocus_u": u[i], "defocus_v": v[i], "phase_shift": shift[i], **{key: row.get(label) for key, label in named.items()}}
                for i, row in enumerate(rows)]
    return Rows(tuple((str(name), row) for name, row in zip(found.name, rows)), optics=groups)


def _of_particles(table: Table | None) -> Rows:
    """Particles counted by micrograph, or by stack where the micrographs are not known."""
    if table is None or L.IMAGE_NAME not in table:
        return Rows()
    by_micrograph = L.MICROGRAPH_NAME in table
    names = [str(one) for one in (table[L.MICROGRAPH_NAME] if by_micrograph else table[L.IMAGE_NAME])]
    counts: dict[str, int] = {}
    for name in names if by_micrograph else (one.partition("@")[2] or one for one in names):
        counts[name] = counts.get(name, 0) + 1
    return Rows(tuple((name, {"particles": count}) for name, count in counts.items()))


def columns_of(rows: Rows, layout: Layout) -> tuple[Column, ...]:
    """The quantities that at least one row has."""
    found = (Column(quantity, np.array([read(row) for _, row in rows.done], dtype=float)) for quantity, read in layout.quantities)
    return tuple(one for one in found if np.isfinite(one.values).any() and (one.quantity.name not in FAINT or np.nansum(np.abs(one.values)) > 0))


def remarks_of(rows: Rows) -> tuple[Remark, ...]:
    """Doubts about micrographs that were done: faults of a fit, warnings of motion correction."""
    found = []
    for name, row in rows.done:
        report = row.get("report")
        warned = report.get("warnings") if isinstance(report, Mapping) else None
        texts = [row.get("fault"), *(warned if isinstance(warned, list) else ())]
        found += [Remark(name, str(text)) for text in texts if text]
    return tuple(found)


def frame_steps(rows: Rows) -> np.ndarray:
    """(N, F) Å: lengths of the steps between frames, NaN beyond the last. Shifts are in px; their sum is the total motion, which is in Å."""
    found = []
    for _, row in rows.done:
        report, star = row.get("report"), row.get("star")
        shifts = report.get("shifts") if isinstance(report, Mapping) else None
        total = number(star.get("rlnAccumMotionTotal")) if isinstance(star, Mapping) else float("nan")
        found.append(steps_of(track_of(shifts), total))
    width = max((one.size for one in found), default=0)
    return np.array([np.pad(one, (0, width - one.size), constant_values=np.nan) for one in found]).reshape(len(found), width)


def track_of(shifts: object) -> np.ndarray:
    """(F, 2) of a list of pairs; empty when it is none, NaN for frames that are not known."""
    if not isinstance(shifts, list) or not all(isinstance(one, list) and len(one) == 2 for one in shifts):
        return np.zeros((0, 2))
    return np.array([[number(x), number(y)] for x, y in shifts], dtype=float).reshape(-1, 2)


def path_length(track: np.ndarray) -> float:
    """Sum of the lengths of the steps of a track (F, 2); frames that are not known count as no step."""
    return float(np.nansum(np.hypot(*np.diff(track, axis=0).T))) if len(track) > 1 else 0.0


def steps_of(track: np.ndarray, total: float) -> np.ndarray:
    """(F - 1,) lengths of the steps of a track (F, 2), scaled so that they add up to `total`; empty when nothing is known."""
    length = path_length(track)
    return np.hypot(*np.diff(track, axis=0).T) * (total / length) if length > 0 and np.isfinite(total) else np.zeros(0)
