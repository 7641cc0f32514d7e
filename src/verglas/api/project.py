"""A project in a script: `project = vg.open_project("."); project.run("mask", map="...").wait()`."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verglas.api.job import Job, named
from verglas.errors import InputError
from verglas.io.atomic import atomic_path
from verglas.jobs.folder import PIPELINE, explain_os_error
from verglas.project import archive, ask, clean, edit, graph, index, layout, sync, words
from verglas.project.forecast import forecast
from verglas.project.index import Row
from verglas.project.progress import ask_all, stop_all
from verglas.project.schedule import scheduling
from verglas.project.seen import Seen
from verglas.project.workflow import find_workflow, make_workflow, read_workflow, with_rules
from verglas.types.pipeline import Pipeline


class Project:
    """A folder in RELION's layout. Every question is answered from the files as they are at that moment.

    `read_only`: nothing is written, whatever is asked; so it is where the folder may not be written.
    """

    def __init__(self, root: Path, read_only: bool = False) -> None:
        self.root = root.absolute()
        self.read_only = read_only or not _writable(self.root)
        self.seen = Seen()

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    def snapshot(self) -> sync.Snapshot:
        """Jobs, files, edges and states now; also written to default_pipeline.star where that may be."""
        return sync.snapshot(self.root, self.seen) if self.read_only else sync.sync(self.root, seen=self.seen)

    def rows(self) -> "list[Row]":
        """All jobs with kind and times, for lists: from the index, so that thousands take less than a second."""
        return self.rows_of(self.snapshot())

    def rows_of(self, found: sync.Snapshot) -> "list[Row]":
        """`rows` of a snapshot that is at hand."""
        return index.rows(self.root, found, keep=not self.read_only)

    @property
    def pipeline(self) -> Pipeline:
        """The graph as it is now."""
        return self.snapshot().pipeline

    @property
    def graph(self) -> Pipeline:
        """The pipeline, with an input "JOB/" for each job that another one waits for."""
        return self.snapshot().graph

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

    def _names(self, jobs: "Iterable[Job | str | int]") -> list[str]:
        return [one.name if isinstance(one, Job) else self.job(one).name for one in jobs]

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
        return self.job(ask.ask(self.root, job, named(params), how or ask.How()))

    def run_workflow(self, workflow: str | Path, changes: Mapping[str, Any] | None = None, *, how: ask.How | None = None,
                     again: bool = False) -> "dict[str, Job]":
        """Ask for the jobs of a workflow (a TOML file, or one that comes with verglas); stage -> job. The same call goes on where it ended.

        `changes`: values by "stage.parameter". `how`: where all of them run; its `seed` and `deterministic` are those of every stage.
        `again`: new jobs for all stages.
        """
        self.require_writable()
        path, how = find_workflow(str(workflow)), how or ask.How()
        rules = {name: value for name, value in how.common.items() if name in ("seed", "deterministic") and value}
        stages = with_rules(read_workflow(path, changes), rules)
        return {stage: self.job(name) for stage, name in ask_all(self.root, path.stem, stages, how, again=again).items()}

    def stop_workflow(self, workflow: str | Path) -> tuple[str, ...]:
        """Stop its jobs at their next safe point, and hold those that wait; their names. `run_workflow` goes on."""
        self.require_writable()
        return stop_all(self.root, Path(workflow).stem)

    def save_workflow(self, target: Path, *jobs: "Job | str | int", about: str = "") -> int:
        """Write a new TOML file with these jobs (all when none) and what they build on; the number of jobs in it."""
        if target.exists():
            raise InputError("is there already", where=str(target), remedy="name a new file")
        text = make_workflow(self.root, self.pipeline, tuple(self._names(jobs)), about)
        try:
            with atomic_path(target) as path:
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise explain_os_error(error) or error from error
        return text.count("\nrun = ")

    def forecast(self, job: str, **params: Any) -> str:
        """What the job would do and need, in words; raises what is wrong. Takes seconds: it reads the input."""
        given = words.resolved(self.pipeline, words.named_values(self.root, job, named(params)))
        return forecast(self.root, words.words(job, given, {"dry_run": True}))

    def schedule(self) -> "list[Job]":
        """One round of the scheduler; does nothing while another process schedules. The jobs that wait or run after it."""
        self.require_writable()
        with scheduling(self.root) as scheduler:
            if scheduler:
                scheduler.step()
        return [one for one in self.jobs() if one.process.state in ("Scheduled", "Running")]

    def trash(self, *jobs: "Job | str | int", expected: Iterable[str] = ()) -> tuple[str, ...]:
        """Move jobs to Trash, with all that build on them; refused where these are others than `expected`."""
        self.require_writable()
        return edit.trash(self.root, self._names(jobs), tuple(expected))

    def trashed(self) -> tuple[str, ...]:
        """What is in the trash."""
        return edit.trashed(self.root)

    def restore(self, name: str) -> tuple[str, ...]:
        """Bring a job back from the trash, with what it builds on; of one that was cleaned, its files."""
        self.require_writable()
        if name in clean.cleaned(self.root):
            clean.put_back(self.root, name)
            return (name,)
        return edit.restore(self.root, name)

    def empty_trash(self) -> int:
        """Remove what is in the trash for good; the bytes that were freed."""
        self.require_writable()
        size = archive.trash_size(self.root)
        archive.empty_trash(self.root)
        return size

    def export(self, target: str | Path, *jobs: "Job | str | int") -> tuple[str, ...]:
        """Copy jobs (all when none) and what they build on into a new folder or .zip, a project of its own; the names of all that went."""
        return archive.export_jobs(self.root, self.pipeline, self._names(jobs), Path(target))

    def made(self, file: str | Path) -> "list[Job]":
        """The job that made a file, last, after all jobs that it builds on."""
        pipeline = self.graph
        name = graph.maker(pipeline, layout.in_project(self.root, file, pipeline))
        return [self.job(one) for one in (*graph.ancestors(pipeline, name), name)]

    def led_to(self, file: str | Path) -> "list[Job]":
        """The jobs that were given a file, and those that build on them."""
        pipeline = self.graph
        direct = graph.readers(pipeline, layout.in_project(self.root, file, pipeline))
        further = graph.reached(graph.children(pipeline), direct)
        return [self.job(one) for one in sorted({*direct, *further}, key=layout.number_of)]


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
