"""Any STAR table in AG grid, which asks for blocks of rows as it is scrolled, sorted and filtered."""

import json
from typing import Any
from uuid import uuid4

from nicegui import run, ui

from verglas.api.project import Project
from verglas.errors import VerglasError
from verglas.web.data.peek import first_rows
from verglas.web.data.subset import noun_of
from verglas.web.data.table import Columns, columns_of, is_open, main_block, open_tables
from verglas.web.places import file_in
from verglas.web.theme import base
from verglas.web.viewers.scripts import place

BLOCK = 100
"""Rows of a question."""
PLOTTED = (("rlnAngleRot", "rlnAngleTilt"), ("rlnCoordinateX", "rlnCoordinateY"), ("rlnAccumMotionEarly", "rlnAccumMotionLate"),
           ("rlnDefocusU", "rlnCtfMaxResolution"))
"""What is plotted at first where both are there."""
TICK = """p => {
  if (!p.data) return '';
  const box = document.createElement('input');
  return Object.assign(box, {type: 'checkbox', checked: Boolean(p.context.ticked[p.data.row]), ariaLabel: `row ${p.data.row + 1}`, tabIndex: -1});
}"""
TICKED = "e => e.data && ({0}) && import('/static/view_table.js').then(m => m.tick({1}, e))"
SHORT = r"p => typeof p.value === 'string' ? p.value.replace(/^(\d+@)?.*\//, '$1…/') : p.value"
"""Files by the last part of their name; the tip of the cell has the whole."""
ROUNDED = "p => typeof p.value === 'number' && !Number.isInteger(p.value) ? String(Number(p.value.toPrecision(6))) : p.value"
"""Seven digits and more are told by the tip of the cell."""


def table(project: Project, file: str, on_row: str = "") -> None:
    """A choice of the blocks, and that with most rows. `on_row`: JavaScript for the number `row` of a row that is clicked or reached by keys."""
    box = ui.element("div").classes("vg vg-beside")

    async def show(block: str = "") -> None:
        try:
            found = await run.io_bound(_columns, project, file, block)
        except VerglasError as error:
            with box:
                ui.label(str(error)).classes("vg-notice bad")
            return
        if found is None:  # the server is being stopped
            return
        names, chosen, count = found
        box.clear()
        with box:
            if len(names) > 1:
                ui.select({one: f"data_{one} ({rows:,} rows)" for one, rows in names.items()}, value=chosen.block, label="Block",
                          on_change=lambda event: show(event.value)).props("dense outlined")
            _grid(project, file, chosen, count, on_row)

    ui.timer(0.01, show, once=True)


def _columns(project: Project, file: str, block: str) -> tuple[dict[str, int], Columns, int]:
    """Rows of every block, the columns of one, and how many rows that has (about, while a large table is being read)."""
    path = file_in(project, file)
    head = first_rows(path, BLOCK) if not is_open(path) else None
    if head is not None:
        return {head[0]: head[2]}, columns_of(head[0], head[1]), head[2]
    tables = open_tables(path)
    filled = {name: len(one) for name, one in tables.items() if one.values}
    chosen = block if block in filled else main_block(tables)
    return filled, tables[chosen], filled[chosen]


def _grid(project: Project, file: str, columns: Columns, count: int, on_row: str) -> None:
    listed = [{"label": label, "text": values.dtype.kind == "S"} for label, values in columns.values.items()]
    numbers = [one["label"] for one in listed if not one["text"]]
    config = {"id": uuid4().hex, "block": columns.block, "columns": listed, "rows": count}
    subsets = _selectable(columns) and not project.read_only
    first = next((pair for pair in PLOTTED if set(pair) <= set(numbers)), tuple(numbers[:2]))
    place(project, "table", file, numbers=numbers, plotted=first, subsets=subsets, **config)
    asked = {"data": f"{base(project)}/data", "file": file, **config}
    source = f"{{getRows: p => import('/static/view_table.js').then(m => m.rows(p, {json.dumps(asked)}))}}".replace("</", "<\\/")
    options: dict[str, Any] = {
        "columnDefs": [{"headerName": "row", "valueGetter": "data ? data.row + 1 : ''", "width": 90, "pinned": "left", "sortable": False},
                       *(_column(number, one) for number, one in enumerate(listed))],
        "rowModelType": "infinite", "cacheBlockSize": BLOCK, "maxBlocksInCache": 20, ":datasource": source, "rowHeight": 28, "headerHeight": 34,
        "suppressFieldDotNotation": True, "enableCellTextSelection": True, "context": {"ticked": {}},
    }
    if subsets:
        told = json.dumps(asked).replace("</", "<\\/")
        options["columnDefs"].insert(0, {"colId": "tick", "width": 52, "pinned": "left", "sortable": False, ":cellRenderer": TICK,
                                         "headerTooltip": "Tick rows by click or space bar; with Shift, all from the last one on"})
        options[":onCellClicked"] = TICKED.format("e.colDef.colId === 'tick'", told)
        options[":onCellKeyDown"] = TICKED.format("e.event.key === ' '", told)
    if on_row:
        options[":onCellFocused"] = f"e => {{ const row = e.api.getDisplayedRowAtIndex(e.rowIndex)?.data?.row; {on_row} }}"
    ui.aggrid(options, auto_size_columns=False).classes("vg-grid")


def _selectable(columns: Columns) -> bool:
    """Whether its rows can become a Select job."""
    try:
        return bool(noun_of(columns))
    except VerglasError:
        return False


def _column(number: int, one: dict[str, Any]) -> dict[str, Any]:
    kinds = ["contains"] if one["text"] else ["greaterThanOrEqual", "lessThanOrEqual", "inRange", "equals"]
    width = 260 if one["text"] else 140
    return {":valueFormatter": SHORT if one["text"] else ROUNDED, ":tooltipValueGetter": "p => p.value", "field": f"c{number}",
            "headerName": one["label"].removeprefix("rln"), "headerTooltip": one["label"], "width": width,
            "filter": "agTextColumnFilter" if one["text"] else "agNumberColumnFilter",
            "floatingFilter": True,
            "filterParams": {"filterOptions": kinds, "maxNumConditions": 1, "debounceMs": 400, "inRangeInclusive": True}}
