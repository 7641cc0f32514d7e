"""Deleted jobs, which can come back."""

from nicegui import run, ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.web.places import project_of
from verglas.web.theme import frame, missing, tell
from verglas.web.watch import watch


@ui.page("/p/{key}/trash")
def trash(key: str) -> None:
    project = project_of(key)
    with frame(project, "Trash", "Trash"):
        ui.html("<h1>Trash</h1>", sanitize=False)
        ui.label(f"Deleted jobs are in {project.root / 'Trash'}. They take room on the disk until that folder is emptied.").classes("hint")
        with ui.element("section").classes("card"):
            listing(project)


@ui.refreshable
def listing(project: Project) -> None:
    names = project.trashed()
    if not names:
        missing("Nothing is in the trash.")
    for name in names:
        with ui.element("div").classes("line"):
            ui.label(name).classes("grow")
            if not project.read_only:
                ui.button("Restore", icon="restore", on_click=lambda name=name: _restore(project, name)).props("flat").tooltip(
                    "Bring it back, with the deleted jobs that it builds on"
                )


async def _restore(project: Project, name: str) -> None:
    try:
        came = await run.io_bound(project.restore, name)
    except VerglasError as error:
        tell(error)
        return
    watch(project).look()
    ui.notify(f"Restored {', '.join(came or ())}", type="positive")
    listing.refresh()
