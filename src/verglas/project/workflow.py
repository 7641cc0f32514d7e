"""A chain of jobs as a small TOML file: one table for each, "@name" for what an earlier one hands on.

    about = "What it is for"        may stand first
    [refine]
    run = "refine3d"
    particles = "@extract"          the file of the job [extract] that the parameter takes
    reference = "@maps/first.mrc"   this file of the job [maps]
    after = ["mask"]                also wait for these
    seed = 3                        and every other common option of a job (threads, device, ...)
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verglas.errors import DataError, InputError
from verglas.jobs.common import CommonParams, parse
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.registry import find
from verglas.jobs.spec import JobParams, options
from verglas.project.facts import facts_of
from verglas.project.graph import parents, reached
from verglas.project.layout import number_of, owner
from verglas.project.words import REFERENCE, chosen, is_file, references
from verglas.types.pipeline import Pipeline

BUILT_IN = Path(__file__).parent / "workflows"
RUN, AFTER, ABOUT = "run", "after", "about"


@dataclass(frozen=True)
class Stage:
    """One job of a chain; values and `after` name earlier stages."""

    name: str
    job: str
    params: dict[str, Any]
    common: dict[str, Any]
    after: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """The earlier stages that it names."""
        return tuple(dict.fromkeys((*self.after, *named_in(self.params))))


def shipped() -> tuple[str, ...]:
    """Those that come with verglas."""
    return tuple(sorted(one.stem for one in BUILT_IN.glob("*.toml")))


def find_workflow(wish: str) -> Path:
    """A file, or one of those that come with verglas (betagal)."""
    return BUILT_IN / f"{wish}.toml" if wish in shipped() and not Path(wish).exists() else Path(wish)


def read_workflow(path: Path, changes: Mapping[str, Any] | None = None) -> tuple[Stage, ...]:
    """The stages in the order of the file, all checked; `changes`: values by "stage.parameter", None takes one out of the file's."""
    tables = {name: table for name, table in _tables(path).items() if name != ABOUT or isinstance(table, dict)}
    for where, value in (changes or {}).items():
        stage, _, parameter = where.partition(".")
        if not isinstance(tables.get(stage), dict) or not parameter:
            raise InputError(f"{where!r} is not stage.parameter", where=str(path), remedy="the stages are " + ", ".join(tables))
        tables[stage][parameter] = value
        if value is None:
            del tables[stage][parameter]
    stages = list[Stage]()
    for name, table in tables.items():
        stages.append(_stage(name, table, {one.name for one in stages}, str(path)))
    return tuple(stages)


def about(path: Path) -> str:
    """What a workflow says that it is for; "" when it says nothing."""
    found = _tables(path).get(ABOUT, "")
    return found.strip() if isinstance(found, str) else ""


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(shipped())
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), remedy=f"give a TOML file, or one of {known}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not TOML: {error}", where=str(path), remedy="see docs/project.md") from error


def with_rules(stages: tuple[Stage, ...], rules: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Common options (seed, deterministic) for all stages; what a stage says itself counts."""
    return tuple(replace(one, common=_typed(CommonParams, dict(rules)) | one.common) for one in stages)


def _stage(name: str, table: Any, earlier: set[str], path: str) -> Stage:
    where = f"{path}, [{name}]"
    if not isinstance(table, dict) or not isinstance(table.get(RUN), str):
        raise InputError("no job: expected a table with run = \"refine3d\" or another", where=where, remedy="see docs/project.md")
    job = find(table[RUN])
    common = {one.name for one in options(CommonParams)} - {"output", "continue_", "dry_run"}
    own = {one.name for one in options(job.params)}
    params = {key: value for key, value in table.items() if key not in (RUN, AFTER) and (key in own or key not in common)}
    rules = {key: value for key, value in table.items() if key in common - own}
    after = table.get(AFTER, [])
    if not isinstance(after, list):
        raise InputError(f"after = {after!r}: a list of stages is needed", where=where, remedy="write after = [\"mask\"]")
    wrong = [one for one in (*after, *named_in(params)) if one not in earlier]
    if wrong:
        raise InputError(f"names {wrong[0]!r}, which is no stage before it", where=where,
                         remedy="the stages before are " + (", ".join(sorted(earlier)) or "none"))
    try:
        return Stage(name, job.name, _typed(job.params, params), _typed(CommonParams, rules), tuple(after))
    except InputError as error:
        raise InputError(error.found, where=where, remedy=f"see verglas {job.name} --help") from None


def _typed(params: type[JobParams], given: dict[str, Any]) -> dict[str, Any]:
    """Checked, and 10 whether the file says 10 or the command line "10"."""
    kept = parse(params, given).model_dump(mode="json", exclude_none=True)
    return {name: kept.get(name, value) for name, value in given.items()}


def named_in(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of all @stage and @stage/file."""
    return tuple(one.split("/")[0] for one in references(params))


def make_workflow(root: Path, pipeline: Pipeline, names: tuple[str, ...], about: str = "") -> str:
    """The text of a workflow: these jobs (all when none) with what they build on, and every parameter that is not its default."""
    wanted = names or tuple(one.name for one in pipeline.processes)
    every = sorted({*wanted, *reached(parents(pipeline), wanted)}, key=number_of)
    kinds = {name: facts_of(root / name).job for name in every}
    without = [name for name in every if not kinds[name] or not (root / name / JOB_FILE).exists()]
    if without:
        raise InputError("was not made by verglas, so its parameters are not all known", where=without[0], remedy="name jobs that do not build on it")
    stages: dict[str, str] = {}
    for name in every:
        word = re.sub(r"\W", "_", kinds[name])
        stages[name] = word if list(kinds.values()).count(kinds[name]) == 1 else f"{word}_{number_of(name)}"
    head = [f"{ABOUT} = {_toml(about)}"] if about else []
    return "\n\n".join([*head, *(_table(root, pipeline, name, stages) for name in every)]) + "\n"


def _table(root: Path, pipeline: Pipeline, name: str, stages: Mapping[str, str]) -> str:
    facts = facts_of(root / name)
    job = find(facts.job)
    lines = [f"[{stages[name]}]", f"run = {_toml(facts.job)}"]
    for one in options(job.params):
        value = facts.params.get(one.name)
        if value is not None and value != _json(job.params, one.name):
            placed = _named(pipeline, one.name, value, stages) if is_file(one) else value
            lines.append(f"{one.name} = {_toml(placed)}")
    if facts.resources.get("seed"):
        lines.append(f"seed = {facts.resources['seed']}")
    return "\n".join(lines)


def _json(params: type[JobParams], name: str) -> Any:
    default = params.model_fields[name].get_default()
    return list(default) if isinstance(default, tuple) else default


def _named(pipeline: Pipeline, parameter: str, value: Any, stages: Mapping[str, str]) -> Any:
    """A file of another job as @stage, or @stage/file where the parameter would take another one."""
    if isinstance(value, list):
        return [_named(pipeline, parameter, one, stages) for one in value]
    job = owner(str(value))
    if job not in stages:
        return value
    try:
        usual = chosen(pipeline, job, parameter).name
    except InputError:
        usual = ""
    return f"{REFERENCE}{stages[job]}" + ("" if usual == value else f"/{str(value).removeprefix(job + '/')}")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
