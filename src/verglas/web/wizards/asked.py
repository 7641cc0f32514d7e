"""What a wizard asks: the form as it is at that moment, checked before anything is opened."""

import re
from typing import Annotated, Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.jobs.common import parse
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import JobParams, options
from verglas.project.words import REFERENCE, is_file, job_named, resolved
from verglas.types.pipeline import Pipeline
from verglas.web.inputs import label_of
from verglas.web.places import file_in
from verglas.web.wizards import WIZARDS

Text = Annotated[str, Field(max_length=1000)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e30, le=1e30)]
Value = bool | Number | Text | Annotated[list[Text], Field(max_length=1000)] | None
Part = Annotated[float, Field(ge=0, le=1)]
LEFT_OUT = ("workers", "maps", "keep_maps")
"""Parameters that mean nothing to one look."""


class Asked(BaseModel):
    """`params`: what is not as by default; `row` of the micrograph; `source`: what to draw on; `at`: where slices are cut, x, y, z as parts of the
    box; `fit`: whether to do what takes a second too."""

    model_config = ConfigDict(extra="forbid", strict=False)
    wizard: Literal["diameter", "picks", "mask", "ctf"]
    job: str = Field(max_length=40)
    params: dict[Annotated[str, Field(max_length=60)], Value] = Field(max_length=100)
    row: int = Field(default=0, ge=0, le=10**8)
    source: str = Field(default="", max_length=40)
    at: tuple[Part, Part, Part] = (0.5, 0.5, 0.5)
    fit: bool = False


def checked(project: Project, pipeline: Pipeline, asked: Asked) -> Asked:
    """With every file as a file of this project that is there; 4xx where that cannot be."""
    wizard = WIZARDS[asked.wizard].get(asked.job)
    if wizard is None:
        raise HTTPException(422, f"There is nothing to look at for {asked.job[:40]}.")
    known = {one.name: one for one in options(find(asked.job).params)}
    given = {name: value for name, value in asked.params.items() if value not in (None, "", []) and name not in LEFT_OUT}
    strange = sorted(set(given) - set(known))
    if strange:
        raise HTTPException(422, f"There is no parameter {strange[0]}.")
    missing = [name for name in wizard.inputs if name not in given]
    if missing:
        raise HTTPException(422, f"Choose {label_of(missing[0])} on the form first: that is what is looked at.")
    for name, value in given.items():
        if is_file(known[name]):
            given[name] = _files(project, pipeline, name, value)
    return asked.model_copy(update={"params": given})


def _files(project: Project, pipeline: Pipeline, name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_files(project, pipeline, name, one) for one in value]
    text = str(value).strip()
    if text.startswith(REFERENCE):
        text = _promised(pipeline, name, text)
    if text != "auto":
        file_in(project, text)
    return text


def _promised(pipeline: Pipeline, name: str, text: str) -> str:
    """The file of a job that has finished; otherwise plainly why there is nothing to look at yet."""
    try:
        job = job_named(pipeline, text[1:])
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    state = next(one.state for one in pipeline.processes if one.name == job)
    if state in ("Scheduled", "Running"):
        word = "runs" if state == "Running" else "has not begun"
        raise HTTPException(422, f"{label_of(name)} is still to be made by {job}, which {word}. There is nothing to look at yet.\n"
                                 "  -> look when it has finished; the job that you set up here can be saved as a draft and changed then")
    return str(resolved(pipeline, {name: text})[name])


def params_of(asked: Asked, start: dict[str, Any] | None = None) -> Any:
    """The parameters of the job as it would run; `start` for what a wizard is to find, where nothing is given."""
    kind: type[JobParams] = find(asked.job).params
    try:
        return parse(kind, {**(start or {}), **asked.params})
    except InputError as error:
        raise InputError(error.found, remedy="fill it in on the form, then look again") from error


def in_words(job: str, text: str) -> str:
    """Options of a message by the names that they have on the form."""
    flags = {one.flag: label_of(one.name) for one in options(find(job).params)} if job in ENTRIES else {}
    return re.sub(r"--[a-z0-9][a-z0-9-]*", lambda found: flags.get(found[0], found[0]), text)
