"""What a job was given and what it hands on, with the viewers that fit and the jobs that can go on with it."""

from urllib.parse import urlencode

from nicegui import run, ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.types.pipeline import Node
from verglas.units import file_size
from verglas.web.inputs import producers, uses
from verglas.web.places import there
from verglas.web.stages import title
from verglas.web.theme import base, job_link, missing, view_link
from verglas.web.viewers import viewers_for, viewers_of
from verglas.web.watch import watch

KINDS = {
    "MicrographMovieGroupMetadata": "Movies",
    "MicrographMoviesData": "Movies",
    "MicrographGroupMetadata": "Micrographs",
    "MicrographsData": "Micrographs",
    "MicrographCoordsGroup": "Picks",
    "MicrographsCoords": "Picks",
    "ParticleGroupMetadata": "Particles",
    "ParticlesData": "Particles",
    "Image2DStack": "Class averages",
    "DensityMap": "Map",
    "Image3D": "Local resolution",
    "Mask3D": "Mask",
    "ModelData": "Classes",
    "OptimiserData": "State of the run",
    "ProcessData": "Table of results",
    "LogFile": "Log",
    "TextFile": "Text",
}
"""First word of RELION's label -> what it is."""
VERBS = {
    "table": "Table",
    "volume": "Slices and surface",
    "micrographs": "Micrographs",
    "classes": "Classes",
    "particles": "Particles",
    "plots": "Curves",
    "ctf": "CTF",
    "motion": "Motion",
}


def files(project: Project, job: Job) -> None:
    """Two cards."""
    with ui.element("section").classes("card"):
        ui.html("<h2>What it hands on</h2>", sanitize=False)
        made = watch(project).made(job.name)
        if not made:
            missing("Nothing yet." if job.process.state in ("Scheduled", "Running") else "Nothing that another job can read.")
        for node in made:
            _line(project, job, node, job.name)
        if job.process.state == "Running":
            _so_far(project, job)
    with ui.element("section").classes("card"):
        ui.html("<h2>What it was given</h2>", sanitize=False)
        given = watch(project).given(job.name)
        if not given:
            missing("No files of other jobs.")
        made_by = producers(watch(project).now().pipeline)
        for node in given:
            _line(project, job, node, made_by.get(node.name, ""))


def _so_far(project: Project, job: Job) -> None:
    """The last iteration that is written, in the viewers that follow a running job."""
    newest = max(job.folder.glob("run_it*_model.star"), default=None)
    if newest is not None:
        with ui.element("div").classes("line"):
            ui.label(f"So far: {newest.name}").classes("grow")
            for viewer in viewers_for(newest.name):
                ui.link(VERBS[viewer], view_link(project, viewer, f"{job.name}/{newest.name}", job.name))


def kind_words(node: Node) -> str:
    """DensityMap.mrc.relion.halfmap -> Half map."""
    first, *rest = node.type.split(".")
    return "Half map" if first == "DensityMap" and "halfmap" in rest else KINDS.get(first, first)


def _line(project: Project, job: Job, node: Node, maker: str) -> None:
    path = there(project, node.name)
    with ui.element("div").classes("line"):
        with ui.element("div").classes("grow"):
            ui.label(kind_words(node)).style("font-weight: 500").tooltip(f"RELION calls it {node.type}")
            ui.label(f"{node.name}  ({file_size(path.stat().st_size) if path else 'not there'})").classes("hint")
        if maker and maker != job.name:
            ui.link(f"made by {maker}", job_link(project, maker))
        for viewer in viewers_of(node) if path else ():
            ui.button(
                VERBS.get(viewer, viewer.replace("_", " ").capitalize()),
                on_click=lambda viewer=viewer: ui.navigate.to(view_link(project, viewer, node.name, job.name)),
            ).props("outline dense padding='4px 12px'")
        if path and not project.read_only:
            _use_button(project, node)


def _use_button(project: Project, node: Node) -> None:
    """The types of jobs that can be given this file; found when they are asked for."""

    async def fill() -> None:
        if menu.default_slot.children:
            return
        found = await run.io_bound(uses, node) or []
        with menu:
            for job, parameter in found:
                link = f"{base(project)}/new/{job}?{urlencode({parameter: node.name})}"
                ui.menu_item(title(job), lambda link=link: ui.navigate.to(link))
            if not found:
                ui.menu_item("No type of job takes it").props("disable")

    with (
        ui.button("Use in")
        .props("flat dense padding='4px 10px' icon-right=arrow_drop_down")
        .tooltip("A new job that is given this file")
        .on("click", fill)
    ):
        menu = ui.menu()
