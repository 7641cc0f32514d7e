"""A project in a script: `project = vg.open_project("."); project.run("mask", map="...").wait()`."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from verglas.api.outputs import Outputs
from verglas.errors import InputError
from verglas.jobs.folder import PIPELINE
from verglas.project import facts, graph, layout, sync
from verglas.types.pipeline import Node, Pipeline, Process, State


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


def _writable(root: Path) -> bool:
    """Whether it may be written; folders that nobody may write count as such for root too."""
    bits = root.stat().st_mode & (root / PIPELINE).stat().st_mode & 0o222
    return bool(bits) and os.access(root, os.W_OK | os.X_OK) and os.access(root / PIPELINE, os.W_OK)
