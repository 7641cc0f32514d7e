"""Rows of a STAR loop, exactly: quotes, comments and text fields; and the type of a column. Small files use only this."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from verglas.errors import DataError

TEXT = 0
FLOAT = 1
INTEGER = 2

_TOKEN = re.compile(rb"""[ \t\r\f\v]*(?:(\#.*)|"(.*?)"(?=[\s]|$)|'(.*?)'(?=[\s]|$)|(\S+))""")
_WHOLE = rb"(?:0|[1-9][0-9]{0,17})"
_REAL = rb"(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|(?i:nan|inf))"
_INTEGER = re.compile(rb"[+-]?" + _WHOLE).fullmatch
_NUMBER = re.compile(rb"[+-]?(?:" + _WHOLE + rb"|" + _REAL + rb")").fullmatch


class Quoted(bytes):
    """A token that stood in quotes or in a text field: always text, whatever it looks like."""

    __slots__ = ()


def split_line(line: bytes) -> list[bytes]:
    """Tokens of one line without comments: `a "b c" 'd' # e` -> a, b c, d."""
    if b'"' not in line and b"'" not in line and b"#" not in line:
        return line.split()
    tokens: list[bytes] = []
    for match in _TOKEN.finditer(line):
        comment, double, single, plain = match.groups()
        if comment is not None:
            break
        tokens.append(plain if plain is not None else Quoted(double if double is not None else single))
    return tokens


def kind_of(tokens: list[bytes]) -> int:
    """INTEGER, FLOAT or TEXT, what all tokens are. Integers of several digits that begin with 0 (names such as 0012) and very long ones are text."""
    if not tokens or not _NUMBER(tokens[0]) or Quoted in set(map(type, tokens)):
        return TEXT
    if all(map(_INTEGER, tokens)):
        return INTEGER
    return FLOAT if all(map(_NUMBER, tokens)) else TEXT


def to_column(tokens: Sequence[bytes]) -> np.ndarray:
    """(N,) int64 if all tokens are integers, float64 if all are numbers, otherwise object (str)."""
    kind = kind_of(list(tokens))
    if kind == TEXT:
        return text_column([token.decode("utf-8", "surrogateescape") for token in tokens])
    return np.array(list(map(int, tokens)), dtype=np.int64) if kind == INTEGER else np.array(list(map(float, tokens)))


def text_column(values: Iterable[str]) -> np.ndarray:
    """(N,) object array of str."""
    values = list(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def check_width(row: list[bytes], labels: list[str], where: str, number: int) -> None:
    """Raise unless the row holds one value per label."""
    if len(row) != len(labels):
        raise DataError(
            f"{len(row)} values where the loop has {len(labels)} columns: {b' '.join(row)[:80].decode('utf-8', 'replace')!r}",
            where=f"{where}, row {number}",
            remedy="the row is cut off or a value with blanks lacks its quotes; correct or delete this row",
        )


def exact_rows(body: bytes, labels: list[str], where: str) -> list[np.ndarray]:
    """Columns of a loop body; one row per line, except that a text field (`;` at the beginning of a line) continues the row."""
    rows: list[list[bytes]] = []
    lines = iter(body.split(b"\n"))
    pending: list[bytes] = []
    for line in lines:
        if line.startswith(b";"):
            if not pending and rows and len(rows[-1]) < len(labels):
                pending = rows.pop()
            pending.append(_text_field(line, lines, where))
            if len(pending) < len(labels):
                continue
            tokens: list[bytes] = []
        else:
            tokens = split_line(line)
            if not tokens and not pending:
                continue
        rows.append(pending + tokens)
        pending = []
    if pending:
        rows.append(pending)
    for number, row in enumerate(rows, start=1):
        check_width(row, labels, where, number)
    return [to_column(column) for column in zip(*rows)] if rows else [np.empty(0, dtype=object) for _ in labels]


def _text_field(first: bytes, lines: Iterable[bytes], where: str) -> Quoted:
    """The text between a line that begins with `;` and the next such line."""
    parts = [first[1:].rstrip(b"\r")]
    for line in lines:
        if line.startswith(b";"):
            return Quoted(b"\n".join(parts))
        parts.append(line.rstrip(b"\r"))
    raise DataError("a text field that begins with ';' is never closed", where=where, remedy="the file is cut off; make it again")
