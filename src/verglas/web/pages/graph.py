"""The project as a graph: what came of what, in the colours of the states."""

from fastapi import HTTPException
from nicegui import ui

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.project.graph import edges
from verglas.project.layout import find_name
from verglas.web.layers import box_of, family, svg
from verglas.web.places import project_of
from verglas.web.theme import base, frame, job_link, missing, state_html
from verglas.web.watch import watch

MOST = 300
"""Boxes in one picture; of more jobs the last ones are drawn."""


def picture(project: Project, job: str) -> tuple[str, int]:
    """(SVG, number of jobs that were left out). `job`: only what it builds on and what builds on it; "" for all."""
    found = watch(project).now()
    wanted = set(family(found.graph, job)) if job else None
    jobs = sorted((one for one in found.pipeline.processes if wanted is None or one.name in wanted), key=lambda one: one.number)
    shown = jobs[-MOST:]
    boxes = [box_of(one, job_link(project, one.name), found.details.get(one.name, "")) for one in shown]
    return svg(boxes, edges(found.graph)) if shown else "", len(jobs) - len(shown)


@ui.page("/p/{key}/graph")
def graph(key: str, job: str = "") -> None:
    project = project_of(key)
    seen = watch(project)
    if job:
        try:
            job = find_name(seen.now().pipeline, job)
        except InputError as error:
            raise HTTPException(404, error.found) from error
    with frame(project, "Graph", "Graph"):
        with ui.element("div").classes("line"):
            ui.html("<h1>Graph</h1>", sanitize=False)
            if job:
                ui.label(f"What {job} builds on, and what builds on it").classes("hint")
                ui.link("Show all jobs", f"{base(project)}/graph")
            ui.space()
            ui.html("&ensp;".join(state_html(one) for one in ("Scheduled", "Running", "Succeeded", "Failed", "Aborted")), sanitize=False)
        drawn, left = picture(project, job)
        if not drawn:
            missing("No jobs yet.")
            return
        if left:
            missing(f'The last {MOST} of {MOST + left} jobs. Open a job and choose "In the graph" for its own part of older ones.')
        board = ui.html(drawn, sanitize=False).classes("graph")
        version = seen.version

        def refresh() -> None:
            nonlocal version
            if seen.version != version:
                version = seen.version
                board.set_content(picture(project, job)[0])

        ui.timer(1.0, refresh)
