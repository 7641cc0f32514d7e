"""Dialogs that choose a folder of this machine, a file inside a project, or files for an import."""

import glob
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nicegui import ui

from verglas.jobs.folder import PIPELINE
from verglas.project.layout import is_folder

SHOWN = 500
"""Entries of a folder; more are found by typing a part of the name."""


async def choose_folder(start: Path) -> Path | None:
    """A folder, None when the dialog was left."""
    return await _choose(start, None, files=False)


async def choose_file(root: Path) -> Path | None:
    """A file of the project, where links of the project may lead out of it; None when the dialog was left."""
    return await _choose(root, root, files=True)


async def choose_import(start: Path, several: bool) -> Path | None:
    """A file anywhere on this machine, or, of `several`, a pattern for those of one kind in a folder: an import may take them."""
    return await _choose(start, None, files=True, several=several)


async def _choose(start: Path, root: Path | None, *, files: bool, several: bool = False) -> Path | None:
    here = next((one for one in (start, *start.parents) if one.is_dir()), Path("/"))
    with ui.dialog() as dialog, ui.card().style("width: 620px; max-width: 90vw"):
        place = ui.label().classes("hint")
        part = ui.input(placeholder="Part of a name").props("dense outlined clearable").classes("full-width")
        listing = ui.element("div").style("width: 100%; height: 340px; overflow: auto")
        with ui.element("div").classes("line"):
            if several:
                alike = ui.button(on_click=lambda: dialog.submit(pattern(here))).props("unelevated no-caps")
            if not files:
                ui.button("Choose this folder", on_click=lambda: dialog.submit(here)).props("unelevated")
            ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")

    def enter(folder: Path) -> None:
        nonlocal here
        here = folder
        place.set_text(str(folder if root is None else folder.relative_to(root) if folder != root else root.name))
        if several:
            many = pattern(folder)
            alike.set_visibility(many is not None)
            alike.set_text(f"All {many.name} here" if many else "")
        show()

    def show() -> None:
        listing.clear()
        with listing, ui.list().props("dense").classes("full-width"):
            if here not in (root, here.parent):
                _row("arrow_upward", "..", "one folder up", lambda: enter(here.parent))
            found = entries(here, part.value or "", files)
            for one in found[:SHOWN]:
                path = here / one.name
                if is_folder(one):
                    known = not files and (path / PIPELINE).exists()
                    _row("folder_special" if known else "folder", one.name, "a project" if known else "", partial(enter, path))
                else:
                    _row("description", one.name, "", partial(dialog.submit, path))
            if len(found) > SHOWN:
                ui.label(f"{len(found) - SHOWN} more: type a part of the name").classes("hint")

    part.on_value_change(show)
    enter(here)
    result: Path | None = await dialog
    dialog.delete()
    return result


def pattern(folder: Path) -> Path | None:
    """FOLDER/*.tiff: the kind that most files of a folder have, None where there are not two alike."""
    kinds = Counter(Path(one.name).suffix for one in entries(folder, "", True) if not is_folder(one))
    kinds.pop("", None)
    kind, number = max(kinds.items(), key=lambda one: one[1], default=("", 0))
    return Path(glob.escape(str(folder))) / f"*{kind}" if number > 1 else None


def entries(folder: Path, part: str, files: bool) -> "list[os.DirEntry[str]]":
    """Folders first, by name; hidden ones and what may not be read are left out."""
    try:
        with os.scandir(folder) as found:
            kept = [one for one in found if not one.name.startswith(".") and part.lower() in one.name.lower() and (files or is_folder(one))]
    except OSError:
        return []
    return sorted(kept, key=lambda one: (not is_folder(one), one.name.lower()))


def _row(icon: str, name: str, hint: str, action: Callable[[], None]) -> None:
    with ui.item(on_click=action):
        with ui.item_section().props("avatar"):
            ui.icon(icon)
        with ui.item_section():
            ui.item_label(name)
            if hint:
                ui.item_label(hint).props("caption")
