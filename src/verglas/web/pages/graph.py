"""The project as a graph: what came of what, in the colours of the states."""

from urllib.parse import quote

from fastapi import HTTPException, Query
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
"""Boxes in one picture; more jobs are leafed through, the last ones first."""


def picture(project: Project, job: str, leaf: int) -> tuple[str, int, list[int]]:
    """(SVG, leaves, numbers of the first and last job on it). `job`: only what it builds on and what builds on it; "" for all."""
    found = watch(project).now()
    wanted = set(family(found.graph, job)) if job else None
    jobs = sorted((one for one in found.pipeline.processes if wanted is None or one.name in wanted), key=lambda one: one.number)
    leaves = max(1, -(-len(jobs) // MOST))
    end = len(jobs) - MOST * (min(leaf, leaves) - 1)
    shown = jobs[max(0, end - MOST) : end]
    boxes = [box_of(one, job_link(project, one.name), found.details.get(one.name, "")) for one in shown]
    return svg(boxes, edges(found.graph)) if shown else "", leaves, [one.number for one in (*shown[:1], *shown[-1:])]


@ui.page("/p/{key}/graph")
def graph(key: str, job: str = "", leaf: int = Query(1, ge=1, le=10**6)) -> None:
    """`leaf`: of so many jobs that one picture does not hold them, 1 for the last ones."""
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

        def now() -> tuple[str, int, list[int]]:
            return seen.once(("graph", job, leaf), lambda _: picture(project, job, leaf))

        drawn, leaves, ends = now()
        if not drawn:
            missing("No jobs yet.")
            return
        if leaves > 1:
            _leaves(f"{base(project)}/graph?" + (f"job={quote(job)}&" if job else ""), min(leaf, leaves), leaves, ends)
        board = ui.html(drawn, sanitize=False).classes("graph")
        version = seen.version

        def refresh() -> None:
            nonlocal version
            if seen.version != version:
                version = seen.version
                board.set_content(now()[0])

        ui.timer(1.0, refresh)


def _leaves(address: str, leaf: int, leaves: int, ends: list[int]) -> None:
    """To older and newer jobs."""
    with ui.element("div").classes("line"):
        missing(f"Jobs {ends[0]} to {ends[-1]}, picture {leaf} of {leaves}.")
        for words, other in (("Older", leaf + 1), ("Newer", leaf - 1)):
            if 1 <= other <= leaves:
                ui.link(words, f"{address}leaf={other}")
        ui.label('Lines to jobs of other pictures are left out; "In the graph" on the page of a job shows its own part whole.').classes("hint")
