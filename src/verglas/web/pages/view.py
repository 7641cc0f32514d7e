"""A viewer with a file of the project."""

from fastapi import HTTPException
from nicegui import ui

from verglas.web.places import file_in, project_of
from verglas.web.theme import frame, job_link
from verglas.web.viewers import VIEWERS


@ui.page("/p/{key}/view/{viewer}")
def view(key: str, viewer: str, file: str = "", job: str = "") -> None:
    project = project_of(key)
    if viewer not in VIEWERS:
        raise HTTPException(404, f"There is no viewer {viewer}.")
    file_in(project, file)
    with frame(project, file.rpartition("/")[2], job):
        with ui.row().classes("crumbs"):
            if job:
                ui.link(job, job_link(project, job))
            ui.label(file)
        VIEWERS[viewer](project, file)
