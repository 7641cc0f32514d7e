"""Deleted jobs and files of cleaned ones, which can come back until the trash is emptied."""

from nicegui import run, ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.project.archive import trash_size
from verglas.project.clean import cleaned
from verglas.units import file_size
from verglas.web.pages.actions import confirm
from verglas.web.places import project_of
from verglas.web.theme import frame, missing, tell
from verglas.web.watch import watch


@ui.page("/p/{key}/trash")
def trash(key: str) -> None:
    project = project_of(key)
    with frame(project, "Trash", "Trash"):
        ui.html("<h1>Trash</h1>", sanitize=False)
        ui.label(f"In the folder {project.root / 'Trash'}; it takes room on the disk until it is emptied.").classes("hint")
        _Trash(project)


class _Trash:
    """The list, and how much room it takes; `fill` draws it again."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.card = ui.element("section").classes("card")
        self.fill()

    def fill(self) -> None:
        self.card.clear()
        deleted, files, room = self.project.trashed(), cleaned(self.project.root), trash_size(self.project.root)
        with self.card:
            if not deleted and not room:
                missing("Nothing is in the trash.")
            for name in deleted:
                self._line(name, "deleted", "Restore", "Bring it back, with the deleted jobs that it builds on")
            for name, moved in files.items():
                self._line(name, f"{len(moved)} files that cleaning took", "Put back", "Move these files back into the folder of the job")
            if room and not self.project.read_only:
                with ui.element("div").classes("line"):
                    ui.button(f"Empty the trash: {file_size(room)} ...", icon="delete_forever", on_click=lambda: self._ask(room)).props("outline")

    def _line(self, name: str, words: str, button: str, help: str) -> None:
        with ui.element("div").classes("line"):
            with ui.element("div").classes("grow"):
                ui.label(name)
                ui.label(words).classes("hint")
            if not self.project.read_only:
                ui.button(button, icon="restore", on_click=lambda: self._restore(name)).props("flat").tooltip(help)

    async def _restore(self, name: str) -> None:
        try:
            came = await run.io_bound(self.project.restore, name)
        except VerglasError as error:
            tell(error)
            return
        watch(self.project).look()
        ui.notify(f"Restored {', '.join(came or ())}", type="positive")
        self.fill()

    async def _ask(self, room: int) -> None:
        text = "What is in it is lost for good: the deleted jobs with all their files, and what cleaning has taken from others."
        await confirm("Empty the trash?", text, f"Remove {file_size(room)} for good", self._empty)

    async def _empty(self) -> None:
        try:
            freed = await run.io_bound(self.project.empty_trash) or 0
        except VerglasError as error:
            tell(error)
            return
        ui.notify(f"{file_size(freed)} freed", type="positive")
        self.fill()
