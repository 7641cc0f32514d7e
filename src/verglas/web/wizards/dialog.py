"""The dialog of a wizard: an empty place on the page for its script, which asks /look and hands values back to the form."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from verglas.api.project import Project
from verglas.jobs.registry import find
from verglas.jobs.spec import options
from verglas.web.inputs import label_of, value_of
from verglas.web.pages.fields import Field
from verglas.web.theme import base
from verglas.web.wizards import Wizard, wizard_of

STYLES = '<link rel="stylesheet" href="/static/view.css"><link rel="stylesheet" href="/static/wizard.css">'


def looks(project: Project, job: str, fields: dict[str, Field]) -> dict[str, Callable[[], Awaitable[None]]]:
    """Parameter -> what its button "Look" does. `fields`: those of the form, which grow."""
    found = wizard_of(job)
    if found is None:
        return {}
    name, wizard = found
    ui.add_head_html(STYLES)

    async def show() -> None:
        _open(project, job, name, wizard, fields)

    return dict.fromkeys(wizard.fields, show)


def _open(project: Project, job: str, name: str, wizard: Wizard, fields: dict[str, Field]) -> None:
    with ui.dialog(value=True) as dialog, ui.card().classes("wizard-card"):
        room = ui.element("div").classes("vg wizard")

    def take(event: GenericEventArguments) -> None:
        given = event.args.get("detail") if isinstance(event.args, dict) else None
        for field, value in given.items() if isinstance(given, dict) else ():
            if field in wizard.fields and field in fields and isinstance(value, str) and len(value) <= 40:
                fields[field].fill(value)
        dialog.close()

    room.on("use", take, args=["detail"])
    room.on("leave", dialog.close, args=[])
    dialog.on("hide", dialog.delete)
    text = json.dumps(_config(project, job, name, wizard, fields)).replace("</", "<\\/")
    ui.run_javascript(f"import('/static/wizard_{name}.js').then(m => m.mount(getHtmlElement({room.id}), {text}))")


def _config(project: Project, job: str, name: str, wizard: Wizard, fields: dict[str, Field]) -> dict[str, Any]:
    """The form as it is now."""
    known = {one.name: one for one in options(find(job).params)}
    params = {field: value_of(one.option, one.control.value) for field, one in fields.items()}
    asked = [{"name": one, "label": label_of(one), "unit": known[one].unit, "help": known[one].help, "default": known[one].default,
              "limits": dict(known[one].limits)} for one in wizard.fields]
    return {"data": f"{base(project)}/data", "wizard": name, "job": job, "title": wizard.title, "fields": asked,
            "params": {field: value for field, value in params.items() if value is not None}}
