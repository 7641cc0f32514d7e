"""STAR syntax: what is read, what is refused, and that writing and reading are inverse."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.errors import DataError, InputError
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_blocks import parse_star
from verglas.io.star_rows import text_column


def parse(text: str) -> dict[str, Table]:
    return parse_star(text.encode(), "x.star")


def refused(text: str) -> DataError:
    with pytest.raises(DataError) as caught:
        parse(text)
    assert "x.star" in caught.value.where and caught.value.remedy
    return caught.value


def test_simple_block_types() -> None:
    table = parse("data_general\n\n_a  1\n_b 2.5 # why\n_c 'two words'\n_d \"\"\n_e None\n_f\n_g nan\n_h '5'\n")["general"]
    assert table.simple and list(table.columns) == list("abcdefgh")
    assert [table[k][0] for k in "abcdef"] == [1, 2.5, "two words", "", "None", ""]
    assert np.isnan(table["g"][0]) and table["h"][0] == "5" and table["h"].dtype == object
    assert table["a"].dtype == np.int64 and table["b"].dtype == np.float64


def test_loop_with_comments_blank_lines_quotes_and_crlf() -> None:
    text = "# version 30001\r\n\r\ndata_\r\n\r\nloop_ \r\n_x #1 \r\n_y #2\r\n 1 'a b' # c\r\n\r\n# between\r\n2 \"it's\" \r\n3 d#e\r\n \r\n"
    table = parse(text)[""]
    assert not table.simple
    assert table["x"].tolist() == [1, 2, 3] and table["y"].tolist() == ["a b", "it's", "d#e"]


def test_column_types_are_those_of_the_weakest_value() -> None:
    table = parse("data_x\nloop_\n_i\n_f\n_t\n_padded\n_big\n_under\n1 1 1 007 1 1_0\n-2 2e3 a 8 123456789012345678901 2\n")["x"]
    assert table["i"].dtype == np.int64 and table["f"].tolist() == [1.0, 2000.0]
    assert table["t"].tolist() == ["1", "a"] and table["padded"].tolist() == ["007", "8"]
    assert table["big"].tolist() == ["1", "123456789012345678901"] and table["under"].tolist() == ["1_0", "2"]


def test_text_fields_may_hold_anything() -> None:
    text = "data_x\nloop_\n_a\n_b\n1\n;first\ndata_fake\nloop_\n;\n2\n;\n_x\n;\n\ndata_y\n_s\n;line 1\nline 2\n;\n_t 3\n"
    blocks = parse(text)
    assert blocks["x"]["b"].tolist() == ["first\ndata_fake\nloop_", "\n_x"] and blocks["x"]["a"].tolist() == [1, 2]
    assert blocks["y"].values() == {"s": "line 1\nline 2", "t": 3}


def test_several_blocks_empty_loops_and_empty_blocks() -> None:
    blocks = parse("data_a\n\ndata_b\nloop_\n_x #1\n_y #2\n\n\n# version 50001\ndata_c\nloop_\n_x\ndata_d 1\n".replace("data_d 1", "data_d"))
    assert list(blocks) == ["a", "b", "c", "d"]
    assert len(blocks["b"]) == 0 and list(blocks["b"].columns) == ["x", "y"] and not blocks["b"].simple
    assert blocks["a"].columns == {} and blocks["d"].columns == {}


def test_a_first_value_that_looks_like_a_block_is_a_value() -> None:
    assert parse("data_x\nloop_\n_a\n_b\ndata_1.mrc 1\nloop_2.mrc 2\n")["x"]["a"].tolist() == ["data_1.mrc", "loop_2.mrc"]


def test_no_newline_at_the_end_and_a_byte_order_mark() -> None:
    assert parse_star(b"\xef\xbb\xbfdata_x\nloop_\n_a\n1\n2", "x")["x"]["a"].tolist() == [1, 2]


@pytest.mark.parametrize(("text", "words", "where"), [
    ("data_p\nloop_\n_a\n_b\n1 2\n3\n", "1 values where the loop has 2 columns", "data_p, row 2"),
    ("data_p\nloop_\n_a\n_b\n1 2 3\n", "3 values where the loop has 2 columns", "data_p, row 1"),
    ("data_p\nloop_\n1 2\n", "not followed by column labels", "data_p"),
    ("data_p\nloop_\n_a\n_b\n_a\n1 2 3\n", "_a appears twice", "data_p, line 5"),
    ("data_p\n_a 1\n_a 2\n", "_a appears twice", "data_p, line 3"),
    ("data_p\n_a 1\ndata_p\n_b 1\n", "appears a second time", "data_p, line 4"),
    ("data_p\n_a 1 2\n", "_a has 2 values", "data_p, line 2"),
    ("data_p\nloop_\n_a\n1\nloop_\n_b\n1\n", "a block holds one table", "data_p, line 5"),
    ("data_p\nloop_\n_a\n1\n_b 3\n", "a block holds one table", "data_p, line 5"),
    ("data_p\n_a\n;never closed\n", "never closed", "data_p"),
    ("data_p\nloop_\n_a\n;never closed\n", "never closed", "data_p"),
    ("data_p\nloop_ _a\n1\n", "on the line after 'loop_'", "data_p"),
    ("data_p\n_ 3\n", "label without a name", "data_p"),
    ("hello\n", "expected a block", "line 1"),
    ("", "no block", "x.star"),
    ("# only a comment\n", "no block", "x.star"),
])
def test_broken_files(text: str, words: str, where: str) -> None:
    error = refused(text)
    assert words in error.found and where in error.where


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_star(tmp_path / "no.star")


def test_columns_of_different_length_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="different length"):
        write_star(tmp_path / "x.star", {"p": Table({"a": np.arange(2), "b": np.arange(3)})})
    with pytest.raises(InputError, match="one row"):
        write_star(tmp_path / "x.star", {"p": Table({"a": np.arange(2)}, simple=True)})
    with pytest.raises(InputError, match="cannot be stored"):
        write_star(tmp_path / "x.star", {"p": Table({"a": text_column(["a\n;b"])})})
    assert not list(tmp_path.iterdir())


def test_layout_is_relions(tmp_path: Path) -> None:
    loop = Table({"x": np.arange(2), "y": np.array([0.5, 1])})
    write_star(tmp_path / "x.star", {"g": Table.of_values({"a": 1, "b": True}), "p": loop}, "one\ntwo")
    lines = [line.rstrip() for line in (tmp_path / "x.star").read_text().splitlines()]
    assert lines[:2] == ["# one", "# two"] and lines.count("# version 50001") == 2
    start = lines.index("data_p")
    assert lines[start + 2:start + 7] == ["loop_", "_x #1", "_y #2", "           0          0.5", "           1          1.0"]


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12) | st.sampled_from([
    "", " ", "a b", "_x", "data_", "data_a", "loop_", "#1", ";", ";a", "'", '"', "'a' b", 'a" b', """a" 'b' c""", "5", "1.0", "nan", "007",
    "\tx", "é", "a\nb", "\n", "a\n b\n",
])
integers = st.integers(-2**62, 2**62)
floats = st.floats()
MAKE = {
    "i": (integers, lambda v: np.array(v, dtype=np.int64)), "f": (floats, lambda v: np.array(v, dtype=np.float64)), "t": (texts, text_column),
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from("ift"), min_size=1, max_size=4))
    simple = draw(st.booleans())
    rows = 1 if simple else draw(st.integers(1, 5))
    columns = {}
    for k, kind in enumerate(kinds):
        values, make = MAKE[kind]
        columns[f"c{k}"] = make(draw(st.lists(values, min_size=rows, max_size=rows)))
    return Table(columns, simple)


def same(a: Table, b: Table) -> None:
    assert a.simple == b.simple and list(a.columns) == list(b.columns)
    for label, column in a.columns.items():
        other = b[label]
        if column.dtype == np.float64:
            assert other.dtype == np.float64
            np.testing.assert_array_equal(column, other)
            np.testing.assert_array_equal(np.signbit(column[column == 0]), np.signbit(other[column == 0]))
        elif column.dtype == np.int64 and np.abs(column).max() >= 10**18:
            assert [int(value) for value in other] == column.tolist()  # read as text: more digits than int64 can always hold
        else:
            assert other.dtype == column.dtype
            assert column.tolist() == other.tolist()


@settings(max_examples=120, deadline=None)
@given(tables())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, table: Table) -> None:
    path = tmp_path_factory.mktemp("star") / "x.star"
    write_star(path, {"p": table, "q": Table.of_values({"z": 1})})
    blocks = read_star(path)
    same(table, blocks["p"])
    assert blocks["q"].values() == {"z": 1}
