"""Projects: open, make, recent."""

from collections.abc import Callable
from pathlib import Path

from nicegui import run, ui

from verglas.api.project import new_project, open_project
from verglas.errors import VerglasError
from verglas.jobs.folder import PIPELINE
from verglas.web.pages.folders import choose_folder
from verglas.web.places import admit, forget, key_of, recent
from verglas.web.theme import frame, missing, said, tell


@ui.page("/")
def projects() -> None:
    with frame(None, "Projects"):
        ui.html("<h1>Projects</h1>", sanitize=False)
        with ui.element("div").classes("two"):
            _asked("Open a project", "Folder of a project of verglas or RELION", "Open", open_project)
            _asked("New project", "Folder that is to become a project; it is made if it is not there", "Make project", new_project)
        with ui.element("section").classes("card"):
            ui.html("<h2>Recent</h2>", sanitize=False)
            _recent()


def _asked(heading: str, hint: str, button: str, action: Callable[[Path], object]) -> None:
    async def go() -> None:
        text = (folder.value or "").strip()
        if not text:
            folder.error = "Give a folder."
            return
        folder.error = None
        try:
            project = await run.io_bound(action, Path(text).expanduser())
        except VerglasError as error:
            folder.error = said(str(error))
            return
        ui.navigate.to(f"/p/{admit(project)}")  # type: ignore[arg-type]

    async def browse() -> None:
        found = await choose_folder(Path(folder.value or Path.cwd()).expanduser())
        if found:
            folder.value = str(found)

    with ui.element("section").classes("card"):
        ui.html(f"<h2>{heading}</h2>", sanitize=False)
        folder = ui.input(placeholder="/data/me/project").props("outlined dense aria-label=Folder").classes("full-width").on("keydown.enter", go)
        ui.label(hint).classes("hint")
        with ui.element("div").classes("line"):
            ui.button(button, on_click=go).props("unelevated")
            ui.button("Browse ...", on_click=browse).props("flat")


@ui.refreshable
def _recent() -> None:
    found = recent()
    if not found:
        missing("None yet. Open a project, or make one.")
    for root in found:
        with ui.element("div").classes("line"):
            with ui.element("div").classes("grow"):
                ui.link(root.name, f"/p/{key_of(root)}")
                ui.label(str(root)).classes("hint")
            ui.button(icon="close", on_click=lambda root=root: _forget(root)).props("flat round dense").tooltip(
                f"Take it off this list. The folder with its {PIPELINE} stays as it is."
            )


def _forget(root: Path) -> None:
    try:
        forget(root)
    except VerglasError as error:
        tell(error)
    _recent.refresh()
