"""The compiled paths give what the exact ones give, to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verglas.errors import DataError
from verglas.io import star, star_blocks
from verglas.io.decimals import scaled, write_float, write_integer
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_fast_read import fast_rows
from verglas.io.star_fast_write import fast_row_chunks
from verglas.io.star_rows import exact_rows, text_column


def as_text(value: float) -> str | None:
    out = np.zeros(64, dtype=np.uint8)
    end = write_float(value, out, 0)
    return out[:end].tobytes().decode() if end >= 0 else None


@settings(max_examples=250, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_float_reads_back_to_the_same_bits(value: float) -> None:
    text = as_text(value)
    if text is not None:
        assert np.float64(float(text)).tobytes() == np.float64(value).tobytes()
        assert "." in text
    else:
        assert not 1e-25 < abs(value) < 1e25


def test_floats_of_all_sizes_are_written_by_the_compiled_code() -> None:
    rng = np.random.default_rng(1)
    spread = rng.normal(size=3000) * 10.0 ** rng.integers(-24, 24, 3000)
    values = np.concatenate([spread, [0.0, -0.0, 1.0, 0.1, 1e15, 1e22, 9.999e-6, 300.0, 999999.9999999]])
    texts = [as_text(value) for value in values]
    assert sum(text is None for text in texts) < 0.01 * len(values)
    assert all(float(text) == value for text, value in zip(texts, values) if text is not None)
    assert [as_text(v) for v in (300.0, -0.5, 1e-7, 2.5e16, -0.0, 12345.678901)] == ["300.0", "-0.5", "1.0e-7", "2.5e16", "-0.0", "12345.678901"]


@settings(max_examples=300, deadline=None)
@given(st.integers(-2**63, 2**63 - 1))
def test_integers(value: int) -> None:
    out = np.zeros(32, dtype=np.uint8)
    assert out[:write_integer(value, out, 0)].tobytes().decode() == str(value)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 10**19 - 1), st.integers(-60, 60))
def test_decimal_to_float_is_correctly_rounded_or_admits_doubt(mantissa: int, exponent: int) -> None:
    value, certain = scaled(np.uint64(mantissa), exponent)
    if certain:
        assert value == float(f"{mantissa}e{exponent}")
    else:
        assert mantissa >= 2**53 or abs(exponent) > 22


def test_doubt_is_rare() -> None:
    rng = np.random.default_rng(2)
    certain = [scaled(m, e)[1] for m, e in zip(rng.integers(0, 10**19 - 1, 5000, dtype=np.uint64), rng.integers(-30, 30, 5000))]
    assert np.mean(certain) > 0.999


tokens = st.sampled_from([
    "1", "-2", "+3", "0", "007", "1.5", "-0.0", ".5", "5.", ".", "-", "+", "1e5", "1E-3", "1e", "e5", "1e+", "nan", "NaN", "inf", "-inf",
    "Infinity", "0x10", "1_0", "123456789012345678", "1234567890123456789", "12345678901234567890", "0.12345678901234567890123", "1e400",
    "1e-400", "4.9e-324", "000001@a/b.mrcs",
    "'a b'", '"c d"', "''", '"5"', "it's", '"unclosed', "a#b", "data_1", "é", "1.2.3", "--1", "1.0f", "0.000000000000000000000000000000001",
])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(tokens, min_size=width, max_size=width), min_size=1, max_size=12)),
       st.sampled_from(["\n", " \n", "\r\n", "\n\n", " # c\n", "\n# c\n \n"]))
def test_reading_is_the_same_on_both_paths(rows: list[list[str]], end: str) -> None:
    labels = [f"c{i}" for i in range(len(rows[0]))]
    data = "".join("  ".join(row) + end for row in rows).encode()
    try:
        expected = exact_rows(data, labels, "x")
    except DataError:  # an unclosed quote may swallow the rest of its row: then neither path reads it
        with pytest.raises(DataError):
            fast_rows(data, 0, len(data), labels, "x")
        return
    for exact, fast in zip(expected, fast_rows(data, 0, len(data), labels, "x")):
        assert exact.dtype == fast.dtype
        if exact.dtype == np.float64:
            assert exact.tobytes() == fast.tobytes() or np.array_equal(exact, fast, equal_nan=True)
        else:
            assert exact.tolist() == fast.tolist()


def test_a_column_that_changes_its_type_late_is_read_again() -> None:
    rows = ["1 1 1\n"] * 200 + ["2 2.5 x\n"] + ["3 3 3\n"] * 200
    data = "".join(rows).encode()
    a, b, c = fast_rows(data, 0, len(data), ["a", "b", "c"], "x")
    assert a.dtype == np.int64 and b.dtype == np.float64 and c.dtype == object
    assert c[0] == "1" and c[200] == "x" and b[200] == 2.5 and len(a) == 401


def test_a_faulty_row_is_named() -> None:
    data = b"1 2\n" * 300 + b"3\n" + b"1 2\n" * 300
    with pytest.raises(DataError) as caught:
        fast_rows(data, 0, len(data), ["a", "b"], "file, block data_p")
    assert caught.value.where == "file, block data_p, row 301" and "1 values where the loop has 2 columns" in caught.value.found


def test_repeated_strings_are_shared() -> None:
    data = b"a 1\n" * 500 + b"b 1\n" * 500
    names = fast_rows(data, 0, len(data), ["n", "i"], "x")[0]
    assert len({id(name) for name in names}) <= 4


def large_table(rows: int) -> Table:
    rng = np.random.default_rng(3)
    return Table({
        "name": text_column(f"{i + 1:06d}@stack_{i // 100}.mrcs" for i in range(rows)),
        "quoted": text_column(f"two words {i % 7}" for i in range(rows)),
        "digits": text_column(str(i) for i in range(rows)),
        "whole": rng.integers(-2**40, 2**40, rows), "real": rng.normal(size=rows) * 10.0 ** rng.integers(-12, 12, rows),
        "odd": np.where(np.arange(rows) % 50 == 3, [np.nan, np.inf, -np.inf, 1e-300, 1e300][3], rng.normal(size=rows)),
    })


@pytest.mark.parametrize("extra", [{}, {"special": np.array([np.nan, np.inf, -np.inf] * 1000)}])
def test_round_trip_through_the_compiled_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, np.ndarray]) -> None:
    monkeypatch.setattr(star, "_FAST_VALUES", 0)
    monkeypatch.setattr(star_blocks, "FAST_BYTES", 0)
    table = Table(large_table(3000).columns | extra)
    write_star(tmp_path / "x.star", {"optics": Table({"a": np.arange(2)}), "particles": table, "after": Table.of_values({"b": "c"})})
    blocks = read_star(tmp_path / "x.star")
    for label, column in table.columns.items():
        other = blocks["particles"][label]
        assert other.dtype == column.dtype
        assert np.array_equal(column, other, equal_nan=True) if column.dtype == np.float64 else column.tolist() == other.tolist()
    assert blocks["optics"]["a"].tolist() == [0, 1] and blocks["after"].values() == {"b": "c"}
    monkeypatch.undo()
    exact = read_star(tmp_path / "x.star")["particles"]
    assert all(np.array_equal(exact[label].astype(str), blocks["particles"][label].astype(str)) for label in table.columns)


def test_text_fields_in_a_large_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(star_blocks, "FAST_BYTES", 0)
    (tmp_path / "x.star").write_text("data_p\nloop_\n_a\n_b\n" + "1 x\n" * 100 + "2\n;data_q\nloop_\n;\n" + "3 y\n" * 100 + "data_r\n_z 1\n")
    blocks = read_star(tmp_path / "x.star")
    assert list(blocks) == ["p", "r"] and blocks["p"]["b"][100] == "data_q\nloop_" and len(blocks["p"]) == 201


def test_chunks_hold_all_rows() -> None:
    table = large_table(40_000)
    assert sum(chunk.count(b"\n") for chunk in fast_row_chunks(table, "x")) == 40_000


def test_small_files_do_not_load_numba(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from verglas.io.star import *\n"
        "write_star(sys.argv[1], {'p': Table({'a': np.arange(10000), 'b': np.ones(10000)})}); read_star(sys.argv[1])\n"
        "import verglas.io.particles_star, verglas.io.image_source, verglas.io.model_star\n"
        "assert 'numba' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.star")], check=True)
