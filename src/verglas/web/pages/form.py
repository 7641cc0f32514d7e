"""The form of a job, made from its parameters: fields, where and when it runs, forecast, start."""

import re
from typing import Any

from nicegui import run, ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import InputError, VerglasError
from verglas.jobs.common import parse
from verglas.jobs.registry import find
from verglas.jobs.spec import Option, options
from verglas.project.ask import How
from verglas.project.request import JobRequest
from verglas.project.words import references
from verglas.web.inputs import takes_files
from verglas.web.pages.fields import Field
from verglas.web.pages.place import Place
from verglas.web.theme import job_link, said
from verglas.web.watch import watch
from verglas.web.wizards.asked import in_words
from verglas.web.wizards.dialog import looks


class Form:
    """`changed`: a job that has not begun, which gets the new parameters; else a new one is made. `old`: where and when it was to run."""

    def __init__(self, project: Project, job: str, given: dict[str, Any], changed: Job | None = None, old: JobRequest | None = None) -> None:
        self.project, self.job, self.given, self.changed, self.old = project, job, given, changed, old
        self.fields: dict[str, Field] = {}
        self.looks = looks(project, job, self.fields)
        params = options(find(job).params)
        files = [one for one in params if takes_files(one) and one.level == "normal"]
        normal = [one for one in params if one not in files and one.level == "normal"]
        advanced = [one for one in params if one.level != "normal"]
        self._section("Input", sorted(files, key=lambda one: not one.required), given)
        self._section("Parameters", sorted(normal, key=lambda one: not one.required), given)
        self.later = advanced
        """Fields that are not on the page before somebody opens them."""
        if advanced:
            self.advanced = ui.expansion(f"Advanced: {len(advanced)} more parameters", on_value_change=self._more).classes("card")
            self.advanced.value = any(one.name in given for one in advanced)
        self.place = Place(project, find(job), old)
        self.trouble = ui.label().classes("problem")
        self.trouble.visible = False
        self.forecast = ui.element("section").classes("card")
        self.forecast.visible = False
        self._buttons()

    def _section(self, heading: str, params: list[Option], given: dict[str, Any]) -> None:
        if params:
            with ui.element("section").classes("card"):
                ui.html(f"<h2>{heading}</h2>", sanitize=False)
                self._fields(params, given)

    def _fields(self, params: list[Option], given: dict[str, Any]) -> None:
        for one in params:
            self.fields[one.name] = Field(self.project, self.job, one, given.get(one.name), self.looks.get(one.name))

    def _more(self) -> None:
        """The advanced fields, once they are wanted."""
        if self.advanced.value and self.later:
            with self.advanced:
                self._fields(self.later, self.given)
            self.later = []

    def _buttons(self) -> None:
        with ui.element("div").classes("line"):
            if self.project.read_only:
                ui.label("This project is open for reading only: the forecast can be asked for, nothing can be run.").classes("hint")
            else:
                ui.button(
                    "Save changes" if self.changed else "Run", icon="play_arrow" if not self.changed else "save", on_click=lambda: self.start(False)
                ).props("unelevated title='Check the parameters and give the job to the scheduler'")
                if not self.changed:
                    ui.button("Save as a draft", on_click=lambda: self.start(True)).props("outline title='It waits until you let it go'")
            ui.button("Check and forecast", icon="fact_check", on_click=self.check).props(
                "flat title='Reads the input and says what the job would do, and the memory, disk and time that it would need. Nothing is written.'"
            )
            self.busy = ui.spinner(size="22px")
            self.busy.visible = False

    def values(self) -> dict[str, Any] | None:
        """What is not as by default; None when something is wrong, which then stands beside its field."""
        self._clear()
        right = [one.check() for one in self.fields.values()]
        found = {name: value for name, one in self.fields.items() if (value := one.value()) is not None}
        if not all(right):
            self._tell("Correct what is marked above.")
            return None
        try:
            parse(find(self.job).params, dict(found))
        except InputError as error:
            self.show(error)
            return None
        return found

    def show(self, error: VerglasError) -> None:
        """Each line beside the field that it names, the rest above the buttons."""
        rest = []
        for line in str(error).removeprefix(f"{self.job}: ").splitlines():
            named = re.match(r"\s*(--[a-z0-9-]+)\b[ :]*(.*)", line)
            if named and any(one.flag == named[1] for one in self.later):
                self.advanced.value = True
            field = next((one for one in self.fields.values() if named and one.option.flag == named[1]), None)
            if field and named:
                field.complain(in_words(self.job, named[2] or line))
            rest.append(line)
        self._tell(said(in_words(self.job, "\n".join(one for one in rest if not one.endswith("see --help")))))

    def _tell(self, text: str) -> None:
        self.trouble.set_text(text)
        self.trouble.visible = bool(text)

    def _clear(self) -> None:
        self._tell("")
        for one in self.fields.values():
            one.complain("")

    async def check(self) -> None:
        """The forecast, beside what would have to be corrected."""
        values = self.values()
        text = None if values is None else await self._forecast(values)
        if text is None:
            return
        self.forecast.visible = True
        self.forecast.clear()
        with self.forecast:
            ui.html("<h2>Forecast</h2>", sanitize=False)
            for line in text.splitlines()[1:]:
                _forecast_line(line)

    async def _forecast(self, values: dict[str, Any]) -> str | None:
        """None when something is wrong with the input, which is shown then."""
        self.busy.visible = True
        try:
            return await run.io_bound(lambda: self.project.forecast(self.job, **values))
        except VerglasError as error:
            self.show(error)
            return None
        finally:
            self.busy.visible = False

    async def start(self, hold: bool) -> None:
        """Ask for the job and go to its page. What can be checked now is: not what other jobs are still to make, or another machine is to have."""
        values = self.values()
        how = self.place.how(hold) if values is not None else None
        if values is None or how is None:
            return
        if not (hold or how.queue or references(values)) and await self._forecast(values) is None:
            return
        try:
            job: Any = await run.io_bound(lambda: self._ask(values, how))
        except VerglasError as error:
            self.show(error)
            return
        watch(self.project).look()
        ui.navigate.to(job_link(self.project, job.name))

    def _ask(self, values: dict[str, Any], how: How) -> Job:
        if self.changed:
            cleared = {name: None for name in self.changed.params if name not in values}
            return self.changed.change(self.old, how=how, **(cleared | values))
        return self.project.run(self.job, how=how, **values)


def _forecast_line(line: str) -> None:
    """A line of --dry-run: name, value, reason in brackets."""
    found = re.match(r"\s*(warning:)?\s*(.*)", line)
    if found and found[1]:
        ui.label(found[2]).classes("warned")
        return
    pieces = re.split(r"\s{2,}", line.strip(), maxsplit=2)
    with ui.element("dl").classes("facts").style("margin: 0; grid-template-columns: 170px minmax(0, 1fr)"):
        with ui.element("dt"):
            ui.label(pieces[0])
        with ui.element("dd"):
            ui.label(pieces[1] if len(pieces) > 1 else "")
            if len(pieces) > 2:
                ui.label(pieces[2].strip("()")).classes("hint")
