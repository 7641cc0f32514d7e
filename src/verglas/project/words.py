"""A job as the words of its command line, and values that name another job ("@Extract/job005") as its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from verglas.errors import InputError
from verglas.jobs.common import CommonParams
from verglas.jobs.outputs import accepts
from verglas.jobs.registry import find
from verglas.jobs.spec import Option, options
from verglas.project.layout import find_name, in_project
from verglas.types.pipeline import Node, Pipeline

REFERENCE = "@"
"""@Refine3D/job012 is the file of that job which the parameter takes; @Refine3D/job012/run_class001.mrc is this file of it."""


def words(job: str, params: Mapping[str, Any], common: Mapping[str, Any]) -> tuple[str, ...]:
    """refine3d --particles=... ; what is not set is left out."""
    flags = [word for one in options(find(job).params) if one.name in params for word in _word(one, params[one.name])]
    rules = [word for one in options(CommonParams) if one.name in common for word in _word(one, common[one.name])]
    return (*job.split(), *flags, *rules)


def _word(one: Option, value: Any) -> list[str]:
    """A switch stands alone; every other value is joined to its flag, so that it cannot be read as another one."""
    flag = one.flag
    if value is None:
        return []
    if one.annotation is bool:
        on = value is True or value == "Yes"
        return [] if on is bool(one.default) else [flag if on else f"--no-{flag[2:]}"]
    return [f"{flag}={item}" for item in (value if isinstance(value, list | tuple) else [value])]


def is_file(one: Option) -> bool:
    """Whether a parameter holds the path of a file (or several)."""
    members = get_args(one.annotation) or (one.annotation,)
    return Path in members or one.name in ("particles", "micrographs")


def named_values(root: Path, job: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Paths as the project calls them, so that a job means the same files on every machine."""
    files = {one.name for one in options(find(job).params) if is_file(one)}

    def named(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [named(one) for one in value]
        if isinstance(value, Path) or (isinstance(value, str) and not value.startswith(REFERENCE) and "," not in value):
            return in_project(root, value)
        return value

    return {name: named(value) if name in files else value for name, value in params.items()}


def references(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts after @ of all values that name another job."""
    values = [one for value in params.values() for one in (value if isinstance(value, list | tuple) else [value])]
    return tuple(dict.fromkeys(str(one)[1:] for one in values if isinstance(one, str | Path) and str(one).startswith(REFERENCE)))


def job_named(pipeline: Pipeline, reference: str) -> str:
    """The job of a reference, with or without a file after it."""
    pieces = reference.split("/")
    return find_name(pipeline, "/".join(pieces[:2]) if len(pieces) > 2 else reference)


def resolved(pipeline: Pipeline, params: Mapping[str, Any]) -> dict[str, Any]:
    """Every @job as the file that it hands on. Raises where a job hands on nothing of the kind."""

    def one_file(name: str, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [one_file(name, one) for one in value]
        if not isinstance(value, str | Path) or not str(value).startswith(REFERENCE):
            return value
        job = job_named(pipeline, str(value)[1:])
        rest = str(value)[1:].split("/")[2:]
        return "/".join([job, *rest]) if rest else chosen(pipeline, job, name).name

    return {name: one_file(name, value) for name, value in params.items()}


def chosen(pipeline: Pipeline, job: str, parameter: str) -> Node:
    """The first file of a job that a parameter takes; half1 and half2 take the half of their name."""
    mine = {node for process, node in pipeline.outputs if process == job}
    fitting = [one for one in pipeline.nodes if one.name in mine and accepts(parameter, one)]
    if parameter in ("half1", "half2"):
        fitting = [one for one in fitting if parameter in one.name.rpartition("/")[2]]
    if not fitting:
        there = ", ".join(name.rpartition("/")[2] for name in sorted(mine)) or "nothing yet"
        raise InputError(f"hands on nothing for {parameter}; it has {there}", where=job, remedy="name the file: @JOB/FILE")
    return fitting[0]
