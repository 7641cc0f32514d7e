"""What a job was asked for before it runs: .verglas_request.json in its folder."""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from verglas.errors import DataError
from verglas.io.atomic import atomic_path
from verglas.io.project_lock import locked
from verglas.jobs.journal import plain

FILE, RUN_LOCK, LAUNCH_LOG = ".verglas_request.json", ".verglas_run.lock", "launch.log"

Status = Literal["held", "waiting", "launched"]


@dataclass(frozen=True)
class JobRequest:
    """`job`, `params` and `common` as on its command line; `after`: jobs that must have succeeded; `cpus` and `gpus` that it takes here.

    `queue`: name or file of a cluster's queue, "" for this machine, and `wish`, what is asked of it. `status` held: a draft, which waits for
    the user; waiting: for its turn; launched: it was started, or given to the queue. `reason`: why it cannot start, for the user.
    """

    job: str
    params: dict[str, Any]
    common: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    cpus: int = 1
    gpus: int = 0
    queue: str = ""
    wish: dict[str, Any] = field(default_factory=dict)
    continuing: bool = False
    status: Status = "waiting"
    asked: str = ""
    host: str = ""
    reason: str = ""


def read_request(folder: Path) -> JobRequest | None:
    """None when the job was started otherwise."""
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {one.name for one in fields(JobRequest)}
        given: dict[str, Any] = {name: tuple(value) if name == "after" else value for name, value in content.items() if name in known}
        return JobRequest(**given)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"unreadable: {error}", where=str(path), remedy="remove the file, and ask for the job again") from error


def replace_request(root: Path, name: str, expected: JobRequest, new: JobRequest) -> bool:
    """Put `new` in the place of `expected`; False when it is another one by now: somebody changed it, or it was launched."""
    with locked(root):
        if read_request(root / name) != expected:
            return False
        write_request(root / name, new)
    return True


def same_wish(one: JobRequest, other: JobRequest) -> bool:
    """Whether the same is asked for, whatever became of it."""
    return replace(one, status="waiting", reason="", host="") == replace(other, status="waiting", reason="", host="")


def write_request(folder: Path, request: JobRequest) -> None:
    with atomic_path(folder / FILE) as path:
        path.write_text(json.dumps(asdict(request), indent=1, default=plain, ensure_ascii=False) + "\n", encoding="utf-8")
