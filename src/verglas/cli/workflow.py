"""`verglas workflow ...` and `verglas rerun`."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyclopts import App

    from verglas.api.project import Project


def run(workflow: str, /, *change: str, project: Path = Path(), hold: bool = False, wait: bool = False, again: bool = False) -> int:
    """Ask for all jobs of a workflow: verglas workflow run betagal import.pixel_size=1.1 --wait

    The same command goes on where the last one ended: what succeeded stays, what was stopped, killed or failed goes on, and only what
    another value reaches is made anew. A folder that lies in no project becomes one.

    Parameters
    ----------
    workflow
        A TOML file, or betagal (the tutorial).
    change
        stage.parameter=value, as many as there are.
    project
        A folder of the project.
    hold
        Keep them as drafts.
    wait
        Run them, one after the other, until the last one has ended.
    again
        New jobs for all stages, whatever is there.
    """
    from verglas.api.project import new_project, open_project
    from verglas.project.layout import find_root
    from verglas.project.progress import ask_all
    from verglas.project.workflow import find_workflow, read_workflow

    wrong = [one for one in change if "=" not in one]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not stage.parameter=value", remedy="for example import.pixel_size=1.1")
    path = find_workflow(workflow)
    stages = read_workflow(path, dict(one.split("=", 1) for one in change))
    opened = open_project(project) if find_root(project) else new_project(project)
    opened.require_writable()
    made = ask_all(opened.root, path.stem, stages, hold=hold, again=again)
    for stage, name in made.items():
        print(f"{stage}: {name}", flush=True)
    if wait and not hold:
        _wait(opened, made)
    elif not hold:
        print("they begin while `verglas project work` or the pages run")
    return 0


def _wait(project: "Project", made: "Mapping[str, str]") -> None:
    for name in made.values():
        try:
            job = project.job(name).wait()
        except InputError as error:
            raise InputError(error.found, where=error.where, remedy=f"{error.remedy}; the same command goes on from there") from error
        took = "" if job.seconds is None else f" after {job.seconds:.0f} s"
        print(f"{name} succeeded{took}", flush=True)


def make(target: Path, /, *jobs: str, project: Path = Path()) -> int:
    """Write a workflow from jobs that are done, with all that they build on.

    Parameters
    ----------
    target
        New TOML file.
    jobs
        The last jobs; without any all.
    project
        A folder of the project.
    """
    from verglas.api.project import open_project
    from verglas.io.atomic import atomic_path
    from verglas.project.workflow import make_workflow

    if target.exists():
        raise InputError("is there already", where=str(target), remedy="name a new file")
    opened = open_project(project)
    text = make_workflow(opened.root, opened.pipeline, tuple(opened.job(one).name for one in jobs))
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")
    print(f"{target}: {text.count('run = ')} jobs")
    return 0


def rerun(job: str, /, *, project: Path = Path()) -> int:
    """Repeat a job with the same parameters and seed, and compare what it hands on. Exit code 0: equal; 3: different.

    Parameters
    ----------
    job
        Number, jobNNN, <JobType>/jobNNN or second name.
    project
        A folder of the project.
    """
    from verglas.api.project import open_project
    from verglas.project.compare import compare_jobs

    old = open_project(project).job(job)
    new = old.rerun()
    print(f"{new.name} repeats {old.name}", flush=True)
    new.wait()
    found = compare_jobs(old.project.root, old.project.pipeline, old.name, new.name)
    for one in found:
        print(f"  {one.file}: {one.told}")
    same = all(one.equal for one in found)
    print("equal" if same else "different")
    return 0 if same else 3


def fill(app: "App") -> None:
    app.command(run)
    app.command(make)
