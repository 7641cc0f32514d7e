"""What a job was told, and what people wrote about it."""

from html import escape
from typing import Any

from nicegui import run, ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import options, short
from verglas.web.pages.fields import label_of
from verglas.web.theme import missing, tell
from verglas.web.watch import watch


def parameters(project: Project, job: Job) -> None:
    """Those that differ from the default first, the others on request."""
    facts = job.facts
    with ui.element("section").classes("card"):
        ui.html("<h2>Parameters</h2>", sanitize=False)
        known = {one.name: one for one in options(find(facts.job).params)} if facts.job in ENTRIES else {}
        set_ = {name: value for name, value in facts.params.items() if name not in known or _differs(value, known[name].default)}
        rest = {name: value for name, value in facts.params.items() if name not in set_ and value is not None}
        if not facts.params:
            missing(facts.problem or "None are known.")
        ui.html(_table(set_, known), sanitize=False)
        if rest:
            with ui.expansion(f"{len(rest)} more, as by default").props("dense"):
                ui.html(_table(rest, known), sanitize=False)
        if facts.version:
            ui.label(f"verglas {facts.version}").classes("hint")
        if facts.command:
            with ui.expansion("Command").props("dense"):
                ui.html(f"<pre class='log'>{escape(facts.command)}</pre>", sanitize=False)


def _differs(value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, bool) or value is None or default is None:
        return bool(value != default)
    try:
        return float(value) != float(default)
    except (TypeError, ValueError):
        return str(value) != str(default)


def _table(params: dict[str, Any], known: dict[str, Any]) -> str:
    rows = "".join(
        f"<dt title='{escape(known[name].help if name in known else '', True)}'>{escape(label_of(name) if name in known else name)}</dt>"
        f"<dd>{escape(_words(value))}{f' {escape(known[name].unit)}' if name in known and known[name].unit else ''}</dd>"
        for name, value in params.items()
    )
    return f"<dl class='facts'>{rows}</dl>"


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return short(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def note(project: Project, job: Job) -> None:
    """note.txt and the second name."""
    was, called = job.note, job.alias.rpartition("/")[2]

    async def keep_note() -> None:
        nonlocal was
        there, wanted = job.note, text.value or ""
        if there.strip() not in (was.strip(), wanted.strip()):
            was, text.value = there, f"{there.rstrip()}\n\n{wanted}"
            ui.notify("Somebody else has changed this note. Both texts are here now: look at them, and save again.", type="warning", timeout=10_000)
        elif await _try(job.annotate, wanted, was):
            was = job.note
            ui.notify("Note saved", type="positive")

    def look() -> None:
        """What somebody else has written; not while it is being changed here."""
        nonlocal was
        if (text.value or "").strip() == was.strip() != job.note.strip():
            was = job.note
            text.value = was

    async def rename() -> None:
        if await _try(job.rename, (name.value or "").strip(), called):
            watch(project).look()
            ui.navigate.reload()

    with ui.element("section").classes("card"):
        ui.html("<h2>Note</h2>", sanitize=False)
        ui.timer(3.0, look, immediate=False)
        text = ui.textarea(value=was, placeholder="What you want to remember about it").props("outlined autogrow dense").classes("full-width")
        if not project.read_only:
            with ui.element("div").classes("line"):
                ui.button("Save note", on_click=keep_note).props("outline")
        ui.html("<h2>Second name</h2>", sanitize=False)
        with ui.element("div").classes("line"):
            name = ui.input(value=called, placeholder="such as best").props("outlined dense").classes("grow")
            if not project.read_only:
                ui.button("Save name", on_click=rename).props("outline").tooltip("A link beside the folder; files can be named through it")


async def _try(action: Any, *given: Any) -> bool:
    try:
        await run.io_bound(action, *given)
    except VerglasError as error:
        tell(error)
        return False
    return True
