"""`verglas <job> --help`: every option with its unit, default and range, straight from the Params.

Written here and not by cyclopts so that it answers in a quarter of a second (cyclopts and rich take as long again).
"""

import shutil
from textwrap import wrap

from verglas.jobs.common import CommonParams
from verglas.jobs.spec import Job, Option, options, short

INDENT = 2


def common_options(job: Job) -> tuple[Option, ...]:
    """The options of all jobs; --continue only where the job can."""
    return tuple(one for one in options(CommonParams) if one.name != "continue_" or job.can_continue)


def help_text(job: Job, width: int | None = None) -> str:
    """The whole page of a job, wrapped to the terminal."""
    own = options(job.params)
    sections = {
        "Options": [one for one in own if one.level == "normal"],
        "Advanced options": [one for one in own if one.level == "advanced"],
        "Running": list(common_options(job)),
    }
    return page(f"{job.name} [OPTIONS]", job.summary, sections, width)


def page(usage: str, summary: str, sections: dict[str, list[Option]], width: int | None = None) -> str:
    """How to call it, what it does, and its options in sections."""
    columns = width or min(shutil.get_terminal_size((100, 24)).columns, 120)
    left = max(len(_usage(one)) for found in sections.values() for one in found) + INDENT + 2
    lines = [f"Usage: verglas {usage}", "", *wrap(summary, columns)]
    for title, found in sections.items():
        if found:
            lines += ["", f"{title}:", *(line for one in found for line in _entry(one, left, columns))]
    return "\n".join(lines)


def _usage(one: Option) -> str:
    if one.annotation is not bool:
        return f"{one.flag} {one.placeholder}"
    return f"--no-{one.flag[2:]}" if one.default is True else one.flag


def _entry(one: Option, left: int, columns: int) -> list[str]:
    """The flag on the left, its help and facts wrapped on the right."""
    words = wrap(explained(one), max(columns - left, 30))
    head = f"{' ' * INDENT}{_usage(one)}".ljust(left)
    return [head + words[0], *(" " * left + line for line in words[1:])]


def explained(one: Option) -> str:
    """The help text with unit, default and range."""
    default = "required" if one.required else "" if one.default is None else f"default {_default(one)}"
    facts = [one.unit, default, one.bounds, " | ".join(map(str, one.choices))]
    return f"{one.help} [{'; '.join(filter(None, facts))}]" if any(facts) else one.help


def _default(one: Option) -> str:
    if isinstance(one.default, bool):
        return "yes" if one.default else "no"
    return short(one.default) if isinstance(one.default, float) else str(one.default)
