"""The command line: `verglas <job> --option value`. Only the command that is asked for is imported."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import VerglasError
from verglas.jobs.registry import ENTRIES, find
from verglas.version import VERSION

if TYPE_CHECKING:
    from cyclopts import App

HELP = """Single-particle cryo-EM: from movies to a map.

A job writes into --output, or into the next <JobType>/jobNNN of the folder it is started in.
"""
SUBMIT = "Give a job to the queue of a cluster: verglas submit [OPTIONS] -- JOB [OPTIONS OF THE JOB]"
RERUN = "Repeat a job with the same parameters and seed, and compare."
FIXED_POSES = "--fixed-poses"
"""`class3d --fixed-poses` is the job class3d-fixed."""
GROUPS = {
    "import": "Files from elsewhere, with what the microscope was set to.", "pick": "Find particles in micrographs.",
    "simulate": "Make data with a known truth.", "map": "Look at maps and change them.", "export": "Files for other programs.",
    "queue": "Jobs that were given to a queue with submit.", "project": "The project folder: its jobs, what made what, what waits.",
    "workflow": "A chain of jobs as a small file.",
}


def build_app(arguments: Sequence[str]) -> "App":
    """Every job as a command; "map crop" is the command crop of the group map. The one in `arguments` is filled in."""
    app = _app("verglas", HELP)
    owners = {"": app} | {name: _app(name, text) for name, text in GROUPS.items()}
    for name in GROUPS:
        app.command(owners[name])
    meant = asked(arguments)
    for name, entry in ENTRIES.items():
        group, _, last = name.rpartition(" ")
        if name == meant:
            from verglas.cli.command import command

            owners[group].command(command(find(name)), name=last)
        else:
            owners[group].command(_app(last, entry.summary))
    owners["map"].command(info)
    for one in (status, cancel):
        owners["queue"].command(one)
    if list(arguments[:1]) == ["project"]:
        from verglas.cli.project import fill

        fill(owners["project"])
    if list(arguments[:1]) == ["workflow"]:
        from verglas.cli.workflow import fill as fill_workflow

        fill_workflow(owners["workflow"])
    for other in (report, demo):
        app.command(other)
    if list(arguments[:1]) == ["web"]:
        from verglas.cli.web import web

        app.command(web)
    else:
        app.command(_app("web", "The project in the browser."))
    if list(arguments[:1]) == ["rerun"]:
        from verglas.cli.workflow import rerun

        app.command(rerun)
    else:
        app.command(_app("rerun", RERUN))
    app.command(_app("submit", SUBMIT))
    return app


def _app(name: str, text: str) -> "App":
    from cyclopts import App

    return App(name, help=text, version=VERSION, help_format="plaintext", result_action="return_value")


def info(*maps: Path) -> int:
    """Box, pixel size, density, contrast and place of the particle.

    Parameters
    ----------
    maps
        MRC files.
    """
    from verglas.cli.info import describe_map

    for path in maps:
        print(describe_map(path))
    return 0


def report(job_dir: Path, /) -> int:
    """Write report.html of a job folder again (also while the job runs).

    Parameters
    ----------
    job_dir
        The job folder.
    """
    from verglas.report.build import build_report

    print(build_report(job_dir))
    return 0


def status(job_dir: Path, /) -> int:
    """Where a job is: waiting, running, or ended and how.

    Parameters
    ----------
    job_dir
        The job folder.
    """
    from verglas.project.queued import tell_status

    print(tell_status(job_dir))
    return 0


def cancel(job_dir: Path, /) -> int:
    """Take a job out of the queue, or stop it.

    Parameters
    ----------
    job_dir
        The job folder.
    """
    from verglas.project.queued import cancel_job

    print(cancel_job(job_dir))
    return 0


def demo(*, output: Path = Path("demo"), threads: int = 0) -> int:
    """Simulate a small data set, refine it, sharpen it, and compare it with the truth; about two minutes.

    Parameters
    ----------
    output
        Folder for the demonstration project.
    threads
        CPU threads; 0: all cores.
    """
    from verglas.cli.demo import run_demo

    return run_demo(output, threads)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; exit codes: 0 done, 2 the input is wrong, 1 a bug, 130 stopped."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # saves the search for plug-ins: 30 ms of --help
    given = job_meant(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(_dispatch(given))
    except VerglasError as error:
        sys.exit(_complain(str(error), error.exit_code))
    except KeyboardInterrupt:
        sys.exit(_complain("stopped", 130))
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def job_meant(given: list[str]) -> list[str]:
    """`class3d ... --fixed-poses ...` -> `class3d-fixed ...`."""
    if given[:1] != ["class3d"] or FIXED_POSES not in given:
        return given
    return ["class3d-fixed", *(one for one in given[1:] if one != FIXED_POSES)]


def _dispatch(given: list[str]) -> int:
    """Help of one job without cyclopts; everything else through it."""
    name, submitting = asked(given), given[:1] == ["submit"]
    if submitting and {"--help", "-h"} & set(given):
        from verglas.cli.submit import submit_help

        print(submit_help())
        return 0
    if name and {"--help", "-h"} & set(given):
        from verglas.cli.help import help_text

        print(help_text(find(name)))
        return 0
    from cyclopts import CycloptsError

    try:
        if submitting:
            from verglas.cli.submit import submit_command

            return submit_command(given[1:])
        code = build_app(given)(given, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        from verglas.cli.hint import complaint

        return _complain(complaint(error), 2)
    return code if isinstance(code, int) else 0


def asked(given: Sequence[str]) -> str:
    """The job that the first words name, empty when none."""
    return next((name for name in ENTRIES if list(given[: len(name.split())]) == name.split()), "")


def _complain(text: str, code: int) -> int:
    print(f"verglas: {text}", file=sys.stderr)
    return code
