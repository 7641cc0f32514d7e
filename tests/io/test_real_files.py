"""Every STAR file at hand: written and read again it is the same; starfile reads what we read."""

from pathlib import Path

import numpy as np
import pytest
import starfile

from verglas.errors import DataError
from verglas.io.star import Table, read_star, write_star
from verglas.testing.data import shared_data

QUICK = ["parsers", "bgal-relion5-refine", "sim-bgal64", "golden-projections", "particles-small"]
ALL = ["bgal-project", "bgal-relion4", "bgal-refine3d", "bgal-relion5-class2d", "apoferritin"]
MALFORMED = {"sample.star"}
"""Two loops in one block and a row that is too long."""


def assert_same(a: Table, b: Table) -> None:
    assert a.simple == b.simple and list(a.columns) == list(b.columns)
    for label, column in a.columns.items():
        assert column.dtype == b[label].dtype, label
        np.testing.assert_array_equal(column, b[label])


def check_folder(folder: Path, scratch: Path) -> None:
    files = [path for path in sorted(folder.rglob("*.star")) if path.name not in MALFORMED and path.stat().st_size]
    assert files
    for path in files:
        before = read_star(path)
        write_star(scratch / "x.star", before, comment="one\ntwo")
        after = read_star(scratch / "x.star")
        assert list(before) == list(after)
        for block in before:
            assert_same(before[block], after[block])


@pytest.mark.parametrize("folder", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in ALL)])
def test_round_trip(tmp_path: Path, folder: str) -> None:
    check_folder(shared_data(folder), tmp_path)


def test_a_malformed_file_is_refused() -> None:
    with pytest.raises(DataError, match="5 values where the loop has 4 columns") as caught:
        read_star(shared_data("particles-small/aspire/sample.star"))
    assert "data_planetary, row 4" in caught.value.where


def oracle(path: Path) -> dict[str, dict[str, list[str]]]:
    """block -> label -> values; starfile gives a data frame for a loop and a dictionary for single values."""
    return {
        block: {label: list(np.atleast_1d(np.asarray(table[label], dtype=object))) for label in table}
        for block, table in starfile.read(path, always_dict=True).items()
    }


@pytest.mark.parametrize("name", [
    "parsers/starfile-tests/one_loop.star", "parsers/starfile-tests/postprocess.star", "parsers/starfile-tests/rln3.1_data_style.star",
    "parsers/starfile-tests/loop_double_quote.star", "parsers/starfile-tests/loop_single_quote.star",
    "parsers/starfile-tests/basic_double_quote.star",
    "parsers/starfile-tests/basic_single_quote.star", "parsers/starfile-tests/two_single_line_loop_blocks.star",
    "parsers/starfile-tests/single_line_middle_of_multiblock.star", "parsers/starfile-tests/run_it025_optimiser_3D.star",
    "parsers/tomo_preprocessing/tilt_series.star", "bgal-relion5-refine/run_it003_half1_model.star", "bgal-relion5-refine/run_data.star",
])
def test_starfile_reads_the_same(name: str) -> None:
    path = shared_data(name)
    ours, theirs = read_star(path), oracle(path)
    assert {block for block in ours if ours[block].columns} == set(theirs)
    for block, columns in theirs.items():
        assert list(ours[block].columns) == list(columns)
        for label, values in columns.items():
            column = ours[block][label]
            if column.dtype == object:
                assert [_loose(v) for v in values] == [_loose(v) for v in column], label
            else:
                np.testing.assert_allclose(column.astype(float), np.array(values, dtype=float), rtol=1e-14, err_msg=label)


def _loose(value: object) -> str:
    """starfile turns numbers in columns of text into numbers, and empty text into NaN."""
    try:
        return repr(float(value))  # type: ignore[arg-type]
    except ValueError:
        return str(value) or "nan"


def test_starfile_reads_what_we_write(tmp_path: Path) -> None:
    tables = read_star(shared_data("bgal-relion5-refine/run_data.star"))
    write_star(tmp_path / "x.star", tables)
    theirs = starfile.read(tmp_path / "x.star", always_dict=True)
    for block, table in tables.items():
        for label, column in table.columns.items():
            values = theirs[block][label]
            assert list(values) == column.tolist() if column.dtype == object else np.array_equal(column, np.asarray(values, dtype=column.dtype))
