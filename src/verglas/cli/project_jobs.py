"""`verglas project ...`: what is done with jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError

if TYPE_CHECKING:
    from verglas.api.job import Job
    from verglas.api.project import Project


def open_here(folder: Path, read_only: bool = False) -> "Project":
    from verglas.api.project import open_project

    return open_project(folder, read_only=read_only)


def tell(jobs: "list[Job]") -> int:
    from verglas.project.schedule import scheduling, unfinished

    for one in jobs:
        name = f"{one.name} = {one.process.alias}" if one.process.alias else one.name
        print(f"{name}  {one.process.state}" + (f" ({one.detail})" if one.detail else ""))
    waiting = [one for one in jobs if one.process.state == "Scheduled"]
    if waiting and not waiting[0].project.read_only:
        root, pipeline = waiting[0].project.root, waiting[0].project.pipeline
        with scheduling(root) as nobody_else:
            if nobody_else and {one.name for one in waiting} & set(unfinished(root, pipeline)):
                print("what waits begins while `verglas project work` or `verglas web` runs")
    return 0


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
    opened = open_here(project)
    opened.job(job).stop(now=now)
    return tell([opened.job(job)])


def go_on(job: str, /, *, project: Path = Path(), again: bool = False, wait: bool = False) -> int:
    """Continue a job that was stopped or killed; let a draft go. It begins while `verglas project work` or the pages run, or with --wait.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    project
        A folder of the project.
    again
        From the beginning, in the same folder, for jobs that cannot be continued.
    wait
        Until it has ended.
    """
    meant = open_here(project).job(job)
    found = meant.start_again() if again else meant.go_on()
    return tell([found.wait() if wait else found])


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
    found = open_here(project).job(job).clone(how=How(hold=True) if hold else None, **changes)
    return tell([found.wait() if wait else found])


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
    return tell([open_here(project).job(job).rename(name)])


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
    found = open_here(project).job(job)
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

    opened = open_here(project)
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

    opened = open_here(project)
    if empty == bool(jobs):
        raise InputError("name the jobs" if not jobs else "--empty takes no jobs", remedy=f"it holds {', '.join(opened.trashed()) or 'no jobs'}")
    print(emptied(opened, yes) if empty else trashed(opened, jobs, yes))
    return 0


def restore(job: str, /, *, project: Path = Path()) -> int:
    """Bring a job back from Trash, with what it builds on; of one that was cleaned, its files.

    Parameters
    ----------
    job
        <JobType>/jobNNN or jobNNN.
    project
        A folder of the project.
    """
    from verglas.project.clean import cleaned as cleaned_jobs

    opened = open_here(project)
    found = [one for one in (*opened.trashed(), *cleaned_jobs(opened.root)) if one == job.rstrip("/") or one.endswith(f"/{job}")]
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
    went = open_here(project).export(target, *jobs)
    print(f"{len(went)} jobs in {target}: {', '.join(went)}")
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

    opened = open_here(project)
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
