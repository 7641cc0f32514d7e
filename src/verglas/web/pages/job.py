"""A job: where it is, what it said, what it was given, what it made, and what can be done with it."""

from html import escape
from pathlib import Path

from fastapi import HTTPException
from nicegui import ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.project.facts import tail
from verglas.project.request import LAUNCH_LOG
from verglas.units import clock
from verglas.web.pages.actions import actions
from verglas.web.pages.job_files import files
from verglas.web.pages.job_log import Log
from verglas.web.pages.job_notes import note, parameters
from verglas.web.pages.job_report import report
from verglas.web.places import project_of
from verglas.web.progress import Events, overall, progress, turns
from verglas.web.stages import title
from verglas.web.theme import base, frame, said, state_html
from verglas.web.usage import Usage
from verglas.web.watch import watch


@ui.page("/p/{key}/job/{kind}/{name}")
def job(key: str, kind: str, name: str) -> None:
    project = project_of(key)
    try:
        found = watch(project).job(f"{kind}/{name}")
    except VerglasError as error:
        raise HTTPException(404, said(str(error)).partition("\nWhat to do")[0]) from error
    with frame(project, found.name, found.name):
        Page(project, found)


class Page:
    """`job` as it is now; the parts that change are looked at every second while it is open."""

    def __init__(self, project: Project, found: Job) -> None:
        self.project, self.name = project, found.name
        self.events = Events(found.folder / "events.jsonl")
        self.events.read()
        self.usage = Usage(found.folder)
        self._heading(found)
        self.standing = ui.element("section").classes("card")
        with ui.tabs(on_change=self._show_log).props("align=left no-caps dense") as self.tabs:
            for words in ("Overview", "Files", "Log", "Report"):
                ui.tab(words)
        with ui.tab_panels(self.tabs, value="Overview").props("animated=false"):
            with ui.tab_panel("Overview"), ui.element("div").classes("page").style("padding: 0; max-width: none"):
                self.log = Log(found.folder, self.events)
                with ui.element("div").classes("two"):
                    self.parameters = ui.element("div").style("min-width: 0")
                    note(project, found)
            with ui.tab_panel("Files"):
                self.files = ui.element("div").classes("page").style("padding: 0; max-width: none")
            with ui.tab_panel("Log"):
                self.whole = ui.html("", sanitize=False)
            with ui.tab_panel("Report"):
                self.report = ui.element("div").style("width: 100%")
        self.shown: tuple[object, ...] = ()
        self.size = -1
        self.refresh()
        ui.timer(1.0, self.refresh)

    def _heading(self, found: Job) -> None:
        with ui.element("div").classes("line"):
            with ui.element("div").classes("grow"):
                ui.html(f"<h1>{escape(title(found.kind) if found.kind else found.type)}</h1>", sanitize=False)
                with ui.element("div").classes("line"):
                    self.called = ui.label().classes("hint")
                    ui.link("In the graph", f"{base(self.project)}/graph?job={found.name}").tooltip("What it builds on, and what builds on it")
                    ui.link("Save as a workflow", f"{base(self.project)}/workflows?job={found.name}").tooltip("With all that it builds on")
            self.buttons = ui.element("div").classes("line").style("width: auto")

    def refresh(self) -> None:
        """Draw again what has changed."""
        seen = watch(self.project).now()
        process = next((one for one in seen.pipeline.processes if one.name == self.name), None)
        if process is None:
            self._gone()
            return
        found = Job(self.project, process, seen.details.get(self.name, ""))
        came = self.events.read()
        log = tail(found.folder / "run.out")
        now = (process, found.detail)
        if now != self.shown:
            self.shown = now
            alias = found.alias.rpartition("/")[2]
            self.called.set_text(f"{found.name}{f' = {alias}' if alias else ''}")
            self._fill(found)
        if came or len(log) != self.size or process.state == "Running":
            self.size = len(log)
            self._stand(found, log)
            self.log.show(log)
            self._show_log()

    def _show_log(self) -> None:
        """It may be long, and is sent only where somebody looks at it."""
        if self.tabs.value == "Log":
            self.whole.set_content(_whole(self.project.root / self.name))

    def _fill(self, found: Job) -> None:
        """What changes with the state. The note is not among it: somebody may be writing."""
        for place, draw in ((self.buttons, actions), (self.files, files), (self.parameters, parameters), (self.report, report)):
            place.clear()
            with place:
                draw(self.project, found)
        self.size = -1

    def _stand(self, found: Job, log: str) -> None:
        facts = found.facts
        self.standing.clear()
        with self.standing:
            with ui.element("div").classes("line"):
                ui.html(state_html(found.process.state, found.detail), sanitize=False)
                running = found.process.state == "Running"
                if facts.started:
                    ended = "" if running or facts.seconds is None or not facts.ended else f", took {clock(facts.seconds)}"
                    ui.label(f"started {facts.started.astimezone():%Y-%m-%d %H:%M}{ended}").classes("hint")
                if running and facts.seconds is not None:
                    ui.label(f"for {clock(facts.seconds)}").classes("hint")
                if running:
                    ui.label(self.usage.words()).classes("hint")
                ends = self.events.of("end")
                if ends and not running and ends[-1].get("peak_memory_gb"):
                    ui.label(f"{ends[-1]['peak_memory_gb']:.2g} GB of memory at most").classes("hint")
                ui.label(_resources(found)).classes("hint")
            total = turns(facts.job, facts.params) if running else None
            for at in filter(None, (overall(self.events.of("iteration"), total) if total else None, progress(log) if running else None)):
                ui.label(f"{at.label[:1].upper()}{at.label[1:]}: {at.words}")
                ui.linear_progress(round(at.share, 4), show_value=False).props("instant-feedback rounded size=8px")
            if found.process.state == "Failed" or (found.process.state == "Scheduled" and found.error):
                ui.label(said(found.error) or "It left no message; see the log.").classes("problem")
            for text in self.events.warnings():
                ui.label(text).classes("warned").tooltip("The job warned of this; it went on.")

    def _gone(self) -> None:
        self.standing.clear()
        with self.standing:
            ui.label("This job is not in the project any more; it may be in the trash.").classes("problem")
            ui.link("Trash", f"{base(self.project)}/trash")


def _resources(found: Job) -> str:
    held = found.facts.resources
    known = (
        (f"{held['threads']} threads" if held.get("threads") else ""),
        str(held.get("device") or "").replace("cuda", "GPU").replace("cpu", "CPU"),
        f"seed {held['seed']}" if held.get("seed") else "",
    )
    return ", ".join(filter(None, known))


def _whole(folder: Path) -> str:
    log, errors = tail(folder / "run.out"), tail(folder / "run.err") or tail(folder / LAUNCH_LOG)
    parts = [f"<h2>What it said</h2><pre class='log' style='max-height: 60vh'>{escape(log) or 'Nothing yet.'}</pre>"]
    parts += [f"<h2 style='margin-top: 14px'>Warnings and errors</h2><pre class='log'>{escape(errors)}</pre>"] if errors else []
    return "".join(parts)
