"""Workflows: those that come with verglas, those in the project's folder, and a new one from jobs that are done."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import run, ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.jobs.folder import JOB_FILE
from verglas.project.layout import in_project
from verglas.project.progress import made_by
from verglas.project.workflow import about, find_workflow, read_workflow, shipped
from verglas.web.pages.folders import choose_file
from verglas.web.places import project_of
from verglas.web.theme import base, frame, missing, said, tell
from verglas.web.watch import watch

NAME = re.compile(r"\w[\w-]{0,60}")
MOST = 50
"""Files of the project's folder that are looked at."""


@ui.page("/p/{key}/workflows")
def workflows(key: str, job: str = "") -> None:
    """`job`: the one that a new workflow is to end with."""
    project = project_of(key)
    own = sorted(one.name for one in project.root.glob("*.toml") if one.is_file())[:MOST]
    with frame(project, "Workflows", "Workflows"):
        ui.html("<h1>Workflows</h1>", sanitize=False)
        ui.label("A workflow asks for a whole chain of jobs at once: each begins when the ones before it have succeeded.").classes("hint")
        cards = [_card(project, find_workflow(one), f"name={quote(one)}") for one in shipped()]
        cards += [_card(project, project.root / one, f"file={quote(one)}") for one in own]
        ui.html(f"<div class='types'>{''.join(cards)}</div>", sanitize=False).style("width: 100%")
        with ui.element("div").classes("line"):
            ui.button("Another file ...", icon="description", on_click=lambda: _browse(project)).props("flat").tooltip(
                "A TOML file in a folder of the project"
            )
        if not project.read_only:
            _Keep(project, job)


def _card(project: Project, path: Path, query: str) -> str:
    """Name, what it is for, and how far it is in this project."""
    try:
        text, stages = about(path).partition("\n")[0], read_workflow(path)
        states = {one.name: one.state for one in watch(project).now().pipeline.processes}
        made = made_by(project.root, path.stem)
        done = sum(states.get(made.get(one.name, "")) == "Succeeded" for one in stages)
        hint = f"{done} of {len(stages)} jobs done here" if made else f"{len(stages)} jobs"
    except VerglasError as error:
        text, hint = said(str(error)), "It cannot be run as it is"
    return (
        f"<a class='type' href='{base(project)}/workflow?{escape(query, True)}'><b>{escape(path.stem)}</b>"
        f"<span>{escape(text)}</span><div class='hint'>{escape(hint)}</div></a>"
    )


async def _browse(project: Project) -> None:
    found = await choose_file(project.root)
    if isinstance(found, Path):
        ui.navigate.to(f"{base(project)}/workflow?file={quote(in_project(project.root, found))}")


class _Keep:
    """A new workflow from jobs that are done."""

    def __init__(self, project: Project, job: str) -> None:
        self.project = project
        with ui.element("section").classes("card"):
            ui.html("<h2>Save as a workflow</h2>", sanitize=False)
            known = _recorded(project)
            if not known:
                missing("Once jobs are done, they can be kept here as a workflow, to run again on other data.")
                return
            ui.label("Jobs with all that they build on, and every value that was chosen, become a file in the folder of the project.").classes("hint")
            chosen = [job] if job in known else []
            with _row("Last jobs", "With none all jobs of the project are taken."):
                self.jobs = ui.select(known, multiple=True, with_input=True, value=chosen).props("outlined dense use-chips")
            with _row("Name", "Letters, digits, _ and -."):
                self.name = ui.input(placeholder="such as apoferritin").props("outlined dense hide-bottom-space")
            with _row("What it is for", "Shown with it; may be empty."):
                self.about = ui.input().props("outlined dense")
            with ui.element("div").classes("line"):
                ui.button("Save workflow", icon="save", on_click=self.save).props("unelevated")

    async def save(self) -> None:
        name = (self.name.value or "").strip()
        self.name.error = None if NAME.fullmatch(name) else "Give a name of letters, digits, _ and -."
        if self.name.error:
            return
        jobs, text = list(self.jobs.value or ()), (self.about.value or "").strip()[:2000]
        try:
            number = await run.io_bound(lambda: self.project.save_workflow(self.project.root / f"{name}.toml", *jobs, about=text))
        except VerglasError as error:
            tell(error)
            return
        ui.notify(f"{name}.toml: {number} jobs", type="positive")
        ui.navigate.to(f"{base(self.project)}/workflow?file={quote(name)}.toml")


@contextmanager
def _row(name: str, help: str) -> Iterator[None]:
    with ui.element("div").classes("field"):
        ui.label(name).classes("name")
        with ui.element("div").classes("control"):
            yield
        ui.label(help).classes("help hint")


def _recorded(project: Project) -> dict[str, str]:
    """The last jobs that verglas ran, which alone have all their parameters."""
    jobs = sorted((one for one in watch(project).now().pipeline.processes if one.state == "Succeeded"), key=lambda one: -one.number)[:200]
    return {one.name: one.name + (f" ({one.alias.rpartition('/')[2]})" if one.alias else "") for one in jobs
            if (project.root / one.name / JOB_FILE).exists()}
