"""The structure of a STAR file: blocks, loops and `_label value` pairs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from verglas.errors import DataError
from verglas.io.star_rows import Quoted, exact_rows, split_line, to_column
from verglas.io.star_table import Table

FAST_BYTES = 4_000_000
"""Loops with more bytes than this (about 20,000 rows of 30 columns) are worth the 0.4 s that importing numba costs."""

_BLOCK = re.compile(rb"(?i)data_(\S*)")
_END = re.compile(rb"(?i)[ \t]*(?:data_\S*[ \t\r]*(?:\n|#|\Z)|loop_[ \t\r]*(?:\n|#|\Z)|_)")
_CANDIDATE = re.compile(rb"(?im)^[ \t]*(?:;|_|data_|loop_)")


@dataclass
class _Scan:
    """Where reading stands; line numbers are worked out only for messages."""

    data: bytes
    path: str
    position: int = 0
    tables: dict[str, Table] = field(default_factory=dict)
    block: str | None = None

    @property
    def where(self) -> str:
        block = "" if self.block is None else f", block data_{self.block}"
        return f"{self.path}{block}"

    def at_line(self, position: int | None = None) -> str:
        end = self.position if position is None else position
        return f"{self.where}, line {self.data.count(bytes([10]), 0, end) + 1}"

    def next_line(self) -> bytes:
        """The line at the position, which moves behind it."""
        end = self.data.find(b"\n", self.position)
        end = len(self.data) if end < 0 else end
        line = self.data[self.position:end]
        self.position = min(end + 1, len(self.data))
        return line

    def peek(self) -> bytes:
        """The next line that is neither empty nor a comment, without leading blanks; the position stays before it. b"" at the end."""
        while self.position < len(self.data):
            start = self.position
            line = self.next_line().strip()
            if line and not line.startswith(b"#"):
                self.position = start
                return line
        return b""


def parse_star(data: bytes, path: str) -> dict[str, Table]:
    """Block name (without data_) -> table."""
    scan = _Scan(data.removeprefix(b"\xef\xbb\xbf"), path)
    while line := scan.peek():
        match = _BLOCK.match(line)
        if match is None:
            raise DataError(f"expected a block 'data_...', found {_shown(line)}", where=scan.at_line(),
                            remedy="is this a STAR file? a value that begins with '_' or '#' must stand in quotes")
        scan.next_line()
        scan.block = match.group(1).decode("utf-8", "surrogateescape")
        if scan.block in scan.tables:
            raise DataError(f"the block data_{scan.block} appears a second time", where=scan.at_line(), remedy="rename or remove one of the two")
        scan.tables[scan.block] = _table(scan)
        following = scan.peek()
        if following.startswith(b"_") or following.lower().startswith(b"loop_"):
            raise DataError(f"a block holds one table, but another begins with {_shown(following)}", where=scan.at_line(),
                            remedy="put a line 'data_NAME' before it; a first value that begins with '_' must stand in quotes")
    if not scan.tables:
        raise DataError("no block 'data_...' in this file", where=path, remedy="the file is empty or not a STAR file")
    return scan.tables


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))


def _table(scan: _Scan) -> Table:
    line = scan.peek()
    if line.lower().startswith(b"loop_"):
        return _loop(scan)
    return _pairs(scan)


def _pairs(scan: _Scan) -> Table:
    """`_label value` lines until something else begins."""
    columns: dict[str, np.ndarray] = {}
    while scan.peek().startswith(b"_"):
        before = partial(scan.at_line, scan.position)
        tokens = split_line(scan.next_line())
        label = _new_label(tokens[0], columns, before)
        if len(tokens) == 1 and scan.data.startswith(b";", scan.position):
            tokens.append(_long_value(scan))
        if len(tokens) > 2:
            raise DataError(f"_{label} has {len(tokens) - 1} values: {_shown(b' '.join(tokens[1:]))}", where=before(),
                            remedy="put a value that contains blanks in quotes; a table needs 'loop_' before its labels")
        columns[label] = to_column([tokens[1] if len(tokens) == 2 else Quoted(b"")])
    return Table(columns, simple=True)


def _long_value(scan: _Scan) -> bytes:
    end = scan.data.find(b"\n;", scan.position)
    if end < 0:
        raise DataError("a text field that begins with ';' is never closed", where=scan.at_line(), remedy="the file is cut off; make it again")
    text = scan.data[scan.position + 1:end].replace(b"\r\n", b"\n").rstrip(b"\r")
    scan.position = end + 1
    scan.next_line()
    return Quoted(text)


def _loop(scan: _Scan) -> Table:
    if len(split_line(scan.next_line())) > 1:
        raise DataError("the labels of a loop must begin on the line after 'loop_'", where=scan.at_line(), remedy="one label per line")
    labels: dict[str, None] = {}
    while scan.peek().startswith(b"_"):
        before = partial(scan.at_line, scan.position)
        labels[_new_label(split_line(scan.next_line())[0], labels, before)] = None
    if not labels:
        raise DataError("'loop_' is not followed by column labels", where=scan.at_line(), remedy="add one line '_label' for each column")
    start = scan.position
    scan.position, has_text_fields = _body_end(scan)
    if has_text_fields or scan.position - start < FAST_BYTES:
        return Table(dict(zip(labels, exact_rows(scan.data[start:scan.position], list(labels), scan.where))))
    from verglas.io.star_fast_read import fast_rows

    return Table(dict(zip(labels, fast_rows(scan.data, start, scan.position, list(labels), scan.where))))


def _new_label(token: bytes, known: dict, where: Callable[[], str]) -> str:  # type: ignore[type-arg]
    label = token[1:].decode("utf-8", "replace")
    if not label:
        raise DataError("a label without a name: '_'", where=where(), remedy="name the column")
    if label in known:
        raise DataError(f"the label _{label} appears twice in this table", where=where(), remedy="remove one of the two columns")
    return label


def _body_end(scan: _Scan) -> tuple[int, bool]:
    """Where the rows of a loop end, and whether there are text fields among them (skipped here, whatever they contain)."""
    position, has_text_fields = scan.position, False
    while position < len(scan.data):
        position = _next_candidate(scan.data, position)
        if scan.data.startswith(b";", position):
            closing, has_text_fields = scan.data.find(b"\n;", position), True
            position = len(scan.data) if closing < 0 else _line_after(scan.data, closing + 1)
        elif _END.match(scan.data, position):
            return position, has_text_fields
        else:
            position = _line_after(scan.data, position)
    return len(scan.data), has_text_fields


def _line_after(data: bytes, position: int) -> int:
    end = data.find(b"\n", position)
    return len(data) if end < 0 else end + 1


def _next_candidate(data: bytes, position: int) -> int:
    """Start of the first line from here on that may end a loop or begin a text field."""
    if len(data) - position < FAST_BYTES:
        match = _CANDIDATE.search(data, position)
        return match.start() if match else len(data)
    from verglas.io.star_tokens import find_end

    return int(find_end(np.frombuffer(data, dtype=np.uint8), position))
