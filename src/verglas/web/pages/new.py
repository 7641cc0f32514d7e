"""A new job: the types by stage, and the form of one of them."""

from html import escape
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request
from nicegui import ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import InputError, VerglasError
from verglas.jobs.registry import ENTRIES
from verglas.project.request import read_request
from verglas.web.pages.form import Form
from verglas.web.places import project_of
from verglas.web.stages import found_types, title, tree
from verglas.web.theme import base, frame, said
from verglas.web.watch import watch


@ui.page("/p/{key}/new")
def types(key: str) -> None:
    project = project_of(key)
    with frame(project, "New job", "New job"):
        with ui.element("div").classes("line"):
            ui.html("<h1>New job</h1>", sanitize=False)
            ui.space()
            box = ui.input(placeholder="Search the types of jobs").props("dense outlined clearable autofocus debounce=100").style("width: 320px")
        listing = ui.html(types_html(project, ""), sanitize=False).style("width: 100%")
        box.on_value_change(lambda event: listing.set_content(types_html(project, event.value or "")))


def types_html(project: Project, text: str) -> str:
    """Cards of the types that have these words, by stage."""
    wanted = set(found_types(text))
    parts = []
    for stage, jobs in tree().items():
        cards = "".join(
            f"<a class='type' href='{base(project)}/new/{quote(one)}'><b>{escape(title(one))}</b>"
            f"<span class='hint'>{escape(ENTRIES[one].summary)}</span></a>"
            for one in jobs
            if one in wanted
        )
        if cards:
            parts.append(f"<h2 style='margin: 14px 0 8px'>{escape(stage)}</h2><div class='types'>{cards}</div>")
    return "".join(parts) or "<p class='hint'>No type of job has these words.</p>"


@ui.page("/p/{key}/new/{job}")
def new(key: str, job: str, request: Request, clone: str = "", change: str = "") -> None:
    """`clone`: take the parameters of this job; `change`: of this one, which has not begun, and give them back to it; others are parameters."""
    project = project_of(key)
    if job not in ENTRIES:
        raise HTTPException(404, f"There is no type of job {job}.")
    source = _source(project, clone or change)
    given: dict[str, Any] = dict(request.query_params) if source is None else dict(source.params)
    with frame(project, title(job), "New job"):
        with ui.row().classes("crumbs"):
            ui.link("New job", f"{base(project)}/new")
            ui.label("›")
            ui.label(f"like {clone}" if clone else f"change {change}" if change else title(job))
        with ui.element("div"):
            ui.html(f"<h1>{escape(title(job))}</h1>", sanitize=False)
            ui.label(ENTRIES[job].summary).classes("hint")
        changed = source if change else None
        Form(project, job, given, changed, read_request(source.folder) if source else None)


def _source(project: Project, name: str) -> Job | None:
    if not name:
        return None
    try:
        found = watch(project).job(name)
        if not found.kind:
            raise InputError(f"there is no job of verglas for {found.type}", where=name)
        return found
    except VerglasError as error:
        raise HTTPException(404, said(str(error)).partition("\nWhat to do")[0]) from error
