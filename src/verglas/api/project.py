"""A project in a script: `project = vg.open_project("."); project.run("mask", map="...").wait()`."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from verglas.api.outputs import Outputs
from verglas.errors import InputError
from verglas.jobs.folder import PIPELINE
from verglas.project import ask, edit, facts, graph, layout, sync, words
from verglas.project.forecast import forecast
from verglas.project.schedule import scheduling
from verglas.types.pipeline import Node, Pipeline, Process, State

PAUSE = 0.3
"""Seconds between two looks at a job that is waited for."""


class Project:
    """A folder in RELION's layout. Every question is answered from the files as they are at that moment.

    `read_only`: nothing is written, whatever is asked; so it is where the folder may not be written.
    """

    def __init__(self, root: Path, read_only: bool = False) -> None:
        self.root = root.absolute()
        self.read_only = read_only or not _writable(self.root)

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    def snapshot(self) -> sync.Snapshot:
        """Jobs, files, edges and states now; also written to default_pipeline.star where that may be."""
        return sync.snapshot(self.root) if self.read_only else sync.sync(self.root)

    @property
    def pipeline(self) -> Pipeline:
        """The graph as it is now."""
        return self.snapshot().pipeline

    def jobs(self) -> "list[Job]":
        """All jobs, by number."""
        found = self.snapshot()
        rows = sorted(found.pipeline.processes, key=lambda one: (one.number, one.name))
        return [Job(self, one, found.details.get(one.name, "")) for one in rows]

    def job(self, wish: str | int) -> "Job":
        """By 12, "job012", "Refine3D/job012" or alias."""
        found = self.snapshot()
        name = layout.find_name(found.pipeline, wish)
        return Job(self, next(one for one in found.pipeline.processes if one.name == name), found.details.get(name, ""))

    def require_writable(self) -> None:
        """Raise where nothing may be changed."""
        if self.read_only:
            raise InputError("this project is open for reading only", where=str(self.root),
                             remedy="open it without read_only, in a folder that you may write to")

    def run(self, job: str, *, how: ask.How | None = None, **params: Any) -> "Job":
        """Ask for a job, which begins when its inputs are there and slots are free, while somebody schedules: `job.wait()`, the pages, or
        `verglas project work`. Files are named from the project folder; a Job as a value means the file of it that fits.
        """
        self.require_writable()
        return self.job(ask.ask(self.root, job, _named(params), how or ask.How()))

    def forecast(self, job: str, **params: Any) -> str:
        """What the job would do and need, in words; raises what is wrong. Takes seconds: it reads the input."""
        given = words.resolved(self.pipeline, words.named_values(self.root, job, _named(params)))
        return forecast(self.root, words.words(job, given, {"dry_run": True}))

    def schedule(self) -> "list[Job]":
        """One round of the scheduler; does nothing while another process schedules. The jobs that wait or run after it."""
        self.require_writable()
        with scheduling(self.root) as scheduler:
            if scheduler:
                scheduler.step()
        return [one for one in self.jobs() if one.process.state in ("Scheduled", "Running")]

    def trash(self, *jobs: "Job | str | int") -> tuple[str, ...]:
        """Move jobs to Trash, with all that build on them."""
        self.require_writable()
        return edit.trash(self.root, [one.name if isinstance(one, Job) else self.job(one).name for one in jobs])

    def trashed(self) -> tuple[str, ...]:
        """What is in the trash."""
        return edit.trashed(self.root)

    def restore(self, name: str) -> tuple[str, ...]:
        """Bring a job back from the trash, with what it builds on."""
        self.require_writable()
        return edit.restore(self.root, name)

    def made(self, file: str | Path) -> "list[Job]":
        """The job that made a file, last, after all jobs that it builds on."""
        pipeline = self.pipeline
        name = graph.maker(pipeline, layout.in_project(self.root, file, pipeline))
        return [self.job(one) for one in (*graph.ancestors(pipeline, name), name)]

    def led_to(self, file: str | Path) -> "list[Job]":
        """The jobs that were given a file, and those that build on them."""
        pipeline = self.pipeline
        direct = graph.readers(pipeline, layout.in_project(self.root, file, pipeline))
        further = graph.reached(graph.children(pipeline), direct)
        return [self.job(one) for one in sorted({*direct, *further}, key=layout.number_of)]


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked for; `refresh()` looks again. `detail` says what the word of the state does not ("killed")."""

    project: Project
    process: Process
    detail: str = ""

    def __repr__(self) -> str:
        return f"Job({self.name!r}, {self.process.state})"

    @property
    def name(self) -> str:
        """Refine3D/job012."""
        return self.process.name

    @property
    def number(self) -> int:
        return self.process.number

    @property
    def type(self) -> str:
        """RELION's label, relion.refine3d."""
        return self.process.type

    @property
    def alias(self) -> str:
        return self.process.alias

    @property
    def folder(self) -> Path:
        return self.project.root / self.name

    @property
    def state(self) -> State:
        """Now: Scheduled, Running, Succeeded, Failed or Aborted."""
        return self.refresh().process.state

    @property
    def facts(self) -> facts.Facts:
        """Our name of the job, its parameters, resources and times."""
        return facts.facts_of(self.folder)

    @property
    def kind(self) -> str:
        """Our name of the job (refine3d), "" where we have no such job."""
        return self.facts.job

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, under our names."""
        return self.facts.params

    @property
    def started(self) -> datetime | None:
        return self.facts.started

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has run until now."""
        return self.facts.seconds

    @property
    def note(self) -> str:
        """What was written about it (note.txt, which RELION shows too)."""
        return facts.read_note(self.folder)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The files that it reads."""
        pipeline = self.project.pipeline
        nodes = {one.name: one for one in pipeline.nodes}
        return tuple(nodes[node] for node, process in pipeline.inputs if process == self.name and node in nodes)

    @property
    def outputs(self) -> Outputs:
        """The files that it hands on: `.map`, `.half_maps`, `.mask`, `.particles`, `.micrographs`, `.coordinates`, `.nodes`."""
        pipeline = self.project.pipeline
        nodes = {one.name: one for one in pipeline.nodes}
        mine = tuple(nodes[node] for process, node in pipeline.outputs if process == self.name and node in nodes)
        return Outputs(self.project.root, self.name, mine)

    @property
    def parents(self) -> "list[Job]":
        """The jobs whose files it reads."""
        return [self.project.job(one) for one in sorted(graph.parents(self.project.pipeline).get(self.name, set()), key=layout.number_of)]

    @property
    def children(self) -> "list[Job]":
        """The jobs that read its files."""
        return [self.project.job(one) for one in sorted(graph.children(self.project.pipeline).get(self.name, set()), key=layout.number_of)]

    @property
    def error(self) -> str:
        """Why it failed, as far as it could say."""
        return facts.read_error(self.folder)

    def wait(self, timeout: float | None = None) -> "Job":
        """Until it has ended, scheduling meanwhile; raises InputError when it failed, was stopped, or cannot begin."""
        return wait_for(self, timeout)

    def stop(self, *, now: bool = False) -> None:
        """At its next safe point; `now`: at once. One that waits becomes a draft."""
        self.project.require_writable()
        edit.stop(self.project.root, self.name, now=now)

    def go_on(self, *, how: ask.How | None = None, **changes: Any) -> "Job":
        """Continue it where it was stopped or killed; let a draft go."""
        self.project.require_writable()
        ask.go_on(self.project.root, self.name, _named(changes), how or ask.How())
        return self.refresh()

    def clone(self, *, how: ask.How | None = None, **changes: Any) -> "Job":
        """Ask for the same job with some other parameters."""
        found = self.facts
        if not found.job:
            raise InputError(f"there is no job of verglas for {self.type}", where=self.name, remedy="run it in RELION")
        seed = {"seed": found.resources["seed"]} if found.resources.get("seed") else {}
        return self.project.run(found.job, how=how or ask.How(common=seed), **(found.params | changes))

    def change(self, *, how: ask.How | None = None, **changes: Any) -> "Job":
        """Other parameters for a job that has not begun."""
        self.project.require_writable()
        ask.change_request(self.project.root, self.name, self.params | _named(changes), how or ask.How())
        return self.refresh()

    def rename(self, alias: str) -> "Job":
        """Give it a second name; "" takes it away."""
        self.project.require_writable()
        edit.set_alias(self.project.root, self.name, alias)
        return self.refresh()

    def annotate(self, text: str) -> None:
        """Replace its note."""
        self.project.require_writable()
        facts.write_note(self.folder, text)

    def refresh(self) -> "Job":
        """The same job as it is now."""
        return self.project.job(self.name)


def open_project(path: str | Path = ".", *, read_only: bool = False) -> Project:
    """The project that a folder lies in."""
    return Project(layout.require_root(path), read_only)


def new_project(path: str | Path) -> Project:
    """Make a project; job folders that are there are taken in."""
    project = Project(layout.create_project(Path(path)))
    project.snapshot()
    return project


def wait_for(job: Job, timeout: float | None) -> Job:
    """See Job.wait. Schedules unless another process does."""
    end = None if timeout is None else time.monotonic() + timeout
    root = job.project.root
    while True:
        with scheduling(root) as scheduler:
            while True:
                if scheduler:
                    scheduler.step()
                job = job.refresh()
                if job.process.state not in ("Scheduled", "Running"):
                    return _ended_well(job)
                if facts.is_stuck(job.folder):
                    raise InputError(f"does not begin: {job.detail}", where=job.name, remedy="correct it, then go_on()")
                if end is not None and time.monotonic() > end:
                    raise InputError(f"not within {timeout:g} s; it is {job.process.state.lower()}", where=job.name, remedy="wait longer")
                time.sleep(PAUSE)
                if not scheduler:
                    break


def _named(params: Mapping[str, Any]) -> dict[str, Any]:
    """Jobs as @job."""
    return {name: f"@{value.name}" if isinstance(value, Job) else value for name, value in params.items()}


def _ended_well(job: Job) -> Job:
    if job.process.state != "Succeeded":
        raise InputError(f"{job.process.state.lower()}: {job.detail or job.error or 'stopped'}", where=job.name, remedy="see its run.err")
    return job


def _writable(root: Path) -> bool:
    """Whether it may be written; folders that nobody may write count as such for root too."""
    bits = root.stat().st_mode & (root / PIPELINE).stat().st_mode & 0o222
    return bool(bits) and os.access(root, os.W_OK | os.X_OK) and os.access(root / PIPELINE, os.W_OK)
