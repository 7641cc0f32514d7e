"""`verglas workflow ...` and `verglas rerun`."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError

if TYPE_CHECKING:
    from cyclopts import App


def run(workflow: str, /, *change: str, project: Path = Path(), hold: bool = False, wait: bool = False) -> int:
    """Ask for all jobs of a workflow: verglas workflow run betagal import.pixel_size=1.1

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
    """
    from verglas.api.project import open_project
    from verglas.project.workflow import ask_all, find_workflow, read_workflow

    wrong = [one for one in change if "=" not in one]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not stage.parameter=value", remedy="for example import.pixel_size=1.1")
    stages = read_workflow(find_workflow(workflow), dict(one.split("=", 1) for one in change))
    opened = open_project(project)
    opened.require_writable()
    made = ask_all(opened.root, stages, hold)
    for stage, name in made.items():
        print(f"{stage}: {name}", flush=True)
    if wait:
        for name in made.values():
            print(f"{name} {opened.job(name).wait().process.state.lower()}", flush=True)
    elif not hold:
        print("they begin while `verglas project work` or the pages run")
    return 0


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
