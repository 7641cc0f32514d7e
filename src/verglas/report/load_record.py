"""What was run and how far it is: job.json, events.jsonl, exit markers."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from verglas.report.data import NAN, InputFile, Iteration, Record, State

MARKERS: tuple[tuple[str, State], ...] = (
    ("RELION_JOB_EXIT_SUCCESS", "finished"),
    ("RELION_JOB_EXIT_FAILURE", "failed"),
    ("RELION_JOB_EXIT_ABORTED", "aborted"),
)
OUTCOMES: dict[str, State] = {"SUCCESS": "finished", "FAILURE": "failed", "ABORTED": "aborted"}
_EVENT_NAMES = {
    "resolution": "resolution_A",
    "offset_range": "offset_range_A",
    "offset_step": "offset_step_A",
    "accuracy_trans": "accuracy_trans_A",
    "change_offsets": "change_offsets_A",
}
_CHANGES = ("change_angles_deg", "change_offsets")
NEVER = 900.0
"""Changes from here on mean that there is nothing to compare with yet."""
_LISTS = ("fsc", "class_sizes", "class_resolution", "class_flow")


def read_job(folder: Path) -> dict[str, Any]:
    """job.json, {} when there is none or it is not readable (RELION's folders have none)."""
    return read_object(folder / "job.json")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, {} when there is no such file or it holds something else."""
    return _object(path.read_text("utf-8", "replace")) if path.exists() else {}


def read_events(folder: Path) -> list[dict[str, Any]]:
    """The lines of events.jsonl that are whole; the last one may still be half written."""
    path = folder / "events.jsonl"
    lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    return [event for event in map(_object, lines) if event]


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def job_state(folder: Path, job: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> State:
    """By marker, else the process of job.json (gone: killed), else whether final files are there."""
    for name, state in MARKERS:
        if (folder / name).exists():
            return state
    if not job and not any(True for _ in events):
        return (
            "finished" if (folder / "run_model.star").exists() or (folder / "postprocess.star").exists() else "unknown"
        )
    return "running" if _alive(job) else "killed"


def _alive(job: Mapping[str, Any]) -> bool:
    """False only when the process of job.json is known to be gone from this machine."""
    hardware = job.get("hardware")
    host = hardware.get("host") if isinstance(hardware, dict) else None
    process = job.get("process")
    if host != platform.node() or not isinstance(process, int) or process <= 0:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def iterations_of_events(events: Iterable[Mapping[str, Any]], name: str = "iteration", key: str = "iteration") -> tuple[Iteration, ...]:
    """One row per number, field `key` of the events `name`; the latest event wins (a continued job repeats numbers)."""
    rows = {
        int(event[key]): _iteration(event, int(event[key]))
        for event in events
        if event.get("event") == name and np.isfinite(number(event.get(key)))
    }
    return tuple(rows[number] for number in sorted(rows))


def _iteration(event: Mapping[str, Any], count: int) -> Iteration:
    names = [one.name for one in fields(Iteration) if one.name not in ("number", "seconds", *_LISTS)]
    numbers = {name: number(event.get(_EVENT_NAMES.get(name, name))) for name in names}
    numbers |= {name: NAN for name in _CHANGES if numbers[name] >= NEVER}
    changes = numbers_of(event.get("rms_density_change"))
    if changes.size:
        numbers["rms_density_change"] = float(np.nanmax(changes)) if np.isfinite(changes).any() else NAN
    seconds = event.get("seconds")
    return Iteration(
        number=count,
        fsc=numbers_of(event.get("fsc")),
        class_sizes=numbers_of(event.get("class_sizes")),
        class_resolution=numbers_of(event.get("class_resolution_A")),
        class_flow=matrix_of(event.get("class_flow")),
        seconds=tuple((str(name), number(value)) for name, value in seconds.items())
        if isinstance(seconds, dict)
        else (),
        **numbers,
    )


def number(value: object) -> float:
    """A float, NaN for anything that is not a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else NAN


def numbers_of(value: object) -> np.ndarray:
    """(n,) from a list, NaN for what is not a number in it; empty for anything else."""
    return np.array([number(one) for one in value] if isinstance(value, list) else [], dtype=float)


def matrix_of(value: object) -> np.ndarray:
    """(n, m) from a list of equally long lists, else (0, 0)."""
    rows = [numbers_of(row) for row in value] if isinstance(value, list) else []
    whole = bool(rows) and rows[0].size > 0 and all(row.size == rows[0].size for row in rows)
    return np.stack(rows) if whole else np.zeros((0, 0))


def make_record(job: Mapping[str, Any], events: list[dict[str, Any]], state: State) -> Record:
    """job.json and events as a Record; every value is text of unknown origin and is escaped when shown."""
    end: Mapping[str, Any] = next((event for event in reversed(events) if event.get("event") == "end"), {})
    said = (event for event in events if event.get("event") == "warning" and event.get("in_report", True))
    warnings = dict.fromkeys(str(event.get("text", "")) for event in said)
    inputs = job.get("inputs")
    return Record(
        job=str(job.get("job", "")),
        version=str(job.get("version", "")),
        command=str(job.get("command", "")),
        started=str(job.get("started", "")),
        seconds=_elapsed(job, events, end, state),
        peak_memory_gb=number(end.get("peak_memory_gb")),
        params=_pairs(job.get("params")),
        resources=_pairs(job.get("resources")),
        hardware=_pairs(job.get("hardware"))
        + _pairs({name: job[name] for name in ("python", "torch", "numpy") if name in job}),
        inputs=tuple(_input(row) for row in inputs if isinstance(row, dict)) if isinstance(inputs, list) else (),
        warnings=tuple(filter(None, warnings)),
    )


def _elapsed(job: Mapping[str, Any], events: list[dict[str, Any]], end: Mapping[str, Any], state: State) -> float:
    """Seconds of the whole job: said by its end; while it runs since its start; else the last event."""
    if state != "running" and np.isfinite(number(end.get("seconds"))):
        return number(end["seconds"])
    try:
        started = datetime.fromisoformat(str(job.get("started", "")))
    except ValueError:
        started = None
    if state == "running" and started is not None:
        return (datetime.now(started.tzinfo) - started).total_seconds()
    times = [number(event.get("time", event.get("t"))) for event in events]
    return max(times) - min(0.0 if max(times) < 1e8 else max(times), *times) if times else NAN


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple((str(name), "" if one is None else str(one)) for name, one in value.items())


def _input(row: Mapping[str, Any]) -> InputFile:
    size = row.get("bytes")
    return InputFile(
        str(row.get("path", "")),
        size if isinstance(size, int) else 0,
        str(row.get("sha256", "")),
        str(row.get("hashed", "")),
    )
