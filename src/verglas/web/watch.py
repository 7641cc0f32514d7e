"""What the pages know of a project: a thread that schedules its jobs and keeps the last snapshot."""

import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import InputError, VerglasError
from verglas.project.layout import find_name
from verglas.project.schedule import Scheduler, scheduling
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Node
from verglas.web.places import key_of

PAUSE, SHARE = 1.0, 9
"""Seconds between two rounds; after a round that took long, nine times as long, so that the pages have nine tenths of the time."""


@dataclass
class Watch:
    """`version` grows with every change. Nothing here outlives the server, and no job depends on it."""

    project: Project
    snapshot: Snapshot | None = None
    version: int = 0
    problem: str = ""
    _wake: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def now(self) -> Snapshot:
        """The last snapshot; the first one is made here."""
        with self._first:
            if self.snapshot is None:
                self.take(self.project.snapshot())
        assert self.snapshot is not None
        return self.snapshot

    def look(self) -> Snapshot:
        """A new snapshot: after a change that the user has made."""
        self.take(self.project.snapshot())
        self._wake.set()
        return self.now()

    def take(self, found: Snapshot) -> None:
        with self._lock:
            if found != self.snapshot:
                self.snapshot, self.version = found, self.version + 1

    def job(self, wish: str) -> Job:
        """The job of this name, number or alias; raises InputError when it is not there even after another look."""
        try:
            name = find_name(self.now().pipeline, wish)
        except InputError:
            name = find_name(self.look().pipeline, wish)
        found = self.now()
        return Job(self.project, next(one for one in found.pipeline.processes if one.name == name), found.details.get(name, ""))

    def given(self, job: str) -> tuple[Node, ...]:
        """The files that a job reads."""
        found = self.now().pipeline
        names = {node for node, process in found.inputs if process == job}
        return tuple(one for one in found.nodes if one.name in names)

    def made(self, job: str) -> tuple[Node, ...]:
        """The files that a job hands on."""
        found = self.now().pipeline
        names = {node for process, node in found.outputs if process == job}
        return tuple(one for one in found.nodes if one.name in names)

    def run(self) -> None:
        """Rounds until the server ends. Another process that schedules this project is left to it."""
        while not self._ended:
            try:
                self.now()
                with nullcontext() if self.project.read_only else scheduling(self.project.root) as scheduler:
                    self._rounds(scheduler)
            except (VerglasError, OSError) as error:  # a broken file, a disk that is not there: tell it, and try again
                self.problem = str(error)
                self._sleep(10 * PAUSE)

    def _rounds(self, scheduler: Scheduler | None) -> None:
        while not self._ended:
            begun = time.monotonic()
            try:
                self.take(scheduler.step() if scheduler else self.project.snapshot())
                self.problem = ""
            except (VerglasError, OSError) as error:
                self.problem = str(error)
            self._sleep(max(PAUSE, SHARE * (time.monotonic() - begun)))
            if scheduler is None and not self.project.read_only:
                return

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def end(self) -> None:
        self._ended = True
        self._wake.set()


_watches: dict[str, Watch] = {}
_making = threading.Lock()


def watch(project: Project) -> Watch:
    """The watch of a project, begun with the first call."""
    key = key_of(project.root)
    with _making:
        if key not in _watches or _watches[key].project is not project:
            if key in _watches:
                _watches[key].end()
            _watches[key] = Watch(project)
            threading.Thread(target=_watches[key].run, name=f"schedule {project.root}", daemon=True).start()
        return _watches[key]


def end_all() -> None:
    """Before the server ends."""
    for one in _watches.values():
        one.end()
