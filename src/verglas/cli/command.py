"""One command from one Job: its options are the job's Params plus those that all jobs share."""

import inspect
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Group, Parameter

from verglas.errors import InputError, VerglasError
from verglas.jobs.common import CommonParams, choose, continued, parse
from verglas.jobs.runner import Request, complain, launch
from verglas.jobs.spec import Job, Option, options, short

MAIN = Group("Options", sort_key=1)
ADVANCED = Group("Advanced options", sort_key=2)
COMMON = Group("Running", sort_key=3)


def command(job: Job) -> Callable[..., int]:
    """A function whose signature cyclopts turns into options; called, it runs the job and returns the exit code."""
    own = options(job.params)
    common = tuple(one for one in options(CommonParams) if one.name != "continue_" or job.can_continue)

    def run(**given: Any) -> int:
        chosen = {name: value for name, value in given.items() if value is not None}
        rules = {one.name: chosen.pop(one.name) for one in common if one.name in chosen}
        try:
            return _start(job, chosen, rules)
        except VerglasError as error:
            return complain(str(error), error.exit_code)

    shown = [(one, MAIN if one.level == "normal" else ADVANCED) for one in own] + [(one, COMMON) for one in common]
    run.__signature__ = inspect.Signature([_parameter(*pair) for pair in shown])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = job.name.replace(" ", "_"), job.summary
    return run


def _parameter(one: Option, group: Group) -> inspect.Parameter:
    """Text on the way in (pydantic converts and explains), except switches; None means not given."""
    kind: Any = bool if one.annotation is bool else str
    hint = Parameter(
        name=one.flag, help=_help(one), group=group, show_default=False, required=False, metavar=one.placeholder,
        negative=f"--no-{one.flag[2:]}" if one.default is True else (),
    )
    typed = Annotated[kind | None, hint]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=typed)


def _help(one: Option) -> str:
    """The help text with unit, default and range."""
    default = "required" if one.required else "" if one.default is None else f"default {shown_default(one)}"
    facts = [one.unit, default, one.bounds, " | ".join(map(str, one.choices))]
    return f"{one.help} [{'; '.join(filter(None, facts))}]" if any(facts) else one.help


def shown_default(one: Option) -> str:
    if isinstance(one.default, bool):
        return "yes" if one.default else "no"
    return short(one.default) if isinstance(one.default, float) else str(one.default)


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
