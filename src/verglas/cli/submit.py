"""`verglas submit`: a job is checked here, and handed to the queue of a cluster as a script in its job folder."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import App

from verglas.cli.command import keep_project, understood, with_options
from verglas.cli.help import page
from verglas.cli.main import SUBMIT, asked, job_meant
from verglas.cluster.queue import BUILT_IN, Queue, read_queue
from verglas.cluster.template import Wish, render, values
from verglas.errors import InputError
from verglas.jobs.common import CommonParams, choose, parse
from verglas.jobs.folder import next_job_folder, release, reserve
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.runner import Request, launch
from verglas.jobs.spec import Job, JobParams, option, options
from verglas.project.queued import hand_in, refuse_while_queued

PLANNED = 0.8
"""Part of the memory asked for that the job plans with; the rest is for what cannot be planned."""
TIME = r"\d+(-\d+)?(:\d+){0,2}"
PARTITION = r"[\w.,@+/:-]+"


class SubmitParams(JobParams):
    """Options of `verglas submit`, before the --."""

    queue: str = option("slurm", help=f"The queue: {', '.join(BUILT_IN)}, or a TOML file that describes another one (docs/cluster.md).")
    template: Path | None = option(None, help="Template of the script; without it the one of the queue.")
    tasks: int | None = option(None, help="Processes: the workers of a job that has --workers, or those of torchrun; default 1, or one for each GPU.",
                               ge=1, le=100_000)
    cpus: int = option(1, help="Cores of each process.", ge=1, le=4096)
    gpus: int = option(0, help="GPUs in all, one for each process.", ge=0, le=100_000)
    memory_gb: int | None = option(None, help="Memory on each machine; without it what the queue gives.", unit="GB", ge=1, le=100_000)
    time: str | None = option(None, help="Time limit, HH:MM:SS or D-HH:MM:SS; without it that of the queue.")
    partition: str | None = option(None, help="Partition, or queue, to wait in.")
    extra: str | None = option(None, help="Further options of the queue, as --extra=--account=mine.")
    dry_run: bool = option(False, help="Check the job, show the script, and write nothing.")


@dataclass(frozen=True)
class Asked:
    """A job as it was asked for: its words on the command line as given, and what they say."""

    job: Job
    words: tuple[str, ...]
    params: JobParams
    common: CommonParams

    def says(self, flag: str) -> bool:
        """Whether the option was given."""
        return any(word == flag or word.startswith(f"{flag}=") for word in self.words)


def submit_help() -> str:
    return page("submit [OPTIONS] -- JOB [OPTIONS OF THE JOB]", SUBMIT.partition(":")[0] + ".", {"Options": list(options(SubmitParams))})


def submit_command(given: Sequence[str]) -> int:
    """`given`: the words after submit."""
    own, dashes, words = (list(given[: given.index("--")]), True, given[given.index("--") + 1 :]) if "--" in given else (list(given), False, [])
    meant = job_meant(list(words))
    if not dashes or not asked(meant):
        raise InputError(f"no job {' '.join(meant[:1])!r} after --" if dashes else "no -- before the job",
                         remedy="verglas submit [OPTIONS] -- JOB ..., where JOB is one of: " + ", ".join(ENTRIES))
    job = find(asked(meant))

    def submit(chosen: dict[str, object]) -> int:
        params = parse(SubmitParams, chosen)
        return _call(job.name, understood(job, lambda found, common: _submit(params, Asked(job, tuple(meant), found, common))),
                     meant[len(job.name.split()) :])

    return _call("submit", with_options(submit, options(SubmitParams), "submit", SUBMIT), own)


def _call(name: str, command: object, words: list[str]) -> int:
    app = App(name, result_action="return_value", help_flags=(), version_flags=())
    app.default(command)  # type: ignore[call-overload]
    return int(app(words, exit_on_error=False, print_error=False))


def _submit(params: SubmitParams, asked_for: Asked) -> int:
    wish, queue = wish_of(params), read_queue(params.queue)
    kind = kind_of(asked_for, wish.tasks)
    template = _template(params, queue, kind)
    if asked_for.common.output or params.dry_run:
        folder = asked_for.common.output or next_job_folder(Path(), asked_for.job.folder)
        return _hand_in(params, asked_for, _script(template, wish, asked_for, folder, kind), wish, folder)
    folder, code = reserve(Path(), asked_for.job.folder), 1
    try:
        code = _hand_in(params, asked_for, _script(template, wish, asked_for, folder, kind), wish, folder)
    finally:
        if code:
            release(Path(), folder)
    return code


def _hand_in(params: SubmitParams, asked_for: Asked, script: str, wish: Wish, folder: Path) -> int:
    """The door checks, then the queue; the exit code."""
    refuse_while_queued(folder)
    code = _door(asked_for, wish, folder)
    if code or params.dry_run:
        print("" if code else f"\n{script}", end="")
        return code
    entry = hand_in(read_queue(params.queue), folder, script)
    keep_project()
    print(f"job {entry.job} of the queue, in {folder}; its log is {folder / 'run.out'}, that of the queue {entry.log}")
    return 0


def wish_of(params: SubmitParams) -> Wish:
    """What the queue is asked for; values that go into its options must look like what they are."""
    if params.gpus and params.tasks not in (None, params.gpus):
        raise InputError(f"{params.gpus} GPUs for {params.tasks} processes", where="--gpus", remedy="each process has one GPU: leave --tasks out")
    for flag, text, shape, remedy in (("--time", params.time, TIME, "such as 12:00:00 or 2-00:00:00"),
                                      ("--partition", params.partition, PARTITION, "letters, digits and . , @ + / : - are allowed")):
        if text and not re.fullmatch(shape, text):
            raise InputError(f"{text!r} is not understood", where=flag, remedy=remedy)
    extra = (params.extra,) if params.extra else ()
    return Wish(params.tasks or params.gpus or 1, params.cpus, params.gpus, params.memory_gb, params.time or "", params.partition or "", extra)


def kind_of(asked_for: Asked, tasks: int) -> Literal["plain", "workers"]:
    """Which template: several workers, or one process (or those of torchrun)."""
    job = asked_for.job
    if tasks == 1:
        return "plain"
    if "workers" in job.params.model_fields:
        if asked_for.says("--workers"):
            raise InputError(f"--workers in a job that is given {tasks} workers", where="verglas submit --tasks",
                             remedy="leave --workers out, or --tasks")
        return "workers"
    if not job.parallel:
        raise InputError(f"{job.name} runs in one process, not in {tasks}", where="verglas submit --tasks",
                         remedy="leave --tasks out; --cpus gives it cores")
    return "plain"


def _template(params: SubmitParams, queue: Queue, kind: Literal["plain", "workers"]) -> Path:
    path = params.template or getattr(queue, kind)
    if not path:
        raise InputError(f"this queue has no template {kind!r}", where=params.queue, remedy=f"name one there ({kind} = \"FILE\"), or give --template")
    return Path(path)


def _script(template: Path, wish: Wish, asked_for: Asked, folder: Path, kind: str) -> str:
    try:
        text = template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(template), remedy="give another --template") from error
    words = (sys.executable, "-m", "verglas", *asked_for.words, *_additions(wish, asked_for, folder, kind))
    return render(text, values(wish, words, folder.absolute(), Path.cwd(), sys.executable), str(template))


def _additions(wish: Wish, asked_for: Asked, folder: Path, kind: str) -> list[str]:
    """Options of the job that follow from what the queue is asked for."""
    added = [] if asked_for.common.output else ["--output", str(folder)]
    if not asked_for.says("--threads"):
        added += ["--threads", str(wish.cpus)]
    if wish.memory_gb and not asked_for.says("--memory-gb"):
        added += ["--memory-gb", f"{PLANNED * wish.memory_gb:g}"]
    return added + (["--workers", str(folder / "scheduler.json")] if kind == "workers" else [])


def _door(asked_for: Asked, wish: Wish, folder: Path) -> int:
    """The job's own check and forecast; the machine where it will run may have GPUs and memory that this one has not."""
    memory = asked_for.common.memory_gb or (wish.memory_gb and PLANNED * wish.memory_gb)
    here = asked_for.common.model_copy(update={"device": "cpu", "threads": wish.cpus, "memory_gb": memory})
    params = asked_for.params.model_copy(update={"workers": "1"}) if "workers" in type(asked_for.params).model_fields else asked_for.params
    continuing = asked_for.common.continue_ is not None
    return launch(asked_for.job, params, Request(choose(here), folder, continuing=continuing, dry_run=True))
