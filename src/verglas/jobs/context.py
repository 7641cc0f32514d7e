"""Where and how a job runs: its folder, its resources, its voice (log, progress, events) and the wish to stop."""

from dataclasses import dataclass, field
from pathlib import Path

from verglas.jobs.journal import Journal, Progress
from verglas.runtime.group import ALONE, Group
from verglas.runtime.resources import Resources

ABORT_REQUEST = "RELION_JOB_ABORT_NOW"


class Stopped(Exception):
    """The job ended early because it was asked to, with everything on disk consistent (marker ABORTED)."""


@dataclass
class StopRequest:
    """Set by the signal handler of the runner."""

    asked: bool = False


@dataclass(frozen=True)
class Context:
    """`output`: the job folder (made just before `run`); `project`: the folder that relative image names refer to.

    With several processes in the group all of them run the job, and only the leader writes and speaks.
    reports: False where somebody else keeps the report of this job, such as the chain that it belongs to. found: what the door of the job
    has read already (Plan.found), None where the job is run without its door.
    """

    output: Path
    project: Path
    resources: Resources = field(default_factory=Resources)
    journal: Journal = field(default_factory=Journal)
    continuing: bool = False
    stop: StopRequest = field(default_factory=StopRequest)
    group: Group = ALONE
    reports: bool = True
    found: object = None

    @property
    def progress(self) -> Progress:
        """`context.progress.advance(done, total, label)`: a bar on a terminal, a plain line now and then in run.out."""
        return self.journal.progress

    def log(self, text: str) -> None:
        """A line for the user: run.out and the terminal."""
        self.journal.log(text)

    def warn(self, text: str, in_report: bool = True) -> None:
        """A warning in plain words: run.out, run.err, the terminal, and an event; `in_report` False: the report finds it by itself."""
        self.journal.warn(text, in_report)

    def event(self, name: str, **numbers: object) -> None:
        """One JSON line in events.jsonl: {"time": s since start, "event": name, ...}; values: numbers, text, lists."""
        self.journal.event(name, **numbers)

    def should_stop(self) -> bool:
        """True after SIGINT, SIGTERM (of any process) or when the file RELION_JOB_ABORT_NOW is in the job folder."""
        return self.group.any(self.stop.asked or (self.output / ABORT_REQUEST).exists())

    def stop_if_asked(self) -> None:
        """Call where everything on disk is consistent (end of an iteration); raises `Stopped` when asked to stop."""
        if self.should_stop():
            raise Stopped
