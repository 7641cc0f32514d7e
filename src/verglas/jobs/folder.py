"""The job folder: which one is next, whether it may be used, and RELION's exit markers in it."""

import errno
import json
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from verglas.errors import InputError

Outcome = Literal["SUCCESS", "FAILURE", "ABORTED"]
MARKERS: dict[Outcome, str] = {
    "SUCCESS": "RELION_JOB_EXIT_SUCCESS", "FAILURE": "RELION_JOB_EXIT_FAILURE", "ABORTED": "RELION_JOB_EXIT_ABORTED",
}
JOB_FILE, PIPELINE = "job.json", "default_pipeline.star"


def next_job_folder(project: Path, job_type: str) -> Path:
    """project/<job_type>/jobNNN with the first number above every job of the project, RELION's counter included."""
    names = (re.fullmatch(r"job(\d+)", path.name) for path in project.glob("*/job[0-9]*"))
    number = max([0, *(int(name.group(1)) for name in names if name)]) + 1
    pipeline = project / PIPELINE
    if pipeline.exists():
        number = max(number, _relion_counter(pipeline))
    return project / job_type / f"job{number:03d}"


def _relion_counter(pipeline: Path) -> int:
    from verglas.io.star import read_star

    general = read_star(pipeline).get("pipeline_general")
    counter = general.columns.get("rlnPipeLineJobCounter") if general else None
    return 1 if counter is None else int(counter[0])


def reserve(project: Path, job_type: str) -> Path:
    """Make the next job folder, which nobody else can be given then; in a RELION project its counter goes on."""
    from verglas.io.project_lock import locked

    with _refusals(project), locked(project):
        folder = next_job_folder(project, job_type)
        folder.mkdir(parents=True)
        _set_counter(project, int(folder.name[3:]) + 1)
    return folder


def release(project: Path, folder: Path) -> None:
    """Give back a reserved folder that nothing was written into; its number too, if it is still the last one."""
    from verglas.io.project_lock import locked

    with _refusals(project), locked(project):
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        number = int(folder.name[3:])
        pipeline = project / PIPELINE
        if not folder.exists() and pipeline.exists() and _relion_counter(pipeline) == number + 1:
            _set_counter(project, number)


def _set_counter(project: Path, number: int) -> None:
    from verglas.io.pipeline_star import read_pipeline, write_pipeline

    if (project / PIPELINE).exists():
        write_pipeline(project / PIPELINE, replace(read_pipeline(project / PIPELINE), counter=number))


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explain_os_error(error) or InputError(
            f"no job folder can be made here: {error.strerror}", where=str(folder), remedy="give an --output folder") from error


def check_usable(folder: Path, *, continuing: bool, foreign: bool = False) -> None:
    """Raise InputError when results there would be lost, another process works there, or it cannot be written.

    `foreign`: the job can go on with what another program left. Whether a finished job can go on is for the job to say.
    """
    if continuing and not foreign and not (folder / JOB_FILE).exists():
        raise InputError(f"no {JOB_FILE} in this folder", where=str(folder), remedy="give the folder of an earlier job")
    if not continuing and (folder / MARKERS["SUCCESS"]).exists():
        raise InputError("this folder holds a finished job", where=str(folder), remedy="give another --output")
    owner = running_process(folder)
    if owner:
        raise InputError(
            f"a job is still running here (process {owner})", where=str(folder),
            remedy="wait for it, or create a file RELION_JOB_ABORT_NOW in the folder to stop it",
        )
    _check_writable(folder)


def running_process(folder: Path) -> int:
    """Process number of the job that is running in `folder` on this host, 0 when none is (it ended or was killed)."""
    path = folder / JOB_FILE
    if not path.exists() or any((folder / name).exists() for name in MARKERS.values()):
        return 0
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        pid, host = int(record["process"]), record["hardware"]["host"]
        started = datetime.fromisoformat(record["started"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return 0
    return pid if host == platform.node() and pid != os.getpid() and _lives_since(pid, started) else 0


def _lives_since(pid: int, started: float) -> bool:
    """Whether this process is alive and not a later one that was given the same number."""
    import psutil

    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= started + 1.0)
    except psutil.Error:
        return False


def _check_writable(folder: Path) -> None:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise InputError("is a file, a folder is needed", where=str(existing), remedy="give another --output")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            "no permission to write here", where=str(existing), remedy="give an --output folder that you may write to"
        )


def named_in(project: Path, path: Path) -> str:
    """A file or folder as the project calls it: relative to it, or as it is given where it lies elsewhere."""
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def create(folder: Path) -> None:
    """Make the folder and take away the markers of an earlier attempt."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error) or InputError(
            f"this folder cannot be made: {error.strerror}", where=str(folder), remedy="give another --output"
        ) from error
    for name in (*MARKERS.values(), "RELION_JOB_ABORT_NOW"):
        (folder / name).unlink(missing_ok=True)


def mark(folder: Path, outcome: Outcome) -> None:
    """Leave exactly one exit marker."""
    for name in MARKERS.values():
        (folder / name).unlink(missing_ok=True)
    (folder / MARKERS[outcome]).touch()
    (folder / "RELION_JOB_ABORT_NOW").unlink(missing_ok=True)


def explain_os_error(error: OSError) -> InputError | None:
    """The message for a full disk or a missing permission; None for other errors of the system."""
    where = str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError("the disk is full (or the quota is used up)", where=where, remedy="free space and run again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError("no permission to write here", where=where, remedy="give an --output that you may write to")
    return None
