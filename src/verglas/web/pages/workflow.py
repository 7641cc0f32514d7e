"""A workflow: its jobs drawn with what goes from one to the next, their values, and how far it is."""

import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from nicegui import run, ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.jobs.registry import find
from verglas.jobs.spec import options
from verglas.project.ask import How
from verglas.project.facts import read_error, tail
from verglas.project.progress import changes_of, made_by
from verglas.project.request import JobRequest, read_request
from verglas.project.workflow import Stage, about, find_workflow, read_workflow, shipped
from verglas.types.pipeline import Process
from verglas.web.layers import Box, svg
from verglas.web.pages.fields import label_of
from verglas.web.pages.place import Place
from verglas.web.pages.stage import StageForm
from verglas.web.places import file_in, project_of
from verglas.web.progress import progress
from verglas.web.stages import title
from verglas.web.theme import base, frame, job_link, said, state_html, tell
from verglas.web.watch import watch

SHOW_WRONG = """setTimeout(() => [...document.querySelectorAll('main .q-field--error, main .trouble')]
    .find(one => one.offsetParent && one.textContent)?.scrollIntoView({block: 'center'}), 200)"""
"""Script: to the first field that is wrong."""
LARGEST = 1_000_000
"""Bytes of a file that is taken for a workflow."""


@ui.page("/p/{key}/workflow")
def workflow(key: str, name: str = "", file: str = "") -> None:
    """`name` of one that comes with verglas, or `file` in the project."""
    project = project_of(key)
    path = _path(project, name, file)
    with frame(project, path.stem, "Workflows"):
        with ui.row().classes("crumbs"):
            ui.link("Workflows", f"{base(project)}/workflows")
            ui.label("›")
            ui.label(file or path.stem)
        try:
            _Page(project, path)
        except VerglasError as error:
            ui.label(said(str(error))).classes("problem")


def _path(project: Project, name: str, file: str) -> Path:
    if name:
        if name not in shipped():
            raise HTTPException(404, f"No workflow of this name comes with verglas; there are: {', '.join(shipped())}.")
        return find_workflow(name)
    path = file_in(project, file)
    if path.suffix != ".toml" or path.stat().st_size > LARGEST:
        raise HTTPException(422, f"{file} is no workflow: a small file NAME.toml is expected. Choose one on the page of the workflows.")
    return path


