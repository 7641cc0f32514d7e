"""Cleaning: what a finished job keeps only for going back. Files move to Trash, so that nothing is lost before that is emptied."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import InputError
from verglas.project.graph import descendants
from verglas.project.layout import TRASH
from verglas.project.state import standing
from verglas.types.pipeline import Pipeline

PROTECTED = "NO_HARSH_CLEAN"
ITERATION = re.compile(r"run_(?:ct\d+_)?it(\d+)_")
IMAGES = (".mrc", ".mrcs", ".tif", ".tiff", ".eer", ".npy", ".npz", ".pt")


@dataclass(frozen=True)
class CleanPlan:
    """`files` (from the project's folder) that go, and their size; `kept`: why none go, in words."""

    job: str
    files: tuple[str, ...] = ()
    bytes: int = 0
    kept: str = ""


def plan(root: Path, pipeline: Pipeline, name: str, harsh: bool) -> CleanPlan:
    """Gentle: files of all iterations but the last. Harsh: also images, which the job can make again from what it was given.

    What the job hands on, what another job reads, tables, logs and records stay.
    """
    folder = root / name
    now = standing(folder, next(one.state for one in pipeline.processes if one.name == name))
    if now is None or now.state in ("Running", "Scheduled"):
        return CleanPlan(name)
    if harsh and (folder / PROTECTED).exists():
        return CleanPlan(name, kept=f"{PROTECTED} is there, left alone")
    busy = [one.name for one in pipeline.processes if one.state in ("Running", "Scheduled") and one.name in set(descendants(pipeline, name))]
    if harsh and busy:
        return CleanPlan(name, kept=f"{busy[0]} is not finished and needs it, left alone")
    keep = {node for process, node in pipeline.outputs if process == name} | {node for node, _ in pipeline.inputs}
    paths = [path for path in _files(folder) if str(path.relative_to(root)) not in keep]
    gone = [path for path in paths if path in _earlier(paths) or (harsh and path.suffix in IMAGES)]
    return CleanPlan(name, tuple(str(path.relative_to(root)) for path in gone), sum(path.stat().st_size for path in gone))


def _files(folder: Path) -> Iterator[Path]:
    """Links are not followed: what they lead to belongs to somebody else."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink() and not path.name.startswith("."))


def _earlier(paths: list[Path]) -> set[Path]:
    """Files of iterations before the last one of their folder."""
    numbers = {path: int(found[1]) for path in paths if (found := ITERATION.match(path.name))}
    last: dict[Path, int] = {}
    for path, number in numbers.items():
        last[path.parent] = max(last.get(path.parent, 0), number)
    return {path for path, number in numbers.items() if number < last[path.parent]}


def carry_out(root: Path, planned: CleanPlan) -> None:
    """Move the files to Trash, at the same place below it."""
    for file in planned.files:
        source, target = root / file, root / TRASH / file
        if not source.resolve().is_relative_to((root / planned.job).resolve()):
            raise InputError("leads out of its job folder", where=file, remedy="nothing is moved through a link")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def cleaned(root: Path) -> dict[str, tuple[str, ...]]:
    """Job -> its files that cleaning has moved to Trash; deleted jobs, which are there with their folder, do not count."""
    folders = sorted(path for path in (root / TRASH).glob("*/job[0-9]*") if (root / path.relative_to(root / TRASH)).is_dir())
    return {str(one.relative_to(root / TRASH)): tuple(str(path.relative_to(root / TRASH)) for path in _files(one)) for one in folders}


def put_back(root: Path, name: str) -> tuple[str, ...]:
    """Undo the cleaning of a job; the files that came back. One that the job has made again since stays in Trash."""
    came = []
    for file in cleaned(root).get(name, ()):
        if not (root / file).exists() and (root / file).parent.resolve().is_relative_to((root / name).resolve()):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / TRASH / file).replace(root / file)
            came.append(file)
    for folder in sorted((root / TRASH / name).rglob("*"), reverse=True):
        if folder.is_dir():
            with suppress(OSError):
                folder.rmdir()
    with suppress(OSError):
        (root / TRASH / name).rmdir()
    return tuple(came)
