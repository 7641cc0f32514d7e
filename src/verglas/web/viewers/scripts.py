"""Viewers that a script of ours draws: an empty place on the page, and what the script must know."""

import json
from pathlib import Path
from typing import Any

from nicegui import ui

from verglas.api.project import Project
from verglas.web.theme import base

MOST_NAMED = 300
"""Maps that a list offers."""


def place(project: Project, script: str, file: str, **more: Any) -> ui.element:
    """Where static/view_<script>.js draws; it is given the addresses of the project and `more`."""
    ui.add_head_html('<link rel="stylesheet" href="/static/view.css">'
                     f'<link rel="modulepreload" href="/static/view_{script}.js"><link rel="modulepreload" href="/static/view_kit.js">')
    room = ui.element("div").classes("vg")
    config = {"base": base(project), "data": f"{base(project)}/data", "file": file, "writable": not project.read_only, **more}
    start(room, script, config)
    return room


def start(room: ui.element, script: str, config: dict[str, Any]) -> None:
    """Run the script as soon as the place is on the page."""
    text = json.dumps(config).replace("</", "<\\/")
    ui.run_javascript(f"import('/static/view_{script}.js').then(m => m.mount(getHtmlElement({room.id}), {text}))")


def volume(project: Project, file: str) -> None:
    """Slices in three directions and the surface."""
    place(project, "volume", file, maps=maps_for(project, file, "DensityMap", "Image3D"), masks=maps_for(project, file, "Mask3D"))


def maps_for(project: Project, file: str, *kinds: str) -> list[str]:
    """Maps to compare with or to colour by: those that jobs hand on, the newest first, and for maps those beside the file."""
    handed = [one.name for one in reversed(project.pipeline.nodes) if one.type.startswith(kinds) and not one.name.endswith(".mrcs")]
    folder = Path(file).parent
    beside = [str(folder / one.name) for one in sorted((project.root / folder).glob("*.mrc"))] if "DensityMap" in kinds else []
    return [one for one in dict.fromkeys([*handed[:MOST_NAMED], *beside[:MOST_NAMED]]) if one != file and (project.root / one).is_file()]


def classes(project: Project, file: str) -> None:
    """Averages with their numbers."""
    place(project, "classes", file)


def particles(project: Project, file: str) -> None:
    """Sheets of particles."""
    place(project, "particles", file)


def micrographs(project: Project, file: str) -> None:
    """Micrographs with picks."""
    place(project, "micrographs", file)


def plots(project: Project, file: str) -> None:
    """Curves, views and flow."""
    place(project, "plots", file)
