"""The page of a classification: RELION's folder, verglas's four jobs, missing pieces, odd numbers, what is pointed out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from class_folders import blob, class_events, class_model, class_particles, shares, write_classes
from report_folders import BOX, HOSTILE, PIXEL, job_record, write_job

from verglas.io.mrc import write_map
from verglas.io.star import Table, write_star
from verglas.report.build import build_report
from verglas.report.class_findings import CLASSIFICATION
from verglas.report.data import Flow, Seeds
from verglas.report.findings import findings
from verglas.report.load import load_report
from verglas.report.load_classes import smaller
from verglas.report.load_record import iterations_of_events
from verglas.report.plots_classes import NAMED
from verglas.report.plots_flow import _groups, _merged, apart, flow_plot
from verglas.report.surface import surfaces
from verglas.report.wording import methods_paragraph, verdict
from verglas.testing.data import shared_data
from verglas.types import Map

KINDS = (("class2d", 8), ("class3d", 3), ("class3d-fixed", 3), ("initialmodel", 1))

ODD: tuple[object, ...] = (None, "x", [], [1], [[1]], {}, -1)
ODD_SEEDS = ('{"fsc": [[1]]}', '{"fsc": [[1, "a"], [null, 1]], "resolution": 3}', "[]", '{"fsc": [[1], [1, 2]]}',
             '{"fsc": [[1, 1]], "resolution": [0, -1]}')


def rendered(folder: Path) -> str:
    """The page; it must load nothing from elsewhere and hold no script."""
    text = build_report(folder, folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<iframe", text) and len(text) < 3_000_000
    return text


def titles(folder: Path) -> str:
    return " | ".join(one.title for one in findings(load_report(folder), CLASSIFICATION))


def test_relion_class2d(tmp_path: Path) -> None:
    folder = shared_data("bgal-relion5-class2d")
    data = load_report(folder)
    classes = data.classes
    assert classes is not None and classes.dimensions == 2 and not classes.initial and data.missing == ()
    assert len(classes.rows) == 30 and [row.number for row in classes.by_size[:3]] == [3, 26, 19]
    first = classes.by_size[0]
    assert (first.share, first.resolution, first.accuracy_rot_deg, first.members.size) == (0.096225, 18.88, 5.1, 227)
    assert first.average.shape == (64, 64) and np.isnan(classes.rows[21].resolution) and np.isnan(classes.rows[0].accuracy_rot_deg)
    one = data.iterations[-1]
    assert (one.change_classes, one.subset, one.step_size, one.tau, one.accuracy_rot_deg) == (0.033, 1000, 0.3, 2.0, 3.0)
    assert "classified in 2D into 30 classes in RELION 5.0.1" in methods_paragraph(data)
    text = build_report(folder, tmp_path / "report.html").read_text(encoding="utf-8")
    for expected in ("30 classes, largest first", "227 particles", "Certainty of the poses by class", "RELION 2D classification", "no resolution"):
        assert expected in text, expected
    assert "half maps" not in text


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_every_kind_has_its_parts(tmp_path: Path, kind: str, count: int) -> None:
    text = rendered(write_classes(tmp_path / "job007", kind, count))
    expected = ["Certainty of the poses", "Seconds per iteration"]
    if count > 1:
        expected += ["largest first", "Share of the classes by iteration", "Flow between the classes", "Resolution of the classes by iteration",
                     "Particles that changed their class", "Certainty of the poses by class"]
    if kind in ("class3d", "class3d-fixed"):
        expected += ["Angular distribution of the classes", "projection z", "surface x", "coverage 0."]
    expected += {
        "class2d": ["Subset size", "Step size", "Angles"], "class3d": ["Angles", "Offsets"],
        "initialmodel": ["The model as it grew", "Iteration 5", "Agreement of independent starts"],
        "class3d-fixed": ["Classes per particle", "Divergence", "Change of the densities", "Scales of single particles"],
    }[kind]
    for title in expected:
        assert title in text, title
    for wrong in ("half maps", "Symmetry" if kind == "class2d" else "nothing", "Angles" if kind == "class3d-fixed" else "nothing"):
        assert f">{wrong}<" not in text
    assert load_report(tmp_path / "job007").missing == ()


@pytest.mark.parametrize(("kind", "count"), KINDS)
@pytest.mark.parametrize("gone", ["job.json", "events.jsonl", "*_data.star", "*_model.star", "*.mrc*", "seeds.json", "*"])
def test_missing_pieces_become_sentences(tmp_path: Path, kind: str, count: int, gone: str) -> None:
    folder = write_classes(tmp_path / "job007", kind, count, particles=60)
    for path in folder.glob(gone):
        path.unlink()
    rendered(folder)
    if gone == "*_model.star":
        assert "No classes have been written yet." in rendered(folder)


def test_files_say_what_the_log_does_not(tmp_path: Path) -> None:
    data = load_report(write_classes(tmp_path / "job007", "class3d", 3, log=False, particles=900))
    assert data.classes is not None and [one.number for one in data.iterations] == [5, 6]
    assert data.iterations[1].class_sizes == pytest.approx(shares(3, 6, 6), abs=1e-5)
    flow = data.classes.flows[0]
    tables = [class_particles("class3d", 3, i, 6, 900)["particles"]["rlnClassNumber"] for i in (5, 6)]
    assert (flow.before, flow.after) == (5, 6) and flow.moved == pytest.approx(np.mean(tables[0] != tables[1]))


def test_flow_follows_image_names_not_rows(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "job007", "class3d", 3, log=False, particles=90)
    tables = class_particles("class3d", 3, 5, 6, 90)
    order = np.random.default_rng(0).permutation(90)[:70]
    tables["particles"] = Table({label: column[order] for label, column in tables["particles"].columns.items()})
    whole = load_report(folder).classes
    write_star(folder / "run_it005_data.star", tables)
    part = load_report(folder).classes
    assert whole is not None and part is not None
    assert part.flows[0].counts.sum() == 70 and np.all(part.flows[0].counts <= whole.flows[0].counts)


def test_a_job_that_has_just_begun(tmp_path: Path) -> None:
    folder = tmp_path / "job007"
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(job_record(job="class2d")))
    data = load_report(folder)
    assert data.classes is not None and data.classes.rows == () and verdict(data, ()) == "No classes have been written yet."
    assert 'http-equiv="refresh"' in rendered(folder)


def test_a_refinement_is_no_classification(tmp_path: Path) -> None:
    assert load_report(write_job(tmp_path / "job")).classes is None
    assert load_report(shared_data("bgal-relion5-refine")).classes is None


def test_final_files_come_before_the_last_iteration(tmp_path: Path) -> None:
    classes = load_report(write_classes(tmp_path / "job007", "class3d", 3, final=True)).classes
    assert classes is not None and classes.iteration == 6
    assert classes.rows[0].views is not None and classes.rows[0].views.name == "run_class001.mrc"


def test_pointed_out(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "job007", "class3d", 4)
    assert "changed their class" not in titles(folder) and "empty" not in titles(folder)
    model = class_model("class3d", 4, 6, 6, "run_it006")
    columns = model["model_classes"].columns
    columns["rlnClassDistribution"] = np.array([0.85, 0.14, 0.01, 0.0])
    columns["rlnEstimatedResolution"] = np.array([8.0, 20.0, 9.0, 9.0])
    write_star(folder / "run_it006_model.star", model)
    rows = [row | ({"change_classes": 0.7} if row["event"] == "iteration" else {}) for row in class_events("class3d", 4, 6, 600)]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
    particles = class_particles("class3d", 4, 6, 6, 600)
    particles["particles"].columns["rlnMaxValueProbDistribution"][:] = 0.02
    particles["particles"].columns["rlnClassNumber"][:] = 1 + (np.arange(600) < 100)
    particles["particles"].columns["rlnAngleTilt"][:100] = 3.0
    write_star(folder / "run_it006_data.star", particles)
    said = titles(folder)
    for phrase in ("Class 1 holds 85 % of the particles", "70 % of the particles still changed", "Class 2 has a resolution worse than 16 Å",
                   "Poses are uncertain", "2 of 4 classes are empty: classes 3, 4", "views of class 2 are uneven"):
        assert phrase in said, (phrase, said)
    assert "Start 3 ended in another map" in titles(write_classes(tmp_path / "job008", "initialmodel", 1))


def test_particles_never_searched_do_not_count(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "job007", "class2d", 4)
    particles = class_particles("class2d", 4, 6, 6, 600)
    for label in ("rlnClassNumber", "rlnMaxValueProbDistribution", "rlnNrOfSignificantSamples"):
        particles["particles"].columns[label][:580] = 0
    write_star(folder / "run_it006_data.star", particles)
    rows = load_report(folder).particles
    assert rows is not None and np.isfinite(rows.pmax).sum() == 20 and "Poses are uncertain" not in titles(folder)
    assert "580 of 600 particles were never searched" in titles(folder)
    rendered(folder)


def test_changes_before_there_are_any_are_unknown(tmp_path: Path) -> None:
    rows = [row | ({"change_angles_deg": 999.0} if row.get("iteration") == 1 else {}) for row in class_events("class2d", 4, 3, 60)]
    assert [np.isnan(one.change_angles_deg) for one in iterations_of_events(rows)] == [True, False, False]


def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "<b>job&", "class3d", 2)
    write_star(folder / "run_it006_model.star", class_model("class3d", 2, 6, 6, "run_it006", folder=HOSTILE.replace('"', "").replace(" ", "")))
    (folder / "events.jsonl").write_text(json.dumps({"event": "iteration", "iteration": 1, "class_sizes": [HOSTILE], "seconds": {HOSTILE: 1.0}}))
    assert "<b>job" not in rendered(folder)


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_odd_numbers_never_stop_the_report(tmp_path: Path, kind: str, count: int) -> None:
    folder = write_classes(tmp_path / "job007", kind, count, 3, particles=40)
    rng = np.random.default_rng(count)
    odd = (np.nan, np.inf, 0.0, -1.0, 1e30)
    for _ in range(4):
        for name, tables in (("model", class_model(kind, count, 3, 3, "run_it003")), ("data", class_particles(kind, count, 3, 3, 40))):
            for table in tables.values():
                for label, column in list(table.columns.items()):
                    if column.dtype == float and rng.random() < 0.2:
                        table.columns[label] = np.where(rng.random(len(column)) < 0.5, rng.choice(odd), column)
                    elif rng.random() < 0.08:
                        del table.columns[label]
            write_star(folder / f"run_it003_{name}.star", tables)
        rows = [{key: ODD[rng.integers(len(ODD))] if rng.random() < 0.1 else value for key, value in row.items()}
                for row in class_events(kind, count, 3, 40)]
        (folder / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / "seeds.json").write_text(ODD_SEEDS[rng.integers(len(ODD_SEEDS))])
        rendered(folder)


def test_fifty_classes_stay_small_and_only_the_largest_are_named(tmp_path: Path) -> None:
    text = rendered(write_classes(tmp_path / "job007", "class2d", 50, 40))
    assert f"{50 - NAMED} others" in text and len(text) < 1_000_000


def test_flow_keeps_the_number_of_particles() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (20, 20))
    rows = load_rows(20)
    table = _merged(counts, _groups(rows))
    assert table.shape == (13, 13) and table.sum() == pytest.approx(1.0)
    assert table[0, 1] == pytest.approx(counts[rows[0].number - 1, rows[1].number - 1] / counts.sum())
    assert flow_plot((Flow(1, 2, counts), Flow(2, 3, counts.T)), rows).count("iteration") == 3


def load_rows(count: int):  # type: ignore[no-untyped-def]
    from verglas.report.load_classes import class_rows

    rows = class_rows(class_model("class2d", count, 1, 1, "run"), None, "")
    return sorted(rows, key=lambda row: -row.share)


def test_labels_keep_apart_and_inside() -> None:
    places = apart(np.array([10.0, 11, 12, 95, 99]), 13, 100)
    assert np.all(np.diff(places) >= 13) and places[-1] <= 100 and places[0] == 10


def test_seeds_are_a_matrix_or_curves() -> None:
    assert Seeds(np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([8.0, 9.0])).each_with_each
    assert not Seeds(np.array([[1.0, 0.9, 0.1], [1.0, 0.8, 0.2], [1.0, 0.7, 0.1]]), np.array([30.0, 20, 10])).each_with_each


def test_surfaces_of_classes_share_a_window_and_large_maps_are_made_smaller() -> None:
    small = smaller(Map(np.zeros((130,) * 3, dtype=np.float32), 1.0))
    assert small.box == 65 and small.pixel_size == 2.0
    assert surfaces(blob(1), 7)[0] == 14 and surfaces(blob(2), 7)[0] == 14


def test_maps_that_cannot_be_read_leave_the_others(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "job007", "class3d", 3)
    (folder / "run_it006_class002.mrc").write_text("short")
    write_map(folder / "run_it006_class003.mrc", Map(np.zeros((BOX,) * 3, dtype=np.float32), PIXEL))
    data = load_report(folder)
    assert data.classes is not None and [row.views is None for row in data.classes.rows] == [False, True, False]
    assert "run_it006_class002.mrc could not be read" in rendered(folder)