class _Page:
    """The jobs on one side, their values on the other; what runs is looked at every second."""

    def __init__(self, project: Project, path: Path) -> None:
        self.project, self.path, self.name = project, path, path.stem
        self.earlier = changes_of(project.root, self.name, read_workflow(path))
        self.stages = read_workflow(path, self.earlier)
        self.made = made_by(project.root, self.name)
        ui.html(f"<h1>Workflow {escape(self.name)}</h1>", sanitize=False)
        if text := about(path):
            ui.label(text).classes("about")
        self.standing = ui.element("section").classes("card")
        with ui.element("div").classes("workflow"):
            with ui.element("div").classes("page").style("padding: 0; max-width: none"):
                self.forms = self._forms()
                self.place = Place(project, None, self._earlier_place())
                self.trouble = ui.label().classes("problem")
                self.buttons = ui.element("div").classes("line")
            self.board = ui.html("", sanitize=False).classes("graph")
        self.trouble.visible = False
        self.drawn: Any = None
        self.refresh()
        ui.timer(1.0, self.refresh)

    def _forms(self) -> list[StageForm]:
        """The jobs that begin the chain open, the others folded."""
        forms = [StageForm(self.project, one, self.stages) for one in self.stages]
        for form in (one for one in forms if not one.stage.needs):
            with ui.element("section").classes("card").props(f'data-stage="{escape(form.stage.name, True)}"'):
                ui.html(f"<h2>{escape(title(form.stage.job))}</h2>", sanitize=False)
                form.draw()
        later = [one for one in forms if one.stage.needs]
        if later:
            with ui.element("section").classes("card"):
                ui.html("<h2>The jobs after that</h2>", sanitize=False)
                ui.label("Open one to choose other values. Each takes its files from the jobs before it.").classes("hint")
                for form in later:
                    form.fold()
        return forms

    def _earlier_place(self) -> JobRequest | None:
        """Where it ran the last time."""
        last = list(self.made.values())[-1:]
        found = read_request(self.project.root / last[0]) if last else None
        return replace(found, after=()) if found else None

    def refresh(self) -> None:
        """Draw again what has changed."""
        found = watch(self.project).now()
        states = {one.name: one for one in found.pipeline.processes}
        jobs = {stage: states[name] for stage, name in self.made.items() if name in states}
        running = [self.project.root / one.name for one in jobs.values() if one.state == "Running"]
        now = (jobs, {one.name: found.details.get(one.name, "") for one in jobs.values()}, [progress(tail(one / "run.out", 4096)) for one in running])
        if now != self.drawn:
            self.drawn = now
            self.board.set_content(svg([self._box(one, jobs.get(one.name), now[1]) for one in self.stages],
                                       [(need, one.name) for one in self.stages for need in one.needs], "Jobs of the workflow"))
            self._stand(jobs, now[1])
            self._fill_buttons(jobs)

    def _box(self, stage: Stage, job: Process | None, details: dict[str, str]) -> Box:
        if job is None:
            return Box(stage.name, title(stage.job), "", "", "", find(stage.job).summary)
        detail = details[job.name]
        hint = f"{job.name}: {job.state}" + (f", {detail}" if detail else "")
        return Box(stage.name, title(stage.job), job.name, job.state, job_link(self.project, job.name), hint)

    def _stand(self, jobs: dict[str, Process], details: dict[str, str]) -> None:
        """How many are done, what runs, what has gone wrong."""
        self.standing.clear()
        self.standing.visible = bool(jobs)
        names = {one.name: title(one.job) for one in self.stages}
        done = sum(one.state == "Succeeded" for one in jobs.values())
        with self.standing:
            ui.label(f"{done} of {len(self.stages)} jobs done").style("font-weight: 600")
            ui.linear_progress(done / len(self.stages), show_value=False).props("instant-feedback rounded size=8px")
            for stage, job in jobs.items():
                if job.state in ("Running", "Failed", "Aborted"):
                    at = progress(tail(self.project.root / job.name / "run.out", 4096)) if job.state == "Running" else None
                    with ui.element("div").classes("line"):
                        ui.html(state_html(job.state, details[job.name]), sanitize=False)
                        ui.link(f"{names.get(stage, stage)} ({job.name})", job_link(self.project, job.name))
                        ui.label(f"{at.label}: {at.words}" if at else "").classes("hint")
                    if job.state == "Failed" and (wrong := said(read_error(self.project.root / job.name))):
                        ui.label(wrong).classes("problem")

    def _fill_buttons(self, jobs: dict[str, Process]) -> None:
        self.buttons.clear()
        busy = any(one.state == "Running" or (one.state == "Scheduled" and not _held(self.project.root / one.name)) for one in jobs.values())
        with self.buttons:
            if self.project.read_only:
                ui.label("This project is open for reading only: nothing can be run.").classes("hint")
                return
            ui.button("Go on" if jobs else "Run", icon="play_arrow", on_click=lambda: self.start(False)).props("unelevated").tooltip(
                "What has succeeded stays, what was stopped, killed or failed goes on, and only what another value reaches is made anew"
                if jobs
                else "Check the input and ask for all jobs"
            )
            if busy:
                ui.button("Stop", icon="stop", on_click=self.stop).props("outline").tooltip(
                    "What runs stops at its next safe point, what waits is held; Go on goes on from there"
                )
            elif jobs:
                ui.button("Run all anew", icon="replay", on_click=lambda: self.start(True)).props("outline").tooltip("New jobs for all of it")
            self.busy = ui.spinner(size="22px")
            self.busy.visible = False

    async def start(self, again: bool) -> None:
        """Ask for the jobs, once what can be checked now is right."""
        self._tell("")
        right = [form.right() for form in self.forms]
        how = self.place.how(False) if all(right) else None
        if how is None:
            self._tell("Correct what is marked above.")
            ui.run_javascript(SHOW_WRONG)
            return
        changes = {name: value for form in self.forms for name, value in form.changes().items()}
        self.busy.visible = True
        try:
            await run.io_bound(self._ask, self.earlier | changes, how, again)
        except VerglasError as error:
            self._tell(self._named(said(str(error))))
            return
        finally:
            self.busy.visible = False
        watch(self.project).look()
        ui.notify("The jobs begin one after the other", type="positive")
        ui.navigate.reload()

    def _ask(self, changes: dict[str, Any], how: How, again: bool) -> None:
        """The jobs that begin the chain are checked as by "Check and forecast", unless the machines are others, or they are done."""
        for stage in read_workflow(self.path, changes):
            done = not again and stage.name in self.made and not any(name.startswith(f"{stage.name}.") for name in set(changes) - set(self.earlier))
            if not (stage.needs or how.queue or done):
                self.project.forecast(stage.job, **stage.params)
        self.project.run_workflow(self.path, changes, how=how, again=again)

    def _named(self, text: str) -> str:
        """Options by the names that they have on the page; the file is on the page already."""
        flags = {one.flag: label_of(one.name) for stage in self.stages for one in options(find(stage.job).params)}
        return re.sub(r"--[a-z0-9][a-z0-9-]*", lambda found: flags.get(found[0], found[0]), text.removeprefix(f"{self.path}, "))

    def _tell(self, text: str) -> None:
        self.trouble.set_text(text)
        self.trouble.visible = bool(text)

    async def stop(self) -> None:
        try:
            reached = await run.io_bound(self.project.stop_workflow, self.name) or ()
        except VerglasError as error:
            tell(error)
            return
        watch(self.project).look()
        ui.notify(f"Asked to stop: {', '.join(reached)}" if reached else "Nothing of it runs or waits", type="positive")


def _held(folder: Path) -> bool:
    try:
        found = read_request(folder)
    except VerglasError:
        return True
    return found is None or found.status == "held"
