"""`verglas project ...`: words around verglas.api.project."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.errors import InputError

if TYPE_CHECKING:
    from cyclopts import App

    from verglas.api.project import Job, Project


def new(folder: Path = Path(), /) -> int:
    """Make a project here or in FOLDER; job folders that are there are taken in.

    Parameters
    ----------
    folder
        Folder of the project.
    """
    from verglas.api.project import new_project

    project = new_project(folder)
    print(f"project {project.root}, {len(project.jobs())} jobs")
    return 0


def status(*, project: Path = Path(), read_only: bool = False, json: bool = False, rebuild: bool = False) -> int:
    """The jobs: number, type, second name, state, time, and what they read from.

    Parameters
    ----------
    project
        A folder of the project.
    read_only
        Write nothing.
    json
        For programs.
    rebuild
        Make the index of the list anew from the folders.
    """
    from verglas.cli.project_words import job_table
    from verglas.project import index
    from verglas.project.graph import as_json

    opened = _open(project, read_only)
    if rebuild:
        opened.require_writable()
        index.rebuild(opened.root)
    if json:
        found = opened.snapshot()
        print(as_json(found.pipeline, found.details))
        return 0
    print(f"{opened.root}" + (" (read only)" if opened.read_only else ""))
    print(job_table(opened))
    return 0


def graph(*, project: Path = Path(), read_only: bool = False, format: Literal["text", "mermaid", "json"] = "text") -> int:
    """What came of what.

    Parameters
    ----------
    project
        A folder of the project.
    read_only
        Write nothing.
    format
        text, mermaid (for pages and documents) or json.
    """
    from verglas.project import graph as words

    found = _open(project, read_only).snapshot()
    print(words.as_mermaid(found.pipeline) if format == "mermaid" else
          words.as_json(found.pipeline, found.details) if format == "json" else words.as_text(found.pipeline, found.details))
    return 0


def made(file: Path, /, *, project: Path = Path()) -> int:
    """The job that made a file, and those that it builds on.

    Parameters
    ----------
    file
        A file of the project.
    project
        A folder of the project.
    """
    opened = _open(project)
    return _list(opened.made(_given(opened, file)))


def led_to(file: Path, /, *, project: Path = Path()) -> int:
    """The jobs that a file went into, and those that build on them.

    Parameters
    ----------
    file
        A file of the project.
    project
        A folder of the project.
    """
    opened = _open(project)
    return _list(opened.led_to(_given(opened, file)))


def stop(job: str, /, *, project: Path = Path(), now: bool = False) -> int:
    """Stop a job at its next safe point; one that waits becomes a draft.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    project
        A folder of the project.
    now
        End its process at once.
    """
    _open(project).job(job).stop(now=now)
    return 0


def go_on(job: str, /, *, project: Path = Path(), wait: bool = False) -> int:
    """Continue a job that was stopped or killed; let a draft go. It begins while `verglas project work` or the pages run, or with --wait.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    project
        A folder of the project.
    wait
        Until it has ended.
    """
    found = _open(project).job(job).go_on()
    return _list([found.wait() if wait else found])


def clone(job: str, /, *change: str, project: Path = Path(), hold: bool = False, wait: bool = False) -> int:
    """Ask for the same job with some other parameters: verglas project clone job012 mask_diameter=150

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    change
        name=value, as many as there are.
    project
        A folder of the project.
    hold
        Keep it as a draft.
    wait
        Until it has ended.
    """
    from verglas.project.ask import How

    wrong = [one for one in change if "=" not in one]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not name=value", remedy="for example mask_diameter=150")
    changes = {name.removeprefix("--").replace("-", "_"): value for name, _, value in (one.partition("=") for one in change)}
    found = _open(project).job(job).clone(how=How(hold=True) if hold else None, **changes)
    return _list([found.wait() if wait else found])


def alias(job: str, name: str = "", /, *, project: Path = Path()) -> int:
    """Give a job a second name; without NAME take it away.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    name
        The second name.
    project
        A folder of the project.
    """
    return _list([_open(project).job(job).rename(name)])


def note(job: str, text: str | None = None, /, *, project: Path = Path()) -> int:
    """Show the note of a job, or replace it by TEXT.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    text
        The new note.
    project
        A folder of the project.
    """
    found = _open(project).job(job)
    if text is None:
        print(found.note, end="")
    else:
        found.annotate(text)
    return 0


def clean(*jobs: str, project: Path = Path(), harsh: bool = False, yes: bool = False) -> int:
    """Show what cleaning would free, and with --yes move it to Trash: files of earlier iterations; --harsh: also images that can be made again.

    Parameters
    ----------
    jobs
        Jobs; without any all that have ended.
    project
        A folder of the project.
    harsh
        Also images that the job can make again from what it was given; jobs with a file NO_HARSH_CLEAN are left alone.
    yes
        Do it.
    """
    from verglas.cli.project_words import cleaned

    opened = _open(project)
    print(cleaned(opened, [opened.job(one) for one in jobs] or opened.jobs(), harsh, yes))
    return 0


def trash(*jobs: str, project: Path = Path(), yes: bool = False, empty: bool = False) -> int:
    """Move jobs to Trash, with all that build on them; without --yes only say which. --empty: remove what is there for good.

    Parameters
    ----------
    jobs
        The jobs.
    project
        A folder of the project.
    yes
        Do it.
    empty
        Remove everything that is in Trash.
    """
    from verglas.cli.project_words import emptied, trashed

    opened = _open(project)
    if empty == bool(jobs):
        raise InputError("name the jobs" if not jobs else "--empty takes no jobs", remedy=f"it holds {', '.join(opened.trashed()) or 'no jobs'}")
    print(emptied(opened, yes) if empty else trashed(opened, jobs, yes))
    return 0


def restore(job: str, /, *, project: Path = Path()) -> int:
    """Bring a job back from Trash, with what it builds on.

    Parameters
    ----------
    job
        <JobType>/jobNNN or jobNNN.
    project
        A folder of the project.
    """
    opened = _open(project)
    found = [one for one in opened.trashed() if one == job.rstrip("/") or one.endswith(f"/{job}")]
    came = opened.restore(found[0] if len(found) == 1 else job)
    print("\n".join(came))
    return 0


def export(target: Path, /, *jobs: str, project: Path = Path()) -> int:
    """Copy jobs and all that they build on into a folder, or a .zip: a project of its own.

    Parameters
    ----------
    target
        New folder or .zip file.
    jobs
        The jobs; without any all.
    project
        A folder of the project.
    """
    from verglas.project.archive import export_jobs

    opened = _open(project)
    names = [opened.job(one).name for one in jobs]
    went = export_jobs(opened.root, opened.pipeline, names, target)
    print(f"{len(went)} jobs in {target}: {', '.join(went)}")
    return 0


def import_relion(folder: Path = Path(), /) -> int:
    """Take over a RELION folder as it is: nothing is changed in it.

    Parameters
    ----------
    folder
        Folder of the RELION project.
    """
    from verglas.project.archive import adopt

    project = _open(adopt(folder))
    print(f"{project.root}: {len(project.jobs())} jobs; nothing was changed")
    return 0


def sync(*, project: Path = Path()) -> int:
    """Bring default_pipeline.star up to date with the job folders. In a folder without one, make it of what is there.

    Parameters
    ----------
    project
        A folder of the project.
    """
    opened = _open(project)
    opened.require_writable()
    print(f"{len(opened.snapshot().pipeline.processes)} jobs")
    return 0


def work(*, project: Path = Path(), until_idle: bool = False) -> int:
    """Start what waits, as CPUs and GPUs become free. Ending this ends no job.

    Parameters
    ----------
    project
        A folder of the project.
    until_idle
        End when nothing waits or runs any more.
    """
    from verglas.project.schedule import scheduling, unfinished

    opened = _open(project)
    opened.require_writable()
    with scheduling(opened.root) as scheduler:
        if scheduler is None:
            raise InputError("another process schedules this project", where=str(opened.root), remedy="leave it to that one")
        told: dict[str, str] = {}
        while True:
            found = scheduler.step()
            now = {one.name: one.state.lower() + (f": {found.details[one.name]}" if one.name in found.details else "")
                   for one in found.pipeline.processes}
            for name, state in now.items():
                if told.get(name) != state and (told or state.startswith(("running", "scheduled"))):
                    print(f"{time.strftime('%H:%M:%S')} {name} {state}", flush=True)
            told = now
            if until_idle and not unfinished(opened.root, found.pipeline):
                return 0
            time.sleep(1.0)


COMMANDS: dict[str, Callable[..., int]] = {
    "new": new, "status": status, "graph": graph, "made": made, "led-to": led_to, "stop": stop, "continue": go_on, "clone": clone,
    "alias": alias, "note": note, "clean": clean, "trash": trash, "restore": restore, "export": export, "import-relion": import_relion,
    "sync": sync, "work": work,
}


def fill(app: "App") -> None:
    """All commands of `verglas project`."""
    for name, one in COMMANDS.items():
        app.command(one, name=name)


def _open(folder: Path, read_only: bool = False) -> "Project":
    from verglas.api.project import open_project

    return open_project(folder, read_only=read_only)


def _given(project: "Project", file: Path) -> Path:
    """A file as it is named here, or from the project's folder."""
    return file.absolute() if file.exists() or not (project.root / file).exists() else project.root / file


def _list(jobs: "list[Job]") -> int:
    for one in jobs:
        print(f"{one.name}  {one.process.state}" + (f" ({one.detail})" if one.detail else ""), file=sys.stdout)
    return 0
