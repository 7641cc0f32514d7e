"""The table of all micrographs, which a reader's browser sorts by any column."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from verglas.report.micrograph_data import Processed, Remark

SCRIPT = Path(__file__).with_name("sort.js")
SORT_NOTE = "A click on the head of a column sorts by it, a second click the other way round. Names with a line under them have pictures above."


def anchor(row: int) -> str:
    """Name of the place in the page where micrograph `row` is shown."""
    return f"m{row + 1}"


def table(data: Processed) -> str:
    """One row per micrograph, those that failed at the end with their reasons; numbers as text, unknown ones empty."""
    remarks = joined(data.remarks)
    said = bool(remarks or data.failures)
    known = [(one.quantity.column or one.quantity.title.lower(), one.quantity.unit) for one in data.columns]
    heads = [("#", ""), (data.noun.removesuffix("s"), ""), *known, *([("remark", "")] if said else [])]
    top = "".join(f'<th scope="col" tabindex="0">{escape(head)}{f" <small>{escape(unit)}</small>" if unit else ""}</th>' for head, unit in heads)
    shown = {one.row for one in data.shown}
    columns = [[one.quantity.number(value) for value in one.values] for one in data.columns]
    rows = [
        _row(row, name, [column[row] for column in columns], (remarks.get(name, ""),) if said else (), row in shown)
        for row, name in enumerate(data.names)
    ]
    empty = [""] * len(columns)
    rows += [_row(len(data.names) + k, one.name, empty, (f"failed: {one.text}",), False) for k, one in enumerate(data.failures)]
    return f'<div class="scroll"><table class="sortable"><thead><tr>{top}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def joined(remarks: Sequence[Remark]) -> dict[str, str]:
    """All that was said of a micrograph, by its name."""
    found: dict[str, str] = {}
    for one in remarks:
        found[one.name] = f"{found[one.name]}; {one.text}" if one.name in found else one.text
    return found


def _row(row: int, name: str, cells: Sequence[str], words: Sequence[str], linked: bool) -> str:
    short = escape(name.rpartition("/")[2])
    first = f'<a href="#{anchor(row)}">{short}</a>' if linked else short
    inside = "".join(f"<td>{cell}</td>" for cell in cells) + "".join(f"<td>{escape(one)}</td>" for one in words)
    full = f' title="{escape(name, quote=True)}"' if "/" in name else ""
    return f"<tr><td>{row + 1}</td><td{full}>{first}</td>{inside}</tr>\n"


def script() -> str:
    """The few lines that sort."""
    return f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>"
