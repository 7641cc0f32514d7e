"""One parameter on the form: name, control, unit, help, and what is wrong beside it."""

from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Any

from nicegui import ui

from verglas.api.project import Project
from verglas.jobs.registry import find
from verglas.jobs.spec import Option, short
from verglas.project.layout import in_project
from verglas.project.words import is_file
from verglas.web.inputs import choices, complaint, label_of, offers, takes_files, value_of
from verglas.web.pages.folders import choose_file, choose_import
from verglas.web.pages.textbox import TextBox

ORDERS = {
    "healpix_order": "Angle between the orientations that are tried first, everywhere. Finer takes four times as long or more for each step.",
    "local_from_order": "Once the step is this fine, each particle is searched only around its last orientation.",
}
"""Parameters that are angular steps, by the order of their HEALPix grid, and their help."""

OUTSIDE = ("Import", "Live")
"""Folders of the jobs whose files usually lie outside of the project."""


def step_words(order: int) -> str:
    """2 -> 7.5° (HEALPix order 2): the step at which such a grid is searched, as RELION's own form has it."""
    return f"{short(round(30 / 2**order, 2))}° (HEALPix order {order})"


def _orders(one: Option) -> range | None:
    limits = {name: int(value) for name, value in one.limits}
    return range(limits["minimum"], limits["maximum"] + 1) if one.name in ORDERS else None


class Field:
    """`value()`: None where it is as by default. `complain(text)` writes beside it. `look`: opens the wizard that shows this parameter on the data.

    Few elements: each costs the browser more than a millisecond, and a form has dozens of fields.
    """

    def __init__(self, project: Project, job: str, one: Option, given: Any, look: Callable[[], Awaitable[None]] | None = None) -> None:
        self.project, self.option = project, one
        self.outside = find(job).folder in OUTSIDE
        start = given if given is not None else one.default
        self.files = takes_files(one)
        narrow = not self.files and one.annotation is not str
        self.trouble: ui.label | None = None
        with ui.element("div").classes("field narrow" if narrow else "field") as self.row:
            must = "<b class='must' title='needed'> *</b>" if one.required else ""
            ui.html(
                f"<span class='name' title='On the command line: {escape(one.flag, True)}'>{escape(label_of(one.name))}{must}</span>"
                f"<span class='help hint'>{escape(_help(one))}</span>{f'<i>{escape(one.unit)}</i>' if one.unit else ''}",
                sanitize=False,
            ).classes("words")
            if self.files or look:
                with ui.element("div").classes("control"):
                    self.control = self._control(start)
                    self._buttons(look)
            else:
                self.control = self._control(start).classes("control")
        self.control.props(f'data-field="{one.name}"')

    def _control(self, start: Any) -> Any:
        one, known = self.option, _orders(self.option) or choices(self.option)
        if one.annotation is bool:
            return ui.switch(value=start is True or start == "Yes")
        if known:
            empty = {} if one.default is not None or one.required else {"": "not set"}
            return ui.select(
                empty | {str(value): step_words(value) if one.name in ORDERS else str(value) for value in known},
                value=_text(start) if _text(start) in (*map(str, known), *empty) else None
            ).props("outlined dense")
        control = TextBox(_text(start), "" if one.required else "not set")
        control.on("blur", self.check, args=[])
        return control

    def _buttons(self, look: Callable[[], Awaitable[None]] | None) -> None:
        if is_file(self.option):
            with ui.button("From a job", on_click=self._offer).props("outline no-wrap title='Files of earlier jobs that fit here'"):
                self.menu = ui.menu().props("max-height=420px no-parent-event")
            if self.option.required and not self.control.value and len(found := offers(self.project, self.option.name)) == 1:
                self.control.value = found[0].value
        if self.files:
            place = "on this machine" if self.outside else "in the folder of the project"
            ui.button("Browse", on_click=self._browse).props(f"flat no-wrap title='Files {place}'")
        if look:
            seen = "flat dense no-wrap title='See it on your data while you choose'"
            ui.button("Look", icon="visibility", on_click=look).props(seen).classes("look")

    def _offer(self) -> None:
        self.menu.clear()
        with self.menu:
            found = offers(self.project, self.option.name)
            if not found:
                ui.menu_item("No job has made a file that fits here.").props("disable")
            for offer in found:
                ui.menu_item(offer.words, lambda value=offer.value: self.put(value))
        self.menu.open()

    async def _browse(self) -> None:
        root = self.project.root
        found = await (choose_import(root, self.option.several) if self.outside else choose_file(root))
        if isinstance(found, Path):
            self.put(in_project(root, found))

    def put(self, value: str) -> None:
        """Take a file; where several may stand, beside those that are there."""
        there = str(self.control.value or "").strip()
        self.control.value = f"{there}, {value}" if self.option.several and there else value
        self.check()

    def fill(self, value: str) -> None:
        """Take a value that was chosen elsewhere on the page."""
        self.control.value = value
        self.check()

    def check(self) -> bool:
        """Whether it is right by itself; says what is not."""
        wrong = complaint(self.project, self.option, self.control.value)
        self.complain(wrong)
        return not wrong

    def complain(self, text: str) -> None:
        if isinstance(self.control, TextBox):
            self.control.complain(bool(text))
        if text and self.trouble is None:
            with self.row:
                self.trouble = ui.label().classes("trouble")
        if self.trouble is not None:
            self.trouble.set_text(text)
            self.trouble.visible = bool(text)

    def value(self) -> Any:
        found = value_of(self.option, self.control.value)
        return None if not self.option.required and _text(found) == _text(self.option.default) else found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return short(value) if isinstance(value, float) and abs(value) < 1e6 and not float(value).is_integer() else _whole(value)


def _whole(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _help(one: Option) -> str:
    if one.name in ORDERS:
        return ORDERS[one.name]
    words = [one.help, f"Allowed: {one.bounds.replace('>=', '≥').replace('<=', '≤')}." if one.limits else ""]
    return " ".join(filter(None, words)).replace("--", "")
