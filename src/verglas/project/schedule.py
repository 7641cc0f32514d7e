"""The scheduler: starts what waits, as slots become free, in sessions of their own that nothing here can end."""

import fcntl
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from verglas.errors import InputError, VerglasError
from verglas.jobs.context import ABORT_REQUEST
from verglas.jobs.folder import MARKERS
from verglas.project import slots
from verglas.project.facts import is_stuck
from verglas.project.graph import parents
from verglas.project.layout import HIDDEN, number_of
from verglas.project.program import PROGRAM, environment
from verglas.project.request import LAUNCH_LOG, RUN_LOCK, JobRequest, read_request, replace_request
from verglas.project.seen import Seen
from verglas.project.state import QUEUE_FILE, held
from verglas.project.submit import submit_request, tell_queue
from verglas.project.sync import Snapshot, sync
from verglas.project.words import resolved, words
from verglas.types.pipeline import Pipeline, State

LOCK = "scheduler.lock"
ASK_QUEUE, ASK_AGAIN = 10.0, 60.0
"""Seconds between two questions to the queue of a cluster; after one that it did not answer."""
SHARE = 10
"""A queue with many jobs of ours is asked for a tenth of the time at most."""


@dataclass
class Scheduler:
    """Rounds over one project. Use it through `scheduling`, which lets one at a time. `problem`: what is wrong with a queue, else ""."""

    root: Path
    seen: Seen = field(default_factory=Seen)
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    ask_queue: float = 0.0
    problem: str = ""

    def step(self) -> Snapshot:
        """Start what can start now, and see what became of the rest."""
        self.started = [one for one in self.started if one.poll() is None]
        found = sync(self.root, seen=self.seen)
        states = {one.name: one.state for one in found.pipeline.processes}
        begun = time.monotonic()
        if begun > self.ask_queue:
            queued = (self.root / name for name, state in states.items() if state == "Running" and (self.root / name / QUEUE_FILE).exists())
            self.problem = next((said for one in queued if (said := tell_queue(one))), "")
            now = time.monotonic()
            self.ask_queue = now + max(ASK_AGAIN if self.problem else ASK_QUEUE, SHARE * (now - begun))
        started, full = False, set[str]()
        for name in sorted((one for one, state in states.items() if state == "Scheduled"), key=number_of):
            request = read_request(self.root / name)
            if request is not None and request.status == "waiting":
                started |= self._try(name, request, found.pipeline, states, full)
        return sync(self.root, seen=self.seen) if started else found

    def _try(self, name: str, request: JobRequest, pipeline: Pipeline, states: dict[str, State], full: set[str]) -> bool:
        """Whether it has begun. One that cannot, whatever becomes free, is held with the reason until the user lets it go."""
        reason, status, now = _waits_for(name, request, pipeline, states), request.status, request
        if not reason:
            try:
                reason = self._begin(name, request, pipeline, full)
            except VerglasError as error:
                reason, status = f"cannot start: {str(error).splitlines()[0]}", "held"
                now = read_request(self.root / name) or request
        if reason and (reason, status) != (now.reason, now.status):
            replace_request(self.root, name, now, replace(request, reason=reason, status=status))
        return not reason

    def _begin(self, name: str, request: JobRequest, pipeline: Pipeline, full: set[str]) -> str:
        """Why not, empty when it was started. A job that waits for slots is not overtaken by a later one that wants the same."""
        if held(self.root / name):
            return "waits for its last process to end"
        given = request if request.continuing else replace(request, params=resolved(pipeline, request.params))
        if request.queue:
            if _claimed(self.root, name, request, given):
                submit_request(self.root, name, given)
            return ""
        wanted = {"CPUs": request.cpus, "GPUs": request.gpus}
        blocked = [kind for kind, number in wanted.items() if number and kind in full]
        taken = None if blocked else slots.take(request.cpus, request.gpus)
        if taken is None:
            full |= {"GPUs"} if request.gpus and slots_free(request.cpus) else {"CPUs", "GPUs"}
            return "waits for " + " and ".join(f"{number} {kind if number > 1 else kind[:-1]}" for kind, number in wanted.items() if number)
        try:
            if _claimed(self.root, name, request, given):
                self.started.append(launch(self.root, name, given, taken))
        finally:
            taken.close()
        return ""


def _claimed(root: Path, name: str, request: JobRequest, given: JobRequest) -> bool:
    """Whether it may begin: nobody has changed it since it was looked at, and nobody can from now on."""
    if not replace_request(root, name, request, replace(given, status="launched", reason="", host=platform.node())):
        return False
    _clear(root / name)
    return True


def slots_free(cpus: int) -> bool:
    """Whether so many CPUs are free at this moment."""
    taken = slots.take(cpus, 0)
    if taken is not None:
        taken.close()
    return taken is not None


def _waits_for(name: str, request: JobRequest, pipeline: Pipeline, states: dict[str, State]) -> str:
    """The first job that must succeed before this one can begin, in words."""
    for one in dict.fromkeys((*request.after, *sorted(parents(pipeline).get(name, set())))):
        state = states.get(one)
        if state is None:
            return f"waits for {one}, which is gone"
        if state != "Succeeded":
            return f"waits for {one}" + (f", which has {state.lower()}" if state == "Failed" else ", which was stopped" if state == "Aborted" else "")
    return ""


def launch(root: Path, name: str, request: JobRequest, taken: slots.Slots) -> "subprocess.Popen[bytes]":
    """Start the job that was claimed. Its lock and its slots belong to its own process."""
    folder = root / name
    lock = os.open(folder / RUN_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError("its process lives", where=name, remedy="wait for it") from error
        with (folder / LAUNCH_LOG).open("wb") as log:
            return subprocess.Popen(
                [*PROGRAM, *command(name, request)], cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True, pass_fds=(lock, *taken.descriptors), env=_environment(taken),
            )
    finally:
        os.close(lock)


def command(name: str, request: JobRequest) -> tuple[str, ...]:
    """The words after verglas."""
    place = {"continue_": name} if request.continuing else {"output": name}
    rules = {"device": "cuda" if request.gpus else "cpu"} if not request.queue else {}
    return words(request.job, request.params, dict(request.common) | rules | place)


def _environment(taken: slots.Slots) -> dict[str, str]:
    """The GPUs of its slots are the only ones that it sees."""
    return environment() | ({"CUDA_VISIBLE_DEVICES": ",".join(taken.gpus)} if taken.gpus else {})


def _clear(folder: Path) -> None:
    for marker in (*MARKERS.values(), ABORT_REQUEST, QUEUE_FILE):
        (folder / marker).unlink(missing_ok=True)


def unfinished(root: Path, pipeline: Pipeline) -> tuple[str, ...]:
    """The jobs that run, or will begin without anybody's doing."""
    scheduled = [one.name for one in pipeline.processes if one.state == "Scheduled"]
    waiting = [name for name in scheduled if read_request(root / name) is not None and not is_stuck(root / name)]
    return (*(one.name for one in pipeline.processes if one.state == "Running"), *waiting)


@contextmanager
def scheduling(root: Path, seen: Seen | None = None) -> Iterator[Scheduler | None]:
    """The scheduler of the project, None while another process has it. `seen`: what is known of the project already."""
    (root / HIDDEN).mkdir(exist_ok=True)
    with (root / HIDDEN / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield Scheduler(root, seen or Seen())
