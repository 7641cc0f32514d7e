"""The buttons of a job: stop, continue, clone, change, clean, delete."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from nicegui import run, ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.jobs.registry import ENTRIES, find
from verglas.project import clean, edit
from verglas.project.request import read_request
from verglas.units import file_size
from verglas.web.theme import base, missing, tell
from verglas.web.watch import watch

SHOWN = 30
WAYS = ("Gentle: files of all iterations but the last", "Harsh: also images, which the job can make again from what it was given")


def actions(project: Project, job: Job) -> None:
    """Those that its state allows."""
    kind, state = job.kind if job.kind in ENTRIES else "", job.process.state
    new = f"{base(project)}/new/{quote(kind)}"
    if project.read_only:
        return
    request = read_request(job.folder)
    waits = state == "Scheduled" and request is not None
    if state == "Running":
        _button("Stop", "stop", "At the next safe point: what it has done so far is kept", lambda: _do(project, job.stop, "Asked to stop"))
        _button(
            "Stop now",
            "dangerous",
            "End its processes at once; what it has not written is lost",
            lambda: confirm(
                f"End {job.name} at once?",
                "What it has not written yet is lost.",
                "End it",
                lambda: _do(project, lambda: job.stop(now=True), "Ended"),
            ),
        )
    if waits and request is not None and request.status == "held":
        _button(
            "Let it go",
            "play_arrow",
            "Begin as soon as its inputs and free slots are there",
            lambda: _do(project, job.go_on, "It waits for its turn"),
        )
    elif waits:
        _button("Hold", "pause", "Make it a draft that waits for you", lambda: _do(project, job.stop, "It is a draft now"))
    if waits and kind:
        _button("Change", "edit", "Other parameters, before it begins", lambda: ui.navigate.to(f"{new}?change={quote(job.name)}"))
    if state in ("Failed", "Aborted") and kind and find(kind).can_continue:
        _button("Continue", "play_arrow", "Go on where it stopped, in the same folder", lambda: _do(project, job.go_on, "It waits for its turn"))
    elif state in ("Failed", "Aborted") and request is not None:
        _button("Start again", "replay", "From the beginning, in the same folder", lambda: _do(project, job.start_again, "It waits for its turn"))
    if kind and not waits:
        _button(
            "Clone",
            "content_copy",
            "A new job with the same parameters, which you can change first",
            lambda: ui.navigate.to(f"{new}?clone={quote(job.name)}"),
        )
    if state in ("Succeeded", "Failed", "Aborted"):
        _button(
            "Clean ...",
            "cleaning_services",
            "Move files that are needed no more to the trash; shows which and how much first",
            lambda: _clean(project, job),
        )
    if state != "Running":
        _button("Delete ...", "delete_outline", "Move it to the trash, with the jobs that build on it", lambda: _delete(project, job))


def _button(words: str, icon: str, help: str, action: Callable[[], Any]) -> None:
    ui.button(words, icon=icon, on_click=action).props("outline dense padding='4px 12px'").tooltip(help)


async def _do(project: Project, action: Callable[[], Any], done: str) -> bool:
    try:
        await run.io_bound(action)
    except VerglasError as error:
        tell(error)
        return False
    watch(project).look()
    ui.notify(done, type="positive")
    return True


async def confirm(heading: str, text: str, button: str, action: Callable[[], Any]) -> None:
    """Ask before what cannot be undone, or not simply."""
    with ui.dialog(value=True) as dialog, ui.card():
        ui.label(heading).style("font-weight: 600; font-size: 16px")
        ui.label(text)
        with ui.element("div").classes("line"):
            ui.button(button, on_click=lambda: dialog.submit(True)).props("unelevated color=negative")
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
    if await dialog:
        await action()
    dialog.delete()


async def _delete(project: Project, job: Job) -> None:
    gone = edit.with_dependents(watch(project).now().pipeline, [job.name])
    others = f" With it go the jobs that build on it: {', '.join(gone[1:SHOWN])}{' ...' if len(gone) > SHOWN else ''}." if len(gone) > 1 else ""

    async def delete() -> None:
        if await _do(project, lambda: project.trash(job, expected=gone), f"In the trash: {', '.join(gone[:5])}"):
            ui.navigate.to(base(project))

    await confirm(
        f"Move {job.name} to the trash?", f"It can be restored from there.{others}", f"Delete {len(gone)} jobs" if len(gone) > 1 else "Delete", delete
    )


async def _clean(project: Project, job: Job) -> None:
    """Gentle or harsh, with what would go; harsh is asked for twice."""
    pipeline = watch(project).now().pipeline
    plans = [found for harsh in (False, True) if (found := await run.io_bound(clean.plan, project.root, pipeline, job.name, harsh))]
    with ui.dialog(value=True) as dialog, ui.card().style("min-width: 520px"):
        ui.label(f"Clean {job.name}").style("font-weight: 600; font-size: 16px")
        for planned, words in zip(plans, WAYS):
            _offer(planned, words, dialog)
        ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")
    planned = await dialog
    dialog.delete()
    if planned is None:
        return

    async def carry_out() -> None:
        await _do(project, lambda: clean.carry_out(project.root, planned), f"{len(planned.files)} files are in the trash")

    if planned is plans[-1]:
        text = (
            f"{len(planned.files)} files, {file_size(planned.bytes)}, go to the trash, images among them. Jobs that need these images cannot run "
            f"until {job.name} has made them again. They can be put back on the page Trash until it is emptied."
        )
        await confirm(f"Clean {job.name} harshly?", text, f"Move {file_size(planned.bytes)} to the trash", carry_out)
    else:
        await carry_out()


def _offer(planned: clean.CleanPlan, words: str, dialog: ui.dialog) -> None:
    """What would go, and the button for it."""
    ui.label(words).style("font-weight: 500; margin-top: 8px")
    if planned.kept or not planned.files:
        missing(planned.kept or "Nothing to clean.")
        return
    with ui.expansion(f"{len(planned.files)} files, {file_size(planned.bytes)}").props("dense").classes("full-width"):
        more = [f"... and {len(planned.files) - SHOWN} more"] if len(planned.files) > SHOWN else []
        ui.label("\n".join([*planned.files[:SHOWN], *more])).classes("hint").style("white-space: pre-wrap; overflow-wrap: anywhere")
    ui.button(f"Move {file_size(planned.bytes)} to the trash", on_click=lambda: dialog.submit(planned)).props("outline")
