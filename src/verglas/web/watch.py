"""What the pages know of a project: a thread that schedules its jobs and keeps the last snapshot."""

import threading
import time
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import InputError, VerglasError
from verglas.project.index import Row
from verglas.project.layout import find_name
from verglas.project.schedule import Scheduler, scheduling
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Node
from verglas.web.places import key_of

Made = TypeVar("Made")
PAUSE, SHARE = 1.0, 30
"""Seconds between two rounds; after one that took long, thirty times what it took of a processor, so that large projects are quiet too."""
SOON = 0.3
"""Seconds that a page waits for the first look at all folders; until then states are what default_pipeline.star says."""
KEPT = 100
"""Things made of one snapshot that are kept: filters are typed letter by letter."""


@dataclass
class Watch:
    """`version` grows with every change. Nothing here outlives the server, and no job depends on it."""

    project: Project
    snapshot: Snapshot | None = None
    version: int = 0
    problem: str = ""
    _wake: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked: threading.Event = field(default_factory=threading.Event)
    _made: tuple[int, dict[Hashable, Any]] = (-1, {})
    _ended: bool = False

    def now(self) -> Snapshot:
        """The last snapshot."""
        if self.snapshot is None and not self._looked.wait(SOON):
            self.take(Snapshot(self.project.seen.read(self.project.root), {}), first=True)
        return self.snapshot or self.look()

    def look(self) -> Snapshot:
        """A new snapshot: after a change that the user has made."""
        found = self.project.snapshot()
        self.take(found)
        self._wake.set()
        return found

    def take(self, found: Snapshot, first: bool = False) -> None:
        """`first`: only while there is none."""
        with self._lock:
            if found != self.snapshot and not (first and self.snapshot):
                self.snapshot, self.version = found, self.version + 1

    def once(self, name: Hashable, make: Callable[[Snapshot], Made]) -> Made:
        """What `make` makes of the last snapshot, made once for all pages that ask for it by this name."""
        self.now()
        with self._lock:
            version, found = self.version, self.snapshot
            if self._made[0] != version or len(self._made[1]) >= KEPT:
                self._made = (version, {})
            kept = self._made[1]
        if name not in kept:
            assert found is not None
            kept[name] = make(found)
        made: Made = kept[name]
        return made

    def rows(self) -> dict[str, Row]:
        """Kinds and times of all jobs, by name: for orders over all of them."""
        return self.once("rows", lambda found: {row.process.name: row for row in self.project.rows_of(found)})

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
                self.take(self.project.snapshot())
                self._looked.set()
                self.rows()  # so that nobody waits for the index when it is first made
                with nullcontext() if self.project.read_only else scheduling(self.project.root, self.project.seen) as scheduler:
                    self._rounds(scheduler)
            except (VerglasError, OSError) as error:  # a broken file, a disk that is not there: tell it, and try again
                self.problem = str(error)
                self._sleep(10 * PAUSE)

    def _rounds(self, scheduler: Scheduler | None) -> None:
        while not self._ended:
            begun, used = time.monotonic(), time.thread_time()
            try:
                self.take(scheduler.step() if scheduler else self.project.snapshot())
                self.problem = scheduler.problem if scheduler else ""
            except (VerglasError, OSError) as error:
                self.problem = str(error)
            self._sleep(max(PAUSE, SHARE * (time.thread_time() - used), time.monotonic() - begun))
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
