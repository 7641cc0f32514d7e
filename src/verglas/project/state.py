"""Where a job is, worked out from its folder: exit marker, living process, request. Nothing stores it."""

import fcntl
import platform
from pathlib import Path
from typing import NamedTuple

from verglas.errors import DataError
from verglas.jobs.folder import JOB_FILE, MARKERS, Outcome, running_process
from verglas.jobs.provenance import read_record
from verglas.project.request import FILE, RUN_LOCK, read_request
from verglas.types.pipeline import State

ENDED: dict[Outcome, State] = {"SUCCESS": "Succeeded", "FAILURE": "Failed", "ABORTED": "Aborted"}
QUEUE_FILE = "queue.json"


class Standing(NamedTuple):
    """A state, and in `detail` what the word does not say ("killed", "a draft", "in the queue"), else ""."""

    state: State
    detail: str = ""


def standing(folder: Path, known: State | None = None) -> Standing | None:
    """`known`: what the pipeline says, which counts for RELION's jobs without a marker. None: nothing is there yet."""
    try:
        return _standing(folder, known)
    except DataError as error:  # one broken file must not hide all other jobs
        return Standing("Failed", f"{Path(error.where).name} is unreadable")


def _standing(folder: Path, known: State | None) -> Standing | None:
    request = read_request(folder) if (folder / FILE).exists() else None
    if request is not None and request.status != "launched":
        return Standing("Scheduled", request.reason or ("a draft" if request.status == "held" else "waits for its turn"))
    for outcome, marker in MARKERS.items():
        if (folder / marker).exists():
            return Standing(ENDED[outcome])
    if held(folder):
        return Standing("Running")
    if (folder / JOB_FILE).exists():
        return _unmarked(folder)
    if (folder / QUEUE_FILE).exists():
        return Standing("Running", "in the queue")
    if request is not None:
        return _never_began(request.host)
    if known is None and (folder / "job.star").exists():
        return Standing("Scheduled")
    return Standing(known) if known else None


def _unmarked(folder: Path) -> Standing:
    if running_process(folder):
        return Standing("Running")
    if (folder / QUEUE_FILE).exists():
        return Standing("Running", "in the queue")
    host = read_record(folder).get("hardware", {}).get("host", "")
    return Standing("Failed", "killed") if host == platform.node() else Standing("Running", f"on {host}")


def _never_began(host: str) -> Standing:
    return Standing("Failed", "it ended before it began; see launch.log") if host == platform.node() else Standing("Running", f"on {host}")


def held(folder: Path) -> bool:
    """Whether the process that was started for this folder lives: it holds a lock which goes with it, whatever ends it."""
    try:
        with (folder / RUN_LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
