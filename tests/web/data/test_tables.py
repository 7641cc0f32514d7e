"""Columns are those of the file, kept or not; rows come as numpy would sort and filter them; subsets are jobs."""

import os
from pathlib import Path

import numpy as np
import pytest

from verglas.errors import InputError
from verglas.io.star import Table, read_star, write_star
from verglas.io.star_rows import text_column
from verglas.jobs.select import SelectParams
from verglas.jobs.select_rules import select
from verglas.web.data import rows, table
from verglas.web.data.peek import first_rows


@pytest.fixture
def star(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    values = rng.normal(size=500)
    values[7] = np.nan
    columns = {"rlnA": values, "rlnB": rng.integers(0, 5, 500), "rlnName": text_column(f"m{k % 50:02d}/ä {k}" for k in range(500))}
    write_star(tmp_path / "a.star", {"optics": Table({"rlnOpticsGroup": np.array([1])}), "particles": Table(columns)})
    return tmp_path / "a.star"


@pytest.mark.parametrize("least", [0, 1 << 30])
def test_columns_are_those_of_the_file(star: Path, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    monkeypatch.setattr(table, "WORTH_KEEPING", least)
    for _ in range(2):
        table._opened.cache_clear()
        found = table.open_tables(star)["particles"]
        expected = read_star(star)["particles"]
        assert np.array_equal(found.column("rlnA"), expected["rlnA"], equal_nan=True)
        assert found.texts("rlnName", slice(None)) == expected["rlnName"].tolist()
    assert (table.cache_folder().is_dir()) == (least == 0)


def test_a_changed_table_is_parsed_again(star: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "WORTH_KEEPING", 0)
    assert len(table.open_tables(star)["particles"]) == 500
    write_star(star, {"particles": Table({"rlnA": np.arange(3.0)})})
    assert len(table.open_tables(star)["particles"]) == 3


def test_a_cache_that_cannot_be_written_is_no_trouble(star: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(table, "WORTH_KEEPING", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(table.open_tables(star)["particles"]) == 500


def test_the_least_looked_at_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "KEPT_BYTES", 250)
    for age, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    table._tidy(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]


def test_the_first_rows_are_those_of_the_whole(star: Path) -> None:
    block, head, about = first_rows(star, 20)
    whole = read_star(star)["particles"]
    assert block == "particles" and about == 500 and len(head) == 20
    assert all(head[label].tolist()[:5] == whole[label].tolist()[:5] for label in whole.columns)


@pytest.mark.parametrize("text", ["", "data_a\n_x 1\n", "loop_\n", "data_a\nloop_\n_x\n;\n1\n;\n"])
def test_files_without_a_plain_loop_have_no_first_rows(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.star").write_text(text)
    assert first_rows(tmp_path / "a.star", 5) is None


def test_order_and_filters_are_numpys(star: Path) -> None:
    values = read_star(star)["particles"]["rlnA"]
    found = rows.arranged(star, "particles", (rows.Range("rlnA", -0.5, 0.5), rows.Containing("_rlnName", "M01/")), "rlnA", True)
    wanted = np.flatnonzero((values >= -0.5) & (values <= 0.5) & (np.arange(500) % 50 == 1))
    assert found.tolist() == wanted[np.argsort(values[wanted])][::-1].tolist()
    assert 7 not in rows.arranged(star, "particles", (rows.Range("rlnA", None, 1e9),), "", False)
    with pytest.raises(InputError, match="holds text"):
        rows.arranged(star, "particles", (rows.Range("rlnName", 1.0),), "", False)
    with pytest.raises(InputError, match="no column rlnC"):
        rows.arranged(star, "particles", (), "rlnC", False)


def test_a_plot_counts_every_finite_row_once(monkeypatch: pytest.MonkeyPatch, star: Path) -> None:
    columns = table.open_tables(star)["particles"]
    few = rows.scatter(columns, "rlnA", "rlnB", None)
    monkeypatch.setattr(rows, "MOST_POINTS", 100)
    many = rows.scatter(columns, "rlnA", "rlnB", None)
    assert few.total == len(few.points) == many.total == many.counts.sum() == 499
    assert rows.scatter(columns, "rlnA", "rlnB", np.zeros(500, dtype=bool)).total == 0


def test_pages_over_http(small) -> None:
    answer = small.get("/table/rows", file="particles.star", block="particles", sort="rlnAutopickFigureOfMerit", down=True, start=2, count=3).json()
    assert answer["total"] == 30 and [one["row"] for one in answer["rows"]] == [27, 26, 25]
    assert answer["rows"][0]["c0"] == "000028@images.mrcs"
    order = {"sort": "rlnAutopickFigureOfMerit", "down": True, "start": 2, "count": 3}
    assert small.get("/table/numbers", file="particles.star", block="particles", **order).json() == {"rows": [27, 26, 25]}
    strange = small.get("/table/rows", file="strange.star", block="<b>").json()
    assert strange["rows"][0] == {"row": 0, "c0": "<img/onerror=alert(1)>", "c1": "nan"}


def test_one_range_becomes_options_and_rows_become_a_list(small) -> None:
    body = {"file": "particles.star", "block": "particles", "where": [{"column": "rlnCoordinateX", "low": 10.0, "high": 20.5}]}
    ranged = small.project.job(small.post("/table/subset", body).json()["job"])
    assert ranged.params == {"particles": "particles.star", "column": "rlnCoordinateX", "minimum": 10.0, "maximum": 20.5}
    assert ranged.state == "Scheduled"
    listed = small.project.job(small.post("/table/subset", {"file": "particles.star", "block": "particles", "rows": [4, 2, 4]}).json()["job"])
    assert listed.params["rows"] == f"{listed.name}/chosen.star"
    names = read_star(small.project.root / listed.params["rows"])["particles"]["rlnImageName"].tolist()
    assert names == ["000003@images.mrcs", "000005@images.mrcs"]
    assert listed.name not in [one.name for one in listed.parents]


def test_a_line_around_rows_and_values_among_others(star: Path) -> None:
    columns = table.open_tables(star)["particles"]
    a, b = columns.numbers("rlnA"), columns.numbers("rlnB")
    corners = [[-1.0, 0.5], [1.0, 0.5], [0.0, 3.5]]
    found = rows.arranged(star, "particles", (rows.Inside("rlnA", "rlnB", corners),), "", False)
    expected = np.flatnonzero((b > 0.5) & (b < 3.5) & (np.abs(a) < (3.5 - b) / 3))
    assert len(found) > 20 and np.array_equal(found, expected)
    among = rows.arranged(star, "particles", (rows.Among("rlnB", [1, 4]),), "", False)
    assert np.array_equal(among, np.flatnonzero((b == 1) | (b == 4)))


def test_a_subset_can_be_all_but_some_rows(small) -> None:
    asked = {"file": "particles.star", "block": "particles", "without": True}
    for which in ({"rows": [0, 29]}, {"where": [{"column": "rlnCoordinateX", "high": 0.0}, {"column": "rlnCoordinateY", "low": 0.0}]},
                  {"where": [{"x": "rlnCoordinateX", "y": "rlnCoordinateY", "corners": [[-1, 0], [1, 0], [0, 2]]}]}):
        answer = small.post("/table/subset", asked | which)
        assert answer.status_code == 200, answer.text
        kept = read_star(small.project.root / small.project.job(answer.json()["job"]).params["rows"])["particles"]["rlnImageName"].tolist()
        assert len(kept) == (28 if "rows" in which else 29) and "000001@images.mrcs" not in kept


def test_classes_become_a_select_job(small) -> None:
    job = small.project.job(small.post("/classes/subset", {"file": "particles.star", "classes": [3, 1, 3]}).json()["job"])
    assert job.params == {"particles": "particles.star", "classes": "1,3"}


@pytest.mark.parametrize("body", [
    {"rows": [999]}, {"rows": [-1]}, {"rows": [10**30]}, {"rows": []}, {"where": [{"column": "rlnCoordinateX", "low": -1.0}]},
    {"where": [{"column": "rlnImageName", "low": 1}]}, {"where": [{"column": "x", "text": "a"}]}, {"rows": "all"}, {"where": [{"low": "NaN"}]},
    {"where": [{"x": "rlnCoordinateX", "y": "rlnCoordinateY", "corners": [[0, 0], [1, 1]]}]},
    {"where": [{"x": "rlnCoordinateX", "y": "rlnImageName", "corners": [[0, 0], [1, 1], [0, 1]]}]},
    {"where": [{"x": "rlnCoordinateX", "y": "rlnCoordinateY", "corners": [[0, 0], [1, "inf"], [0, 1]]}]},
    {"where": [{"x": "rlnCoordinateX", "y": "rlnCoordinateY", "corners": [[0, 0], [1], [0, 1]]}]},
    {"where": [{"column": "rlnClassNumber", "values": [1.0] * 20_000}]}, {"where": [{"column": "rlnClassNumber", "values": [9.0]}]},
    {"where": [{"column": "rlnClassNumber", "values": [1.0], "low": 1.0}]}, {"rows": [1], "without": "yes"},
    {"file": "../secret.mrcs", "rows": [1]}, {"block": "optics", "rows": [1]}, {"file": "map.mrc", "rows": [1]},
])
def test_an_unsound_subset_makes_no_job(small, body: dict) -> None:
    before = sorted(map(str, small.project.root.rglob("*")))
    answer = small.post("/table/subset", {"file": "particles.star", "block": "particles"} | body)
    assert 400 <= answer.status_code < 500, answer.text
    assert sorted(map(str, small.project.root.rglob("*"))) == before


def test_select_keeps_the_rows_of_a_list(small) -> None:
    root = small.project.root
    names = text_column(["000009@images.mrcs", "000002@images.mrcs", "000001@no.mrcs"])
    write_star(root / "list.star", {"particles": Table({"rlnImageName": names})})
    assert select(SelectParams(particles=str(root / "particles.star"), rows=root / "list.star")).rows.tolist() == [1, 8]
    with pytest.raises(InputError, match="no column _rlnMicrographName"):
        select(SelectParams(micrographs=str(root / "particles.star"), rows=root / "list.star"))


@pytest.mark.slow
def test_a_subset_runs(small) -> None:
    job = small.project.job(small.post("/table/subset", {"file": "particles.star", "block": "particles", "rows": [4, 2]}).json()["job"])
    assert len(read_star(job.wait(120).folder / "particles.star")["particles"]) == 2


def test_a_table_with_more_columns_than_anybody_reads_is_refused() -> None:
    wide = Table({f"rlnC{one}": np.zeros(1) for one in range(table.MOST_COLUMNS + 1)})
    with pytest.raises(InputError, match=f"{table.MOST_COLUMNS + 1} columns"):
        table.columns_of("x", wide)
    assert len(table.columns_of("x", Table(dict(list(wide.columns.items())[:-1]))).values) == table.MOST_COLUMNS
