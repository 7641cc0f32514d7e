"""The project as a list; the server filters, sorts and gives one page of rows, however many jobs there are."""

import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from nicegui import events, ui

from verglas.api.project import Project
from verglas.project.facts import facts_of
from verglas.project.index import Row
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Process
from verglas.units import clock
from verglas.web.pages.begin import begin
from verglas.web.places import project_of
from verglas.web.stages import OTHER, STAGES, stage_of
from verglas.web.theme import base, frame, job_link
from verglas.web.watch import watch

STATES = ("Running", "Scheduled", "Succeeded", "Failed", "Aborted")
COLUMNS = (("number", "No."), ("name", "Job"), ("stage", "Stage"), ("state", "State"), ("started", "Date"), ("time", "Time"))
"""All can be sorted by."""

ROWS = (25, 50, 100)
"""Rows of a page."""


@dataclass
class Wish:
    """What is shown: words in name, alias or type; state and stage, "" for all; order; page from 1."""

    text: str = ""
    state: str = ""
    stage: str = ""
    by: str = "number"
    down: bool = True
    page: int = 1
    rows: int = ROWS[0]


def chosen(found: Snapshot, wish: Wish, times: Mapping[str, Row] | None = None) -> list[Process]:
    """All jobs that are wished for, in order. `times`: for orders by date or time; jobs without come last."""
    words = wish.text.lower().split()
    kept = [
        one
        for one in found.pipeline.processes
        if (not wish.state or one.state == wish.state)
        and (not wish.stage or stage_of(one) == wish.stage)
        and all(word in f"{one.name} {one.alias} {one.type}".lower() for word in words)
    ]
    if wish.by in ("started", "time"):
        measure = _moment if wish.by == "started" else _length
        known = {one.name: value for one in kept if times and (row := times.get(one.name)) and (value := measure(row)) is not None}
        first = sorted((one for one in kept if one.name in known), key=lambda one: (known[one.name], one.number), reverse=wish.down)
        return first + [one for one in kept if one.name not in known]
    key = stage_of if wish.by == "stage" else lambda one: getattr(one, wish.by)
    return sorted(kept, key=lambda one: (key(one), one.number), reverse=wish.down)


def _moment(row: Row) -> float | None:
    return row.ended if row.started is None else row.started


def _length(row: Row) -> float | None:
    if row.started is None or not (row.ended or row.process.state == "Running"):
        return None
    return (row.ended or time.time()) - row.started


def rows_of(project: Project, found: Snapshot, processes: list[Process]) -> list[dict[str, Any]]:
    """What the table shows of these."""
    return [_row(project, one, found.details.get(one.name, "")) for one in processes]


def _row(project: Project, one: Process, detail: str) -> dict[str, Any]:
    facts = facts_of(project.root / one.name)
    return {
        "number": one.number,
        "name": one.name,
        "alias": one.alias.rpartition("/")[2],
        "stage": stage_of(one),
        "state": one.state,
        "detail": detail,
        "link": job_link(project, one.name),
        "since": facts.started.timestamp() if facts.started else None,
        "started": _when(facts.started or facts.ended),
        "time": clock(facts.seconds) if facts.seconds is not None and facts.ended else "",
    }


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else ""


@ui.page("/p/{key}")
def jobs(key: str, stage: str = "", text: str = "") -> None:
    project = project_of(key)
    seen = watch(project)
    wish = Wish(text=text[:200], stage=stage if stage in (*STAGES, OTHER) else "")
    with frame(project, project.root.name, "Jobs"):
        with ui.element("div").classes("line"):
            ui.html("<h1>Jobs</h1>", sanitize=False)
            ui.space()
            if not project.read_only:
                ui.button("New job", icon="add", on_click=lambda: ui.navigate.to(f"{base(project)}/new")).props("unelevated")
        empty = begin(project)
        empty.visible = not (project.read_only or seen.now().pipeline.processes)
        table = _Table(project, wish)
        table.fill()
        version = seen.version

        def refresh() -> None:
            nonlocal version
            empty.visible = empty.visible and not seen.now().pipeline.processes
            if seen.version != version or any(one["state"] == "Running" for one in table.table.rows):
                version = seen.version
                table.fill()

        ui.timer(1.5, refresh)


