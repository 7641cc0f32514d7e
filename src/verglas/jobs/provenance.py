"""job.json: what was run, with what, on what, and where the inputs came from."""

import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verglas.errors import DataError
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.journal import plain
from verglas.jobs.spec import Job, JobParams, input_files
from verglas.runtime.resources import Resources, hardware
from verglas.version import VERSION

WHOLE_FILE_LIMIT = 64 * 1024**2
END_BYTES = 1024**2


def fingerprint(path: Path) -> dict[str, object]:
    """Size and sha256 of a file; above 64 MiB the hash covers size, mtime, first and last MiB, and `hashed` says so."""
    import hashlib

    stat = path.stat()
    row: dict[str, object] = {"path": str(path), "bytes": stat.st_size}
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if stat.st_size <= WHOLE_FILE_LIMIT:
            digest.update(file.read())
            return row | {"sha256": digest.hexdigest(), "hashed": "whole file"}
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode() + file.read(END_BYTES))
        file.seek(-END_BYTES, os.SEEK_END)
        digest.update(file.read(END_BYTES))
    return row | {"sha256": digest.hexdigest(), "hashed": "size, mtime, first and last MiB"}


def record(job: Job, params: JobParams, resources: Resources, command: str, extra: tuple[Path, ...]) -> dict[str, Any]:
    """The content of job.json; `extra`: input files found through the parameters (image stacks)."""
    named = [{"option": flag, **fingerprint(path)} for flag, path in input_files(params) if path.is_file()]
    found = [fingerprint(path) for path in extra if path.is_file()]
    return {
        "job": job.name, "version": VERSION, "command": command, "params": params.model_dump(mode="json"),
        "resources": asdict(resources), "hardware": hardware(resources), "inputs": [*named, *found],
        "started": datetime.now(UTC).astimezone().isoformat(timespec="seconds"), "process": os.getpid(),
        "python": sys.version.split()[0], "torch": _installed("torch"), "numpy": _installed("numpy"),
    }


def earlier_runs(folder: Path) -> list[dict[str, Any]]:
    """Command, start and resources of the runs that are being continued, oldest first; none where another program made the folder."""
    if not (folder / JOB_FILE).exists():
        return []
    last = read_record(folder)
    return [*last.get("earlier", []), {name: last.get(name) for name in ("command", "started", "version", "resources")}]


def _installed(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def write_record(folder: Path, content: dict[str, Any]) -> None:
    """Write job.json."""
    from verglas.io.atomic import atomic_path

    with atomic_path(folder / JOB_FILE) as path:
        path.write_text(json.dumps(content, indent=1, default=plain, ensure_ascii=False) + "\n", encoding="utf-8")


SHAPE: dict[str, type] = {
    "job": str, "params": dict, "inputs": list, "resources": dict, "hardware": dict, "started": str, "version": str, "command": str, "process": int,
}
"""What the readers of job.json rely on, where it is there."""


def read_record(folder: Path) -> dict[str, Any]:
    """job.json of an earlier run."""
    path = folder / JOB_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        wrong = _misshapen(found)
        if wrong:
            raise ValueError(wrong)
        return dict(found)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"unreadable: {error}", where=str(path), remedy="give the folder of a verglas job") from error


def _misshapen(found: Any) -> str:
    """What is not as it should be, "" when all is."""
    if not isinstance(found, dict):
        return f"a {type(found).__name__}, expected names with values"
    for name, kind in SHAPE.items():
        if name in found and not isinstance(found[name], kind):
            return f"{name} is a {type(found[name]).__name__}, expected a {kind.__name__}"
    if not all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in found.get("inputs", ())):
        return "inputs without a path"
    return "" if isinstance(found.get("hardware", {}).get("host", ""), str) else "the host has no name"
