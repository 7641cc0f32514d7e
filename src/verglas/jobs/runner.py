"""Runs a job: door checks first, then its folder, its record, its markers and its exit code."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from verglas.errors import InputError, VerglasError
from verglas.jobs import folder as job_folder
from verglas.jobs.context import Context, Stopped, StopRequest
from verglas.jobs.job_star import write_job_star
from verglas.jobs.journal import Journal
from verglas.jobs.outputs import FILE, RULES, outputs_of
from verglas.jobs.provenance import earlier_runs, record, write_record
from verglas.jobs.spec import Job, JobParams, Plan
from verglas.jobs.tell import REPORTED, last_page
from verglas.runtime.group import ALONE, Agreed, Elsewhere, Group, joined, started
from verglas.runtime.resources import Resources, apply

if TYPE_CHECKING:
    from verglas.report.data import State as Ending

EXIT_OK, EXIT_BUG, EXIT_INPUT, EXIT_ABORTED = 0, 1, 2, 130
ENDINGS: dict[job_folder.Outcome, "Ending"] = {"SUCCESS": "finished", "FAILURE": "failed", "ABORTED": "aborted"}
ECHO = 2.0
"""Seconds: torchrun passes on the signal of a Ctrl-C that its processes get anyway; so soon the second one is the same."""


@dataclass(frozen=True)
class Request:
    """How to run a job. `output` None: the next <folder>/jobNNN of `project`; `continuing`: go on in `output`.

    `group`: the processes that share the work; all of them are given the same request. `stop`: shared with the job that runs this one.
    `reports`: see Context. `changed`: called in the leader when the job has its folder, and when it has ended.
    """

    resources: Resources = field(default_factory=Resources)
    output: Path | None = None
    project: Path = Path()
    continuing: bool = False
    dry_run: bool = False
    quiet: bool = False
    command: str = ""
    group: Group = ALONE
    stop: StopRequest = field(default_factory=StopRequest)
    reports: bool = True
    changed: Callable[[], None] = lambda: None


def launch(job: Job, params: JobParams, request: Request) -> int:
    """`run_job` for the command line, in every process of torchrun: problems become a short message on stderr and an exit code."""
    group = started()
    code = _launched(job, params, request, group)
    if group.size > 1:  # Gloo's threads may still be there when Python takes its libraries down, which ends the process by SIGABRT
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _launched(job: Job, params: JobParams, request: Request, group: Group) -> int:
    if group.size > 1 and not job.parallel:
        return _alone(job, group)
    journal = Journal(quiet=request.quiet, mute=not group.leads)
    try:
        with joined(group, request.resources.device):
            run_job(job, params, replace(request, group=group), journal)
    except Agreed as error:
        return _leave(group, str(error), error.exit_code)
    except Stopped:
        return _leave(group, _stopped(job), EXIT_ABORTED)
    except KeyboardInterrupt:
        return complain(_stopped(job), EXIT_ABORTED)
    except Elsewhere as error:
        return error.exit_code if not group.leads else complain(str(error), error.exit_code)
    except VerglasError as error:
        return complain(_signed(str(error), group), error.exit_code)
    except Exception as error:
        if journal.folder is None:
            traceback.print_exc()
        where = journal.folder / "run.err" if journal.folder else "the lines above"
        return complain(_signed(f"unexpected {type(error).__name__}: {error}\n  -> please report it with {where}", group), EXIT_BUG)
    return EXIT_OK


def _stopped(job: Job) -> str:
    return "stopped on request; go on with --continue" if job.can_continue else "stopped"


def _alone(job: Job, group: Group) -> int:
    """Only the leader fails: torchrun ends the others with the first one that does, and this one has to speak before."""
    error = InputError(f"{job.name} runs in one process, not in {group.size}", remedy="start it without torchrun")
    return complain(str(error), error.exit_code) if group.leads else EXIT_OK


def _leave(group: Group, text: str, code: int) -> int:
    """The leader speaks for all; torchrun ends the others when the first one has left, so nobody leaves before that."""
    if group.leads:
        complain(text, code)
    group.wait()
    return code


def _signed(text: str, group: Group) -> str:
    """With the number of the process, where there are several."""
    return text if group.size == 1 else f"process {group.rank}: {text}"


def run_job(job: Job, params: JobParams, request: Request, journal: Journal | None = None) -> Path:
    """Check, run and mark a job; returns its folder. Raises what went wrong after it was written to run.err."""
    journal, group = journal or Journal(quiet=request.quiet), request.group
    output = _place(job, request)
    context = Context(output, request.project, request.resources, journal, request.continuing, request.stop, group, request.reports)
    try:
        plan = _door(job, params, context)
    except BaseException:
        if request.output is None and not request.dry_run and group.leads:
            job_folder.release(request.project, output)
        raise
    if request.dry_run:
        if group.leads:
            print("\n".join(describe(job, plan, output)))
        return output
    with _explained():
        _open(job, params, request, plan, context)
    with _heeding_signals(request.stop, context), _telling(request):
        _run_marked(job, params, replace(context, found=plan.found))
    return output


@contextmanager
def _telling(request: Request) -> Iterator[None]:
    """Whoever keeps the project hears of the job when it begins and when it has ended."""
    if request.group.leads:
        request.changed()
    try:
        yield
    finally:
        if request.group.leads:
            request.changed()


def _place(job: Job, request: Request) -> Path:
    """The job folder. The leader takes the next number of the project, so that nobody else gets it; a dry run only looks."""
    if request.output is not None:
        return request.output
    folder, problem = Path(), None
    try:
        if request.group.leads:
            folder = (job_folder.next_job_folder if request.dry_run else job_folder.reserve)(request.project, job.folder)
    except VerglasError as error:
        problem = error
    request.group.agree(problem)
    return request.group.tell(folder)


def _door(job: Job, params: JobParams, context: Context) -> Plan:
    """What the job is going to do; raised in all processes when one of them finds something wrong."""
    plan, problem = Plan(), None
    try:
        job_folder.check_usable(context.output, continuing=context.continuing, foreign=job.adopt is not None)
        with _explained():
            plan = job.check(params, context)
    except VerglasError as error:
        problem = error
    context.group.agree(problem)
    return plan


def describe(job: Job, plan: Plan, output: Path) -> list[str]:
    """The forecast in words."""
    width = max((len(line.name) for line in plan.lines), default=0)
    rows = [f"  {line.name:<{width}}  {line.value}" + (f"   ({line.why})" if line.why else "") for line in plan.lines]
    return [f"{job.name}: would write into {output}", *rows, *(f"  warning: {text}" for text in plan.warnings)]


def _open(job: Job, params: JobParams, request: Request, plan: Plan, context: Context) -> None:
    """The folder with job.json, job.star, run.out, run.err and events.jsonl, which the leader makes."""
    if not context.group.leads:
        context.journal.open(context.output, keep=True)
        return
    content = record(job, params, request.resources, request.command, plan.inputs) | {"processes": context.group.size}
    if request.continuing:
        content["earlier"] = earlier_runs(context.output)
    job_folder.create(context.output)
    context.journal.open(context.output, keep=request.continuing)
    write_record(context.output, content)
    write_job_star(context.output / "job.star", job, params, continuing=request.continuing)
    context.log(f"{job.name} in {context.output}")
    for line in plan.lines:
        context.log(f"  {line.name}: {line.value}" + (f" ({line.why})" if line.why else ""))
    for text in plan.warnings:
        context.warn(text)
    context.event("start", job=job.name, continuing=request.continuing, threads=request.resources.threads, processes=context.group.size)


def _run_marked(job: Job, params: JobParams, context: Context) -> None:
    """Run and (as the leader) leave exactly one exit marker, whatever happens."""
    begun = time.monotonic()
    outcome: job_folder.Outcome = "FAILURE"
    try:
        with _explained():
            apply(context.resources)
            job.run(params, context)
            _hand_on(job, context)
        outcome = "SUCCESS"
    except (Stopped, KeyboardInterrupt):
        outcome = "ABORTED"
        raise
    except Elsewhere as error:
        if context.group.leads:
            context.journal.error(f"error: {error}")
        raise
    except VerglasError as error:
        context.journal.error(_signed(f"error: {error}", context.group))
        raise
    except BaseException:
        context.journal.error(_signed(traceback.format_exc(), context.group))
        raise
    finally:
        seconds = time.monotonic() - begun
        context.event("end", outcome=outcome, seconds=round(seconds, 2), peak_memory_gb=round(_peak_memory(), 2))
        context.journal.close()
        context.log(f"{job.name}: {outcome.lower()} after {seconds:.1f} s, files in {context.output}")
        if context.group.leads:
            try:
                if context.reports and job.folder in REPORTED:
                    last_page(context, ENDINGS[outcome])
            finally:
                job_folder.mark(context.output, outcome)


def _hand_on(job: Job, context: Context) -> None:
    """RELION_OUTPUT_NODES.star."""
    from verglas.io.pipeline_star import write_output_nodes

    if context.group.leads and job.name in RULES:
        named = job_folder.named_in(context.project.resolve(), context.output.resolve())
        write_output_nodes(context.output / FILE, outputs_of(job.name, context.output, named))


@contextmanager
def _explained() -> Iterator[None]:
    """Full disks, missing permissions and exhausted memory become messages with a remedy."""
    try:
        yield
    except OSError as error:
        explained = job_folder.explain_os_error(error)
        if explained is None:
            raise
        raise explained from error
    except (MemoryError, RuntimeError) as error:
        text = (str(error) or "an allocation failed").splitlines()[0]
        if not (isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text):
            raise
        raise InputError(
            f"not enough memory: {text}",
            remedy="lower --memory-gb so that smaller blocks are planned, use fewer --threads, or a smaller box",
        ) from error


@contextmanager
def _heeding_signals(stop: StopRequest, context: Context) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a clean stop; the second one stops at once."""
    first = 0.0
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if stop.asked and (context.group.size == 1 or time.monotonic() > first + ECHO):
            raise KeyboardInterrupt
        if stop.asked:
            return
        stop.asked, first = True, time.monotonic()
        context.log(f"{signal.Signals(number).name}: stopping at the next safe point (once more: at once)")

    previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {
        number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def _peak_memory() -> float:
    """GiB of resident memory this process had at most."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**3 if sys.platform == "darwin" else peak / 1024**2


def complain(text: str, code: int) -> int:
    """A message for the user on stderr; gives back the exit code."""
    print(f"verglas: {text}", file=sys.stderr, flush=True)
    return code
