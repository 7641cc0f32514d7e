"""A request for the queue of a cluster: its script, and what became of it."""

import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from verglas.cluster.queue import Queue, read_queue
from verglas.cluster.template import Wish, render, values
from verglas.errors import InputError, VerglasError
from verglas.jobs.registry import find
from verglas.project.queued import hand_in, outcome, tell_status
from verglas.project.request import JobRequest
from verglas.project.words import words


def wish_of(job: str, given: Mapping[str, Any]) -> Wish:
    """What the queue is asked for; names as in `Wish`, one process for each GPU. `job`: processes must be able to share its work."""
    known = {one.name for one in fields(Wish)}
    wrong = sorted(set(given) - known)
    if wrong:
        raise InputError(f"a queue is not asked for {wrong[0]!r}", remedy="use " + ", ".join(sorted(known)))
    found: dict[str, Any] = {name: tuple(value) if name == "extra" else value for name, value in given.items()}
    found.setdefault("tasks", found.get("gpus") or 1)
    wish = Wish(**found)
    for name, least in (("tasks", 1), ("cpus", 1), ("gpus", 0), ("memory_gb", 1)):
        number = getattr(wish, name)
        if not (number is None and name == "memory_gb") and (not isinstance(number, int) or number < least):
            raise InputError(f"{name} is {number!r}, expected a whole number from {least}", where="queue", remedy="correct it")
    if wish.tasks > 1 and not _shared(job) and not find(job).parallel:
        raise InputError(f"{job} runs in one process, not in {wish.tasks}", where="queue", remedy="ask for one process, with more CPUs")
    if wish.gpus not in (0, wish.tasks):
        raise InputError(f"{wish.gpus} GPUs for {wish.tasks} processes", where="queue", remedy="ask for one GPU for each process, or none")
    return wish


def _shared(job: str) -> bool:
    """Whether workers can share its movies or micrographs."""
    return "workers" in find(job).params.model_fields


def submit_request(root: Path, name: str, request: JobRequest) -> str:
    """Hand it in; the number that the queue gives it."""
    queue, wish = read_queue(request.queue), wish_of(request.job, request.wish)
    folder = root / name
    return hand_in(queue, folder, _script(queue, wish, root, name, request)).job


def _script(queue: Queue, wish: Wish, root: Path, name: str, request: JobRequest) -> str:
    shared = wish.tasks > 1 and _shared(request.job)
    template = queue.workers if shared else queue.plain
    if not template:
        raise InputError("this queue has no template for such a job", where=request.queue, remedy="see docs/cluster.md")
    place = {"continue_": name} if request.continuing else {"output": name}
    rules = {"threads": wish.cpus} | ({"memory_gb": 0.8 * wish.memory_gb} if wish.memory_gb else {})
    more = {"workers": f"{name}/scheduler.json"} if shared else {}
    told = words(request.job, request.params | more, rules | dict(request.common) | place)
    try:
        text = Path(template).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=template, remedy="correct the queue's file") from error
    command = (sys.executable, "-m", "verglas", *told)
    return render(text, values(wish, command, (root / name).absolute(), root.absolute(), sys.executable), template)


def tell_queue(folder: Path) -> str:
    """A job that the queue has ended without a word gets its marker. What is wrong with the queue's answer, which changes nothing then, else ""."""
    if outcome(folder) is None:
        try:
            tell_status(folder)
        except VerglasError as error:
            return f"{folder.parent.name}/{folder.name}: {error}"
    return ""
