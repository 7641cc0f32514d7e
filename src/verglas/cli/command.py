"""One command from one Job: its options are the job's Params plus those that all jobs share."""

import inspect
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from verglas.cli.help import common_options
from verglas.errors import InputError, VerglasError
from verglas.jobs.common import CommonParams, choose, continued, parse
from verglas.jobs.runner import Request, complain, launch
from verglas.jobs.spec import Job, Option, options
from verglas.runtime.group import started


def command(job: Job) -> Callable[..., int]:
    """A function whose signature cyclopts turns into options; called, it runs the job and returns the exit code."""
    own, common = options(job.params), common_options(job)

    def run(**given: Any) -> int:
        chosen = {name: value for name, value in given.items() if value is not None}
        rules = {one.name: chosen.pop(one.name) for one in common if one.name in chosen}
        try:
            return _start(job, chosen, rules)
        except VerglasError as error:
            return complain(str(error), error.exit_code) if started().leads else error.exit_code

    run.__signature__ = inspect.Signature([_parameter(one) for one in (*own, *common)])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = job.name.replace(" ", "_"), job.summary
    return run


def _parameter(one: Option) -> inspect.Parameter:
    """Text on the way in (pydantic converts and explains), except switches; None means not given."""
    kind: Any = bool if one.annotation is bool else list[str] if one.several else str
    hint = Parameter(name=one.flag, required=False, consume_multiple=one.several, negative=f"--no-{one.flag[2:]}" if one.default is True else ())
    typed = Annotated[kind | None, hint]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=typed)


def _start(job: Job, chosen: dict[str, Any], rules: dict[str, Any]) -> int:
    """The options given now, on top of those of the earlier job when continuing; then the job."""
    folder = parse(CommonParams, rules).continue_
    if folder is not None:
        if "output" in rules:
            raise InputError("--output and --continue exclude each other", remedy="a continued job stays in its folder")
        earlier, kept = continued(job, folder)
        chosen, rules = earlier | chosen, kept | rules | {"output": folder}
    common, params = parse(CommonParams, rules), parse(job.params, chosen)
    request = Request(
        choose(common), common.output, continuing=folder is not None, dry_run=common.dry_run,
        command=shlex.join(["verglas", *sys.argv[1:]]),
    )
    return launch(job, params, request)
