"""What the pages know of a project: a thread that schedules its jobs and keeps the last snapshot."""

import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.project.layout import find_name
from verglas.project.schedule import Scheduler, scheduling
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Process
from verglas.web.places import key_of

PAUSE = 1.0
"""Seconds between two rounds; a round that takes long waits four times as long."""


@dataclass
class Watch:
    """`version` grows with every change. Nothing here outlives the server, and no job depends on it."""

    project: Project
    snapshot: Snapshot | None = None
    version: int = 0
    problem: str = ""
    _wake: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def now(self) -> Snapshot:
        """The last snapshot; the first one is made here."""
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

    def process(self, wish: str) -> Process:
        """The job of this name, number or alias; raises InputError."""
        pipeline = self.now().pipeline
        name = find_name(pipeline, wish)
        return next(one for one in pipeline.processes if one.name == name)

    def run(self) -> None:
        """Rounds until the server ends. Another process that schedules this project is left to it."""
        while not self._ended:
            try:
                with nullcontext() if self.project.read_only else scheduling(self.project.root) as scheduler:
                    self._rounds(scheduler)
            except OSError as error:  # an unmounted disk: tell it, and try again
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
            self._sleep(max(PAUSE, 4 * (time.monotonic() - begun)))
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
