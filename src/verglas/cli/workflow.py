"""`verglas workflow ...` and `verglas rerun`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from verglas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cyclopts import App

    from verglas.api.job import Job
    from verglas.project.ask import How


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where all jobs of a workflow run, and with which random numbers.

    Parameters
    ----------
    queue
        Give every job to this queue of a cluster: slurm, or a TOML file.
    cpus
        Cores of each job; without it all of this machine, or one of the queue.
    gpus
        GPUs of each job; on this machine one where there is one, of a queue none.
    memory_gb
        Memory that the queue is asked for, in GB.
    time
        Time limit of each job in the queue, such as 12:00:00.
    partition
        Partition of the queue.
    seed
        Seed of all random numbers.
    deterministic
        The same bits on every run with the same threads; a little slower.
    """

    queue: str = ""
    cpus: int | None = None
    gpus: int | None = None
    memory_gb: int | None = None
    time: str = ""
    partition: str = ""
    seed: int = 0
    deterministic: bool = False

    def how(self, hold: bool) -> "How":
        from verglas.project.ask import How

        common = {"seed": self.seed, "deterministic": self.deterministic}
        wish = {"cpus": self.cpus, "gpus": self.gpus, "memory_gb": self.memory_gb, "time": self.time, "queue": self.partition}
        asked = {name: value for name, value in wish.items() if value not in (None, "")}
        if not self.queue and set(asked) - {"cpus", "gpus"}:
            raise InputError("memory, time and partition are asked of a queue", where="verglas workflow run", remedy="give --queue too")
        return How({name: value for name, value in common.items() if value}, cpus=self.cpus, gpus=self.gpus, queue=self.queue,
                   wish=asked if self.queue else {}, hold=hold)


def run(
    workflow: str, /, *change: str, project: Path = Path(), hold: bool = False, wait: bool = False, again: bool = False, where: Where | None = None
) -> int:
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
    from verglas.project.workflow import find_workflow, read_workflow

    wrong = [one for one in change if "=" not in one]
    if wrong:
        raise InputError(f"{wrong[0]!r} is not stage.parameter=value", remedy="for example import.pixel_size=1.1")
    changes, how = dict(one.split("=", 1) for one in change), (where or Where()).how(hold)
    read_workflow(find_workflow(workflow), changes)
    opened = open_project(project) if find_root(project) else new_project(project)
    made = opened.run_workflow(workflow, changes, how=how, again=again)
    for stage, job in made.items():
        print(f"{stage}: {job.name}", flush=True)
    if wait and not hold:
        _wait(made.values())
    elif not hold:
        print("they begin while `verglas project work` or the pages run")
    return 0


def _wait(jobs: "Iterable[Job]") -> None:
    for one in jobs:
        try:
            job = one.wait()
        except InputError as error:
            raise InputError(error.found, where=error.where, remedy=f"{error.remedy}; the same command goes on from there") from error
        took = "" if job.seconds is None else f" after {job.seconds:.0f} s"
        print(f"{job.name} succeeded{took}", flush=True)


def make(target: Path, /, *jobs: str, project: Path = Path(), about: str = "") -> int:
    """Write a workflow from jobs that are done, with all that they build on.

    Parameters
    ----------
    target
        New TOML file.
    jobs
        The last jobs; without any all.
    project
        A folder of the project.
    about
        A line that says what it is for.
    """
    from verglas.api.project import open_project

    number = open_project(project).save_workflow(target, *jobs, about=about)
    print(f"{target}: {number} jobs")
    return 0


def stop(workflow: str, /, *, project: Path = Path()) -> int:
    """Stop what runs of a workflow at its next safe point, and hold what waits; `verglas workflow run` goes on.

    Parameters
    ----------
    workflow
        Its file or name, as it was run.
    project
        A folder of the project.
    """
    from verglas.api.project import open_project

    print("\n".join(open_project(project).stop_workflow(workflow)) or "nothing of it runs or waits")
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
    app.command(stop)
    app.command(make)
