"""A submission script from a template: text with {placeholders}, and values that cannot become commands.

In the lines of the shell a value is quoted, so a placeholder must not stand inside quotes there. Lines that begin with # are for the queue:
values are put in as they are, a list gives one line for each of its items, and a line whose value is missing is left out.
`${name}` belongs to the shell and is not touched.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import InputError

GUARD = Path(__file__).with_name("guard.sh")
PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)\}")
KNOWN = {
    "command": "the verglas command",
    "name": "name of the job, of letters and digits",
    "output": "the job folder",
    "project": "the folder in which the job is submitted",
    "tasks": "number of processes",
    "cpus": "cores of each process",
    "gpus": "number of GPUs, one for each process; missing without GPUs",
    "memory_gb": "memory on each machine, GB",
    "time": "time limit",
    "queue": "queue or partition",
    "extra": "further options of the queue",
    "python": "the Python that verglas is installed in",
    "worker": "the command of one dask worker",
    "guard": "exit markers and reasons whatever ends the job; defines start_scheduler, needs and run",
}

Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What the queue is asked for. `gpus` 0 or equal to `tasks`; `memory_gb` on each machine; `extra` options of the queue, one on each line."""

    tasks: int = 1
    cpus: int = 1
    gpus: int = 0
    memory_gb: int | None = None
    time: str = ""
    queue: str = ""
    extra: tuple[str, ...] = ()


def values(wish: Wish, command: tuple[str, ...], output: Path, project: Path, python: str) -> dict[str, Value]:
    """The placeholders of one job; paths absolute."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", f"{output.parent.name}-{output.name}").strip("-.") or "verglas"
    worker = (python, "-m", "dask", "worker", "--scheduler-file", str(output / "scheduler.json"), "--nworkers", "1", "--nthreads", "1",
              "--memory-limit", "0", "--death-timeout", "60", "--no-dashboard")
    return {
        "command": command, "name": name, "output": str(output), "project": str(project), "tasks": str(wish.tasks), "cpus": str(wish.cpus),
        "gpus": str(wish.gpus or ""), "memory_gb": "" if wish.memory_gb is None else str(wish.memory_gb), "time": wish.time,
        "queue": wish.queue, "extra": wish.extra, "python": python, "worker": worker,
    }


def render(text: str, given: Mapping[str, Value], where: str) -> str:
    """The script. `where`: the file that the template comes from, for messages."""
    _check_names(text, where)
    text = re.sub(r"(?m)^\{guard\}[ \t]*$", lambda _: GUARD.read_text(encoding="utf-8").rstrip("\n"), text)
    inside, lines, begin = quoted(text), list[str](), 0
    for line in text.splitlines(keepends=True):
        for found in PLACEHOLDER.finditer(line):
            if found[1] == "guard":
                raise InputError("{guard} needs a line of its own", where=_line(where, line), remedy="put it alone on a line, from its first column")
            if not line.startswith("#") and inside[begin + found.start()]:
                raise InputError(f"{found[0]} stands inside quotes", where=_line(where, line),
                                 remedy="leave the quotes out: the value is quoted where needed")
        lines += _for_queue(line, given, where) if line.startswith("#") else [_for_shell(line, given)]
        begin += len(line)
    return "".join(lines)


def _check_names(text: str, where: str) -> None:
    for line in text.splitlines():
        for found in PLACEHOLDER.finditer(line):
            if found[1] not in KNOWN:
                raise InputError(f"there is no placeholder {found[0]}", where=_line(where, line),
                                 remedy="the placeholders are " + ", ".join(f"{{{name}}}" for name in KNOWN))
        if not line.startswith("#") and re.search(r"(?<!<)<<(?!<)", line):
            raise InputError("a here-document (<<) cannot be quoted safely", where=_line(where, line), remedy="use printf or a file of its own")


def _line(where: str, line: str) -> str:
    return f"{where}, line {line.strip()!r}"


def _for_shell(line: str, given: Mapping[str, Value]) -> str:
    def quote(found: re.Match[str]) -> str:
        value = given[found[1]]
        return shlex.quote(value) if isinstance(value, str) else shlex.join(value)

    return PLACEHOLDER.sub(quote, line)


def _for_queue(line: str, given: Mapping[str, Value], where: str) -> list[str]:
    """The line once for each item of its lists; none when a value is missing."""
    lines = [line]
    for name in dict.fromkeys(PLACEHOLDER.findall(line)):
        value = given[name]
        items = (value,) if isinstance(value, str) else value
        for item in items:
            if not item.isprintable():
                raise InputError(f"{item!r} for {{{name}}} holds a line break or control character", where=_line(where, line),
                                 remedy="give plain text on one line")
        lines = [one.replace(f"{{{name}}}", item) for one in lines for item in items if item]
    return lines


def quoted(text: str) -> list[bool]:
    """For each character of a shell script whether it stands inside '...' or \"...\"; comments do not count."""
    inside, quote, skip, comment = list[bool](), "", False, False
    for before, here in zip("\n" + text, text):
        comment = here != "\n" and (comment or (here == "#" and not quote and before.isspace()))
        inside.append(bool(quote))
        if comment or skip:
            skip = False
        elif here == "\\" and quote != "'":
            skip = True
        elif here == quote:
            quote = ""
        elif here in "'\"" and not quote:
            quote = here
    return inside