class _Table:
    """The table and its filters; `fill` asks for the page that is wished for."""

    def __init__(self, project: Project, wish: Wish) -> None:
        self.project, self.wish = project, wish
        with ui.element("div").classes("line"):
            self._field(ui.input(placeholder="Filter by words", value=wish.text), "text", "clearable debounce=150").classes("grow")
            self._field(ui.select({"": "All states"} | {one: one for one in STATES}, value=""), "state").classes("filter")
            self._field(ui.select({"": "All stages"} | {one: one for one in (*STAGES, OTHER)}, value=wish.stage), "stage").classes("filter")
        columns: list[dict[str, Any]] = [{"name": name, "label": words, "field": name, "align": "left", "sortable": True} for name, words in COLUMNS]
        self.table = ui.table(
            columns=columns, rows=[], row_key="name", pagination={"rowsPerPage": wish.rows, "rowsNumber": 0, "sortBy": "number", "descending": True}
        )
        self.table.props(f":rows-per-page-options='{list(ROWS)}' flat binary-state-sort no-data-label='No jobs'").on("request", self._ask)
        self.table.add_slot(
            "body-cell-name",
            '<q-td :props="props"><a :href="props.row.link">{{ props.row.name }}</a><div class="hint">{{ props.row.alias }}</div></q-td>',
        )
        self.table.add_slot(
            "body-cell-state",
            """<q-td :props="props" class="wraps"><span :class="'state ' + props.row.state">
            <i :class="'dot ' + props.row.state"></i> {{ props.row.state }}</span> <span class="hint">{{ props.row.detail }}</span></q-td>""",
        )

    def _field(self, field: Any, name: str, props: str = "") -> Any:
        def changed(event: events.ValueChangeEventArguments) -> None:
            setattr(self.wish, name, event.value or "")
            self.wish.page = 1
            self.fill()

        return field.props(f"dense outlined {props}").on_value_change(changed)

    def _ask(self, event: events.GenericEventArguments) -> None:
        """What the table of the browser wishes, as far as it can be."""
        given = event.args.get("pagination") if isinstance(event.args, dict) else None
        wanted: dict[str, Any] = given if isinstance(given, dict) else {}
        by = wanted.get("sortBy")
        self.wish.by = by if isinstance(by, str) and by in dict(COLUMNS) else "number"
        self.wish.down = wanted.get("descending") is True if by else True
        page, rows = wanted.get("page"), wanted.get("rowsPerPage")
        self.wish.page = page if isinstance(page, int) and page > 0 else 1
        self.wish.rows = rows if rows in ROWS else ROWS[0]
        self.fill()

    def fill(self) -> None:
        rows, number = watch(self.project).once(("list", *astuple(self.wish)), self._page)
        self.table.pagination = {
            "sortBy": self.wish.by,
            "descending": self.wish.down,
            "page": self.wish.page,
            "rowsPerPage": self.wish.rows,
            "rowsNumber": number,
        }
        shown = [_going(self.project, row) if row["state"] == "Running" else row for row in rows]
        if shown != self.table.rows:
            self.table.rows = shown

    def _page(self, found: Snapshot) -> tuple[list[dict[str, Any]], int]:
        """The rows that are shown, and the number of all."""
        kept = chosen(found, self.wish, watch(self.project).rows() if self.wish.by in ("started", "time") else None)
        first = (self.wish.page - 1) * self.wish.rows
        return rows_of(self.project, found, kept[first : first + self.wish.rows]), len(kept)


def _going(project: Project, row: dict[str, Any]) -> dict[str, Any]:
    """The row of a running job at this moment; one that has just begun tells its start a little later than its state."""
    since = row["since"]
    if since is None and (started := facts_of(project.root / row["name"]).started):
        since = started.timestamp()
        row |= {"since": since, "started": _when(started)}
    return row if since is None else row | {"time": clock(max(0.0, time.time() - since))}
