"""Where things are in a project: RELION's layout, with .verglas for what RELION does not know."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from verglas.errors import InputError
from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.io.project_lock import locked
from verglas.jobs.folder import PIPELINE, explain_os_error
from verglas.types.pipeline import Pipeline

HIDDEN, TRASH = ".verglas", "Trash"
JOB_NAME = re.compile(r"job(\d{3,})")


def find_root(folder: Path | str = Path()) -> Path | None:
    """The project that a folder lies in: the nearest one upwards with a default_pipeline.star. A copy in a job folder does not count."""
    start = Path(folder).absolute()
    return next((one for one in (start, *start.parents) if (one / PIPELINE).is_file() and not _in_job(one)), None)


def _in_job(folder: Path) -> bool:
    """RELION leaves a default_pipeline.star in its job folders."""
    return bool(JOB_NAME.fullmatch(folder.name)) and ((folder / "job.star").exists() or (folder / "note.txt").exists())


def require_root(folder: Path | str = Path()) -> Path:
    root = find_root(folder)
    if root is None:
        raise InputError(f"no project here or above: no {PIPELINE}", where=str(Path(folder).absolute()),
                         remedy="make one with `verglas project new`, or give --project")
    return root


def create_project(folder: Path) -> Path:
    """An empty project that RELION opens too. Job folders that are there already are taken in by the next sync."""
    if (folder / PIPELINE).exists():
        raise InputError("is a project already", where=str(folder), remedy="open it, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HIDDEN).mkdir(exist_ok=True)
        with locked(folder):
            write_pipeline(folder / PIPELINE, Pipeline())
    except OSError as error:
        raise explain_os_error(error) or error from error
    return folder.absolute()


def job_folders(root: Path) -> Iterator[str]:
    """Refine3D/job012 and all others, in no order. Folders that were moved elsewhere and linked here count; aliases do not."""
    for kind in _folders(root):
        if kind.name not in (TRASH, "ExportJobs") and not kind.name.startswith("."):
            for job in _folders(Path(kind.path)):
                if JOB_NAME.fullmatch(job.name):
                    yield f"{kind.name}/{job.name}"


def _folders(path: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return [one for one in entries if is_folder(one)]
    except PermissionError:
        return []


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether it is one, or a link to one; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def number_of(name: str) -> int:
    """12 of Refine3D/job012."""
    found = JOB_NAME.fullmatch(name.rpartition("/")[2])
    return int(found[1]) if found else 0


def find_name(pipeline: Pipeline, wish: str | int) -> str:
    """The job that is meant by 12, "12", "job012", "Refine3D/job012/" or its alias ("Refine3D/best", "best")."""
    text = str(wish).rstrip("/")
    number = int(text) if text.isdigit() else number_of(text)
    exact = [one.name for one in pipeline.processes if text in (one.name, one.alias) and text]
    loose = [one.name for one in pipeline.processes
             if (number and "/" not in text and one.number == number) or (one.alias and one.alias.rpartition("/")[2] == text)]
    found = exact or loose
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{wish!r} may be {' or '.join(found)}", remedy="give the name with its folder")
    last = ", ".join(one.name for one in pipeline.processes[-5:])
    raise InputError(f"there is no job {wish!r}" + (f"; the last ones are {last}" if last else "; the project is empty"),
                     remedy="see `verglas project status`")


def in_project(root: Path, path: Path | str, pipeline: Pipeline | None = None) -> str:
    """A file as the project calls it: relative to its root where it lies inside, else as it is given. Aliases become the job's own name."""
    whole = os.path.normpath(Path(path) if Path(path).is_absolute() else root.absolute() / path)
    base = os.path.normpath(root.absolute())
    named = os.path.relpath(whole, base) if whole.startswith(base + os.sep) else str(path)
    pieces = named.split("/")
    if len(pieces) < 2 or JOB_NAME.fullmatch(pieces[1]):
        return named
    known = {one.alias: one.name for one in pipeline.processes if one.alias} if pipeline else {}
    alias = "/".join(pieces[:2])
    if alias in known:
        return "/".join([known[alias], *pieces[2:]])
    if (root / alias).is_symlink():
        return "/".join([pieces[0], (root / alias).resolve().name, *pieces[2:]])
    return named


def owner(name: str) -> str:
    """Refine3D/job012 of Refine3D/job012/run_data.star; "" for a file outside the job folders."""
    pieces = name.split("/", 2)
    return "/".join(pieces[:2]) if len(pieces) == 3 and JOB_NAME.fullmatch(pieces[1]) else ""


def read_root(root: Path) -> Pipeline:
    return read_pipeline(root / PIPELINE)


def with_counter(pipeline: Pipeline) -> Pipeline:
    """The counter above the number of every job."""
    highest = max((one.number for one in pipeline.processes), default=0)
    return replace(pipeline, counter=max(pipeline.counter, highest + 1))
