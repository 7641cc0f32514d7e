"""Tables as STAR text: numbers that read back to the same bits, quotes where a value needs them."""

import re

import numpy as np

from verglas.errors import InputError
from verglas.io.star_rows import TEXT, kind_of
from verglas.io.star_table import Table

_NEEDS_QUOTES = re.compile(r"""\s|^["'#;_$]|^$|^(?:data_|loop_|save_|stop_|global_)""", re.IGNORECASE)
_WIDTH = 12


def float_text(value: float) -> str:
    """Shortest decimal that reads back to the same float64; always with a point, an exponent or a name, so that it stays a float."""
    return repr(float(value))


def quoted(value: str, where: str = "") -> str:
    """The value as one STAR token: plain, in quotes, or (with line breaks) as a text field on lines of its own."""
    if not _NEEDS_QUOTES.search(value):
        return value
    if "\n" not in value and "\r" not in value:
        for quote in ('"', "'"):
            if not re.search(quote + r"\s", value):
                return f"{quote}{value}{quote}"
    if "\n;" in value or "\r" in value:
        raise InputError(f"this text cannot be stored in a STAR file: {value[:60]!r}", where=where, remedy="remove the line that begins with ';'")
    return f"\n;{value}\n;\n"


def cells(column: np.ndarray, where: str = "") -> list[str]:
    """One STAR token for each value of a column."""
    column = np.asarray(column)
    if column.dtype.kind in "bui":
        return list(map(str, column.astype(np.int64).tolist()))
    if column.dtype.kind == "f":
        return list(map(float_text, column.tolist()))
    values = [str(value) for value in column.tolist()]
    texts = [quoted(value, where) for value in values]
    if texts and looks_numeric(values):
        texts[0] = f'"{values[0]}"'
    return texts


def looks_numeric(values: list[str]) -> bool:
    """True when text values, written plainly, would be read back as numbers."""
    return kind_of([value.encode("utf-8", "surrogateescape") for value in values[:1]]) != TEXT and (
        kind_of([value.encode("utf-8", "surrogateescape") for value in values]) != TEXT)


def format_table(block: str, table: Table, where: str) -> str:
    """A whole block, from its `# version` comment to the blank line after it."""
    columns = {label: cells(column, f"{where}, column _{label}") for label, column in table.columns.items()}
    return _pairs_text(block, columns) if table.simple else head(block, table) + _rows_text(columns, table)


def head(block: str, table: Table) -> str:
    """Everything of a loop before its rows."""
    labels = "".join(f"_{label} #{number} \n" for number, label in enumerate(table.columns, start=1))
    return f"\n# version 50001\n\ndata_{block}\n\n" + (f"loop_ \n{labels}" if table.columns else "")


def _pairs_text(block: str, columns: dict[str, list[str]]) -> str:
    width = max((len(label) for label in columns), default=0) + 2
    lines = "".join(f"_{label:<{width}} {column[0]:>{_WIDTH}}\n" for label, column in columns.items())
    return f"\n# version 50001\n\ndata_{block}\n\n{lines} \n"


def _rows_text(columns: dict[str, list[str]], table: Table) -> str:
    padded = [
        texts if table.columns[label].dtype == object else [text.rjust(_WIDTH) for text in texts]
        for label, texts in columns.items()
    ]
    rows = [" ".join(row) + " \n" for row in zip(*padded)]
    return "".join(rows) + " \n"


def check_table(table: Table, where: str) -> None:
    """Raise unless all columns are one-dimensional and of one length (1 in a simple block)."""
    lengths = {label: np.shape(column) for label, column in table.columns.items()}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        raise InputError(f"columns of different length: {lengths}", where=where, remedy="give every column one value per row")
    if table.simple and table.columns and len(table) != 1:
        raise InputError(f"a simple block holds one row, not {len(table)}", where=where, remedy="write it as a loop")
