"""One job of a workflow on its page: the values that the file gives it, and all others when they are asked for."""

from collections.abc import Sequence
from html import escape
from typing import Any

from nicegui import ui

from verglas.api.project import Project
from verglas.jobs.registry import find
from verglas.jobs.spec import Option, options
from verglas.project.words import REFERENCE, is_file, references
from verglas.project.workflow import Stage
from verglas.web.inputs import label_of, takes_files
from verglas.web.pages.fields import Field
from verglas.web.stages import title


class StageForm:
    """`changes()`: what was chosen here. Fields are made when their part of the page is opened."""

    def __init__(self, project: Project, stage: Stage, others: Sequence[Stage]) -> None:
        self.project, self.stage = project, stage
        self.titles = {one.name: title(one.job) for one in others}
        self.fields: dict[str, Field] = {}
        self.start: dict[str, Any] = {}
        params = options(find(stage.job).params)
        self.linked = [one for one in params if references({one.name: stage.params.get(one.name)})]
        self.set_ = [one for one in params if one not in self.linked and (one.name in stage.params or one.required)]
        self.rest = [one for one in params if one not in self.linked and one not in self.set_]

    def draw(self) -> None:
        """The values of the file, the connections, and the rest folded."""
        for one in self.linked:
            with ui.element("div").classes("field"):
                ui.label(label_of(one.name)).classes("name")
                ui.label(self._from(one)).classes("hint")
        for one in sorted(self.set_, key=lambda one: not takes_files(one)):
            self._field(one)
        if self.rest:
            box = ui.expansion(f"{len(self.rest)} more {'values' if len(self.rest) > 1 else 'value'}, as by default").classes("full-width")
            box.on_value_change(lambda event: self._once(box, self._rest) if event.value else None)

    def fold(self) -> None:
        """Its name and chosen values on one line, the fields below when it is opened."""
        words = ", ".join(map(self._words, (one for one in self.set_ if not is_file(one)))) or "as by default"
        box = ui.expansion().classes("stage").props(f'data-stage="{escape(self.stage.name, True)}"')
        with box.add_slot("header"), ui.element("div").classes("grow"):
            ui.label(title(self.stage.job))
            ui.label(words).classes("hint")
        box.on_value_change(lambda event: self._once(box, self.draw) if event.value else None)

    def _once(self, box: ui.expansion, draw: Any) -> None:
        if not box.default_slot.children:
            with box:
                draw()

    def _rest(self) -> None:
        for one in sorted(self.rest, key=lambda one: one.level != "normal"):
            self._field(one)

    def _field(self, one: Option) -> None:
        field = Field(self.project, self.stage.job, one, self.stage.params.get(one.name))
        self.fields[one.name], self.start[one.name] = field, field.value()

    def _from(self, one: Option) -> str:
        """From 2D classification, particles.star."""
        found = []
        for reference in references({one.name: self.stage.params[one.name]}):
            name, _, file = reference.partition("/")
            found.append(f"from {self.titles[name]}" + (f", {file}" if file else ""))
        return " and ".join(found)

    def _words(self, one: Option) -> str:
        value = self.stage.params.get(one.name)
        shown = "yes" if value is True else "no" if value is False else str(value).removeprefix(REFERENCE)
        return f"{label_of(one.name)[:1].lower()}{label_of(one.name)[1:]} {shown.removesuffix('.0')}" + (f" {one.unit}" if one.unit else "")

    def right(self) -> bool:
        """Whether every field is right by itself; says beside it what is not."""
        return all([one.check() for one in self.fields.values()])

    def changes(self) -> dict[str, Any]:
        """Values by "stage.parameter" that are others than when the page was opened; None: as by default."""
        now = {name: field.value() for name, field in self.fields.items()}
        return {f"{self.stage.name}.{name}": value for name, value in now.items() if value != self.start[name]}
