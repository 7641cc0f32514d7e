"""The frame of every page: header with search and light or dark, drawer with the pages and jobs, content."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from nicegui import ui

from verglas.api.project import Project
from verglas.web.places import key_of

MODES: dict[str, bool | None] = {"light": False, "dark": True, "auto": None}
MODE_COOKIE = "verglas_mode"


def base(project: Project) -> str:
    """/p/KEY: where the pages of the project are."""
    return f"/p/{key_of(project.root)}"


def job_link(project: Project, job: str) -> str:
    """The page of a job."""
    return f"{base(project)}/job/{quote(job)}"


def view_link(project: Project, viewer: str, file: str, job: str = "") -> str:
    """The page where a viewer shows a file."""
    return f"{base(project)}/view/{quote(viewer)}?file={quote(file)}" + (f"&job={quote(job)}" if job else "")


@contextmanager
def frame(project: Project | None, title: str, active: str = "") -> Iterator[None]:
    """Everything around a page. `active`: the entry of the drawer, or the name of the job, that is shown."""
    ui.page_title(f"{title} - verglas")
    ui.add_head_html('<link rel="stylesheet" href="/static/theme.css">')
    with ui.element("main").classes("page"):
        yield
