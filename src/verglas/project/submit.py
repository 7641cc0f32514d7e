"""A request for the queue of a cluster: its script, and what became of it."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from verglas.cluster.queue import Queue, read_queue
from verglas.cluster.template import Wish, render, values
from verglas.errors import InputError
from verglas.jobs.registry import find
from verglas.project.queued import hand_in, outcome, tell_status
from verglas.project.request import JobRequest
from verglas.project.words import words


def wish_of(given: dict[str, Any]) -> Wish:
    """What the queue is asked for; names as in `Wish`."""
    known = {one.name for one in fields(Wish)}
    wrong = sorted(set(given) - known)
    if wrong:
        raise InputError(f"a queue is not asked for {wrong[0]!r}", remedy="use " + ", ".join(sorted(known)))
    found: dict[str, Any] = {name: tuple(value) if name == "extra" else value for name, value in given.items()}
    return Wish(**found)


def submit_request(root: Path, name: str, request: JobRequest) -> str:
    """Hand it in; the number that the queue gives it."""
    queue, wish = read_queue(request.queue), wish_of(request.wish)
    folder = root / name
    return hand_in(queue, folder, _script(queue, wish, root, name, request)).job


def _script(queue: Queue, wish: Wish, root: Path, name: str, request: JobRequest) -> str:
    shared = wish.tasks > 1 and "workers" in find(request.job).params.model_fields
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


def tell_queue(folder: Path) -> None:
    """A job that the queue has ended without a word gets its marker; an answer that is not understood changes nothing."""
    if outcome(folder) is None:
        try:
            tell_status(folder)
        except InputError:
            return
