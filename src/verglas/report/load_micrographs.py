"""The folder of a job on movies or micrographs, from motion correction to extraction, as Processed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from verglas.io.star import read_star
from verglas.report import load_shown
from verglas.report.data import State
from verglas.report.load_record import number, read_object
from verglas.report.load_rows import Rows, columns_of, frame_steps, read_lines, read_table, remarks_of
from verglas.report.micrograph_data import Column, Processed, Round, Sheet, Shown
from verglas.report.micrograph_kinds import Layout, layout_of
from verglas.report.missing import Missing

ROWS = "rows.jsonl"
SHOWN, SHOWN_RUNNING = 24, 8
"""Micrographs that have pictures; fewer while the job runs, so that its page is made quickly."""


def find_layout(folder: Path, job: Mapping[str, Any]) -> Layout | None:
    """What kind of job on micrographs this folder holds, None for jobs of another sort."""
    relion = ""
    if not job and (folder / "job.star").exists():
        attempt = Missing().attempt("job.star", lambda: str(read_star(folder / "job.star")["job"]["rlnJobTypeLabel"][0]))
        relion = attempt or ""
    return layout_of(str(job.get("job", "")), relion)


def load_processed(folder: Path, layout: Layout, events: list[dict[str, Any]], params: Mapping[str, str], state: State,
                   missing: Missing) -> Processed:
    """Everything; what cannot be read is named in `missing`."""
    rows = _rows(folder, layout, missing)
    if layout.kind == "live":
        return Processed("live", layout.noun, (), (), rounds=rounds_of(events), links=_links(folder))
    root = load_shown.find_root(folder, [*rows.names[:3], *(name for _, row in rows.done[:1] for name in texts_of(row))])
    if layout.kind == "picks":
        rows = load_shown.with_counts(folder, root, rows)
    columns = columns_of(rows, layout)
    count = SHOWN_RUNNING if state == "running" else SHOWN
    chosen = choose(next((one for one in columns if one.quantity.name == layout.leading), None), len(rows.done), count)
    shown = _shown(folder, root, layout, rows, chosen, params, missing)
    foms = missing.attempt("the figures of merit", lambda: load_shown.read_foms(folder, root, rows)) if layout.kind == "picks" else None
    threshold = next((one.median for one in columns if one.quantity.name == "threshold"), float("nan"))
    return Processed(
        layout.kind, layout.noun, rows.names, columns, rows.failed, remarks_of(rows), _total(events, rows), shown,
        frame_steps(rows) if layout.kind == "motion" else np.zeros((0, 0)), _sheet(folder, root, layout, rows, missing),
        foms if foms is not None else np.zeros(0), threshold, optics=rows.optics,
    )


def _rows(folder: Path, layout: Layout, missing: Missing) -> Rows:
    """Of the log of rows, else of the first table that is there."""
    found = None
    if (folder / ROWS).exists():
        found = missing.attempt(ROWS, lambda: read_lines(folder / ROWS))
    if found is not None:
        return found
    path = next((folder / name for name in layout.tables if (folder / name).exists()), None)
    return (missing.attempt(path.name, lambda: read_table(path, layout.kind)) if path is not None else None) or Rows()


def texts_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything in a row that can be the name of a file."""
    inner = row.get("star")
    return tuple(value for one in (row, inner) if isinstance(one, Mapping) for value in one.values() if isinstance(value, str) and value)


def _total(events: list[dict[str, Any]], rows: Rows) -> int:
    """How many there are to do: said when the work began."""
    said = [number(event.get("total")) for event in events if event.get("event") == "items"]
    known = len(rows.done) + len(rows.failed)
    return max(known, int(said[-1]) if said and np.isfinite(said[-1]) else 0)


def choose(leading: Column | None, rows: int, count: int) -> tuple[int, ...]:
    """Rows to show: all when they are few; else a third each of the worst, of the best, and evenly spread over the others."""
    if rows <= count:
        return tuple(range(rows))
    ends = np.zeros(0, dtype=int)
    if leading is not None and leading.quantity.worst:
        order = np.argsort(leading.values, kind="stable")[: int(np.isfinite(leading.values).sum())]
        third = min(count // 3, len(order) // 2)
        best, worst = order[:third], order[len(order) - third:][::-1]
        ends = np.concatenate([worst, best] if leading.quantity.worst == "high" else [best, worst])
    rest = np.setdiff1d(np.arange(rows), ends)
    spread = rest[np.unique(np.linspace(0, len(rest) - 1, count - len(ends)).round().astype(int))]
    return tuple(int(row) for row in (*ends, *spread))


def _shown(folder: Path, root: Path | None, layout: Layout, rows: Rows, chosen: tuple[int, ...], params: Mapping[str, str],
           missing: Missing) -> tuple[Shown, ...]:
    """The pictures that could be read; only the first problem of each kind is told."""
    found: list[Shown] = []
    problems = Missing()
    for row in chosen:
        name, numbers = rows.done[row]
        one = problems.attempt(name, lambda n=name, v=numbers, r=row: load_shown.read_shown(folder, root, layout.kind, r, n, v, params))  # type: ignore[misc]
        if one is not None:
            found.append(one)
    if problems.sentences:
        more = f" ({len(problems.sentences) - 1} more like it)" if len(problems.sentences) > 1 else ""
        missing.sentences.append(problems.sentences[0] + more)
    return tuple(found)


def _sheet(folder: Path, root: Path | None, layout: Layout, rows: Rows, missing: Missing) -> Sheet | None:
    if layout.kind != "particles" or not rows.done:
        return None
    return missing.attempt("the particle images", lambda: load_shown.read_sheet(folder, root, rows))


def rounds_of(events: list[dict[str, Any]]) -> tuple[Round, ...]:
    """Of live processing. The clock of a continued job starts again, so what came before is added."""
    found: list[Round] = []
    before = last = 0.0
    for event in events:
        time = number(event.get("time"))
        if not np.isfinite(time):
            continue
        before += last if time < last else 0.0
        last = time
        if event.get("event") == "round":
            rows, seconds = _pairs(event.get("rows")), _pairs(event.get("seconds"))
            found.append(Round(before + time, int(np.nan_to_num(number(event.get("movies")))),
                               tuple((name, int(np.nan_to_num(value))) for name, value in rows), seconds))
    return tuple(found)


def _pairs(value: object) -> tuple[tuple[str, float], ...]:
    return tuple((str(name), number(one)) for name, one in value.items()) if isinstance(value, dict) else ()


def _links(folder: Path) -> tuple[tuple[str, str], ...]:
    """(stage, address of its report from here) of the jobs of a chain."""
    folders = read_object(folder / "folders.json")
    found = []
    for stage, name in folders.items():
        root = load_shown.find_root(folder, [str(name)])
        report = None if root is None else root / str(name) / "report.html"
        if report is not None and report.exists():
            found.append((str(stage), os.path.relpath(report, folder)))
    return tuple(found)
