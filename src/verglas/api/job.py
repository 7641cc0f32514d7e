"""One job of a project, and waiting for it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verglas.api.outputs import Outputs
from verglas.errors import InputError
from verglas.project import ask, clean, edit, facts, graph, layout
from verglas.project.facts import TAIL
from verglas.project.request import JobRequest
from verglas.project.schedule import scheduling
from verglas.project.slots import machine
from verglas.types.pipeline import Node, Process, State

if TYPE_CHECKING:
    from verglas.api.project import Project

PAUSE = 0.3
"""Seconds between two looks at a job that is waited for."""


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked for; `refresh()` looks again. `detail` says what the word of the state does not ("killed")."""

    project: "Project"
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
        return [self.project.job(one) for one in sorted(graph.parents(self.project.graph).get(self.name, set()), key=layout.number_of)]

    @property
    def children(self) -> "list[Job]":
        """The jobs that read its files."""
        return [self.project.job(one) for one in sorted(graph.children(self.project.graph).get(self.name, set()), key=layout.number_of)]

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
        """Continue it where it was stopped or killed, on this machine or in the queue where it ran; let a draft go."""
        self.project.require_writable()
        ask.go_on(self.project.root, self.name, named(changes), how)
        return self.refresh()

    def start_again(self) -> "Job":
        """From the beginning, in its folder, so that what waits for it need not be asked for anew."""
        self.project.require_writable()
        ask.start_again(self.project.root, self.name)
        return self.refresh()

    def clone(self, *, how: ask.How | None = None, **changes: Any) -> "Job":
        """Ask for the same job with some other parameters."""
        found = self.facts
        if not found.job:
            raise InputError(f"there is no job of verglas for {self.type}", where=self.name, remedy="run it in RELION")
        seed = {"seed": found.resources["seed"]} if found.resources.get("seed") else {}
        return self.project.run(found.job, how=how or ask.How(common=seed), **(found.params | changes))

    def rerun(self) -> "Job":
        """Ask for the same job with the same parameters, seed, threads and device."""
        found = self.facts
        if not found.job or not found.resources:
            raise InputError("was not run by verglas, so it cannot be repeated exactly", where=self.name, remedy="clone it")
        kept: dict[str, Any] = {name: found.resources[name] for name in ("seed", "threads", "deterministic", "device") if name in found.resources}
        return self.project.run(found.job, how=ask.How(common=kept, cpus=min(kept.get("threads", 1), machine()[0])), **found.params)

    def change(self, was: JobRequest | None = None, /, *, how: ask.How | None = None, **changes: Any) -> "Job":
        """Other parameters for a job that has not begun; refused where it is not any more what it `was`."""
        self.project.require_writable()
        ask.change_request(self.project.root, self.name, self.params | named(changes), how or ask.How(), was)
        return self.refresh()

    def rename(self, alias: str, was: str | None = None) -> "Job":
        """Give it a second name; "" takes it away. `was`: refused where it has another one by now."""
        self.project.require_writable()
        edit.set_alias(self.project.root, self.name, alias, was)
        return self.refresh()

    def annotate(self, text: str, was: str | None = None) -> None:
        """Replace its note. `was`: refused where it is another one by now."""
        self.project.require_writable()
        facts.write_note(self.project.root, self.name, text, was)

    def cleanable(self, *, harsh: bool = False) -> clean.CleanPlan:
        """What `clean` would move: files of earlier iterations; `harsh`: also images that the job can make again."""
        return clean.plan(self.project.root, self.project.pipeline, self.name, harsh)

    def clean(self, *, harsh: bool = False) -> clean.CleanPlan:
        """Move what is not needed to Trash, as the job is at this moment."""
        self.project.require_writable()
        planned = self.cleanable(harsh=harsh)
        clean.carry_out(self.project.root, planned)
        return planned

    def log(self, limit: int = TAIL) -> str:
        """The end of run.out, at most so many bytes."""
        return facts.tail(self.folder / "run.out", limit)

    def refresh(self) -> "Job":
        """The same job as it is now."""
        return self.project.job(self.name)


def named(params: Mapping[str, Any]) -> dict[str, Any]:
    """Jobs as @job."""
    return {name: f"@{value.name}" if isinstance(value, Job) else value for name, value in params.items()}


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


def _ended_well(job: Job) -> Job:
    if job.process.state != "Succeeded":
        raise InputError(f"{job.process.state.lower()}: {job.detail or job.error or 'stopped'}", where=job.name, remedy="see its run.err")
    return job
