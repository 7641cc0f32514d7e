"""One command from one Job: its options are the job's Params plus those that all jobs share."""

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from verglas.cli.help import common_options
from verglas.errors import InputError, VerglasError
from verglas.jobs.common import CommonParams, choose, continued, parse
from verglas.jobs.runner import Request, complain, launch
from verglas.jobs.spec import Job, JobParams, Option, options
from verglas.runtime.group import started


def command(job: Job) -> Callable[..., int]:
    """A function whose signature cyclopts turns into options; called, it runs the job and returns the exit code."""

    def run(params: JobParams, common: CommonParams) -> int:
        request = Request(
            choose(common), common.output, continuing=common.continue_ is not None, dry_run=common.dry_run,
            command=shlex.join(["verglas", *sys.argv[1:]]), changed=keep_project,
        )
        return launch(job, params, request)

    return understood(job, run)


def keep_project() -> None:
    """In a project the pipeline follows. A job does not fail because that cannot be written: the next sync makes up for it."""
    from verglas.project.layout import find_root
    from verglas.project.sync import sync

    root = find_root()
    if root == Path().absolute():
        try:
            sync(root)
        except (VerglasError, OSError) as error:
            print(f"verglas: default_pipeline.star is not up to date: {error}", file=sys.stderr)


def understood(job: Job, act: Callable[[JobParams, CommonParams], int]) -> Callable[..., int]:
    """The command that gives the options of a job to `act`, parsed; when continuing, on top of those of the earlier job."""

    def run(given: dict[str, Any]) -> int:
        rules = {one.name: given.pop(one.name) for one in common if one.name in given}
        try:
            return act(*_parsed(job, given, rules))
        except VerglasError as error:
            return complain(str(error), error.exit_code) if started().leads else error.exit_code

    common = common_options(job)
    return with_options(run, (*options(job.params), *common), job.name.replace(" ", "_"), job.summary)


def with_options(act: Callable[[dict[str, Any]], int], shown: Sequence[Option], name: str, summary: str) -> Callable[..., int]:
    """A function with these options as its signature; `act` gets those that were given."""

    def run(**given: Any) -> int:
        return act({name: value for name, value in given.items() if value is not None})

    run.__signature__ = inspect.Signature([_parameter(one) for one in shown])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = name, summary
    return run


def _parameter(one: Option) -> inspect.Parameter:
    """Text on the way in (pydantic converts and explains), except switches; None means not given."""
    kind: Any = bool if one.annotation is bool else list[str] if one.several else str
    hint = Parameter(name=one.flag, required=False, consume_multiple=one.several, negative=f"--no-{one.flag[2:]}" if one.default is True else ())
    typed = Annotated[kind | None, hint]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=typed)


def _parsed(job: Job, chosen: dict[str, Any], rules: dict[str, Any]) -> tuple[JobParams, CommonParams]:
    folder = parse(CommonParams, rules).continue_
    if folder is not None:
        if "output" in rules:
            raise InputError("--output and --continue exclude each other", remedy="a continued job stays in its folder")
        earlier, kept = continued(job, folder)
        chosen, rules = earlier | chosen, kept | rules | {"output": folder}
    common = parse(CommonParams, rules)
    return parse(job.params, chosen), common
