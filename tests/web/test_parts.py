"""The list, the graph, the watch, and what is read from a job that runs."""

import glob
import json
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest

from verglas.api import new_project, open_project
from verglas.project.facts import tail
from verglas.project.graph import edges
from verglas.project.sync import Snapshot
from verglas.testing.data import shared_data
from verglas.types.pipeline import Node, Pipeline, Process, State
from verglas.web import watch as watching
from verglas.web.layers import HEIGHT, WIDTH, box_of, family, layers, placed, svg, with_bends
from verglas.web.pages.folders import pattern
from verglas.web.pages.jobs import Wish, chosen, rows_of
from verglas.web.progress import Events, progress, series, words_of
from verglas.web.theme import by_stage, found_places, jobs_tree


def pipeline_of(number: int, seed: int = 1) -> Pipeline:
    """Jobs that each read from one to three earlier ones."""
    chance = random.Random(seed)
    states: tuple[State, ...] = ("Succeeded", "Failed", "Running")
    names = [f"Refine3D/job{one:03d}" for one in range(1, number + 1)]
    nodes = tuple(Node(f"{one}/run_class001.mrc", "DensityMap.mrc.relion") for one in names)
    inputs = tuple((nodes[other].name, names[one]) for one in range(1, number) for other in {chance.randrange(one) for _ in range(3)})
    return Pipeline(number + 1, tuple(Process(one, "relion.refine3d", chance.choice(states)) for one in names), nodes, inputs,
                    tuple(zip(names, (one.name for one in nodes))))


@pytest.mark.parametrize("seed", range(5))
def test_layers_go_down_and_boxes_do_not_overlap(seed: int) -> None:
    found = pipeline_of(40, seed)
    pairs, names = edges(found), [one.name for one in found.processes]
    rows = layers(names, pairs)
    depth = {name: level for level, row in enumerate(rows) for name in row}
    assert sorted(depth) == sorted(names) and all(depth[one] < depth[other] for one, other in pairs)
    full, paths = with_bends(rows, pairs)
    assert all(path[0] == one and path[-1] == other and len(path) == depth[other] - depth[one] + 1 for (one, other), path in paths.items())
    spots = placed(full, [step for path in paths.values() for step in pairwise(path)])
    for row in full:
        boxes, bends = [spots[one].x for one in row if one in depth], [spots[one].x for one in row if one not in depth]
        assert all(abs(x - box) >= WIDTH / 2 for x in bends for box in boxes), "a line passes beside the boxes"
    for row in rows:
        xs = sorted(spots[one].x for one in row)
        assert all(right - left >= WIDTH for left, right in pairwise(xs))
    assert min(spots[one].x for one in names) >= WIDTH / 2 and min(spot.x for spot in spots.values()) >= 0
    assert all(spots[other].y >= spots[one].y + HEIGHT for one, other in pairs)


def test_a_circle_and_a_long_chain_are_drawn() -> None:
    assert sum(map(len, layers(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")]))) == 3
    names = [f"j{one}" for one in range(5000)]
    assert len(layers(names[::-1], list(pairwise(names)))) == 5000


def test_a_family_is_what_it_builds_on_and_what_builds_on_it() -> None:
    found = pipeline_of(30)
    name = found.processes[12].name
    kin = set(family(found, name))
    assert name in kin and all(other in kin for one, other in edges(found) if one == name)
    assert family(found, found.processes[0].name)[0] == found.processes[0].name


def test_texts_of_users_are_escaped_in_the_picture(tmp_path: Path) -> None:
    jobs = (Process("Import/job001", "relion.import", "Failed", "Import/<u>&\"'"),)
    drawn = svg([box_of(jobs[0], "/p/x'y", "<i>")], [])
    assert "<u>" not in drawn and "<i>" not in drawn and "x'y" not in drawn
    tree = jobs_tree(new_project(tmp_path / "p"), by_stage(Snapshot(Pipeline(2, jobs), {})), {"Import/job001": "'<i>"}, "")
    assert "<u>" not in tree and "<i>" not in tree.replace("<i class", "")


def test_the_list_filters_sorts_and_gives_pages_of_ten_thousand_quickly(tmp_path: Path) -> None:
    found = Snapshot(pipeline_of(10000), {})
    begun = time.perf_counter()
    failed = chosen(found, Wish(state="Failed", by="name", down=False))
    assert {one.state for one in failed} == {"Failed"} and [one.name for one in failed] == sorted(one.name for one in failed)
    assert [one.number for one in chosen(found, Wish())[:3]] == [10000, 9999, 9998]
    assert [one.number for one in chosen(found, Wish(text="job9999 refine"))] == [9999] and not chosen(found, Wish(stage="2D"))
    assert len(rows_of(new_project(tmp_path / "p"), found, failed[:25])) == 25
    assert time.perf_counter() - begun < 1.0


def test_search_finds_jobs_and_types(tmp_path: Path) -> None:
    root = shared_data("bgal-project")
    project = open_project(root, read_only=True)
    assert found_places(project, "loG 2d")[0][0] == "Class2D/job010"
    words = [one for one, _, _ in found_places(project, "ctf")]
    assert "CtfFind/job005" in words and "New: CTF estimation" in words
    watching.end_all()


def test_a_watch_sees_what_others_do_and_counts_versions(tmp_path: Path) -> None:
    project = new_project(tmp_path / "p")
    seen = watching.watch(project)
    assert not seen.now().pipeline.processes
    before = seen.version
    job = project.run("mask", map="missing.mrc", how=None)
    end = time.monotonic() + 30
    while time.monotonic() < end and not any(one.state == "Failed" for one in seen.now().pipeline.processes):
        time.sleep(0.1)
    assert seen.job(job.name).process.state == "Failed" and seen.version > before, "the thread has started it, and it could not find its map"
    assert "missing.mrc" in job.error
    (project.root / "default_pipeline.star").write_text("data_x\n_broken 'quote\n")
    while time.monotonic() < end and not seen.problem:
        time.sleep(0.1)
    assert "default_pipeline.star" in seen.problem, "a project that cannot be read is said, and the last picture stays"
    seen.end()


def test_progress_is_read_from_the_last_line_that_has_one() -> None:
    log = "12:00:01 motion 3/12, 0.5/s, 0:18 left\n12:00:05 motion 6/12, 0.6/s, 0:10 left\n12:00:06 warning: 3/4 of it\n"
    found = progress(log)
    assert found and found.share == 0.5 and found.label == "motion" and found.words == "6 of 12, 0.6/s, 0:10 left"
    assert progress("12:00:01 nothing yet\n") is None and progress("12:00:01 x 5/3\n") is None


def test_events_are_read_as_they_grow(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events(path)
    assert not events.read()
    rows = [{"event": "iteration", "iteration": one, "resolution_A": 30.0 / one, "particles": 5, "fsc": [1.0]} for one in (1, 2)]
    path.write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1])[:20])
    assert events.read() and len(events.rows) == 1, "half a line waits"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows) + "{broken\n[1]\n")
    assert events.read() and events.rows == rows
    assert series(events.of("iteration")) == {"resolution_A": [(1, 30.0), (2, 15.0)]}, "a number that never changes is no plot"
    path.write_text(json.dumps({"event": "start"}) + "\n")
    assert events.read() and [row["event"] for row in events.rows] == ["start"], "the job was started again"
    assert words_of("resolution_A") == "Resolution, Å" and words_of("change_angles_deg") == "Change of angles, °"


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.out"
    path.write_text("".join(f"line {one}\n" for one in range(1000)))
    text = tail(path, 100)
    assert text.endswith("line 999\n") and len(text) <= 100 and text.startswith("line ") and tail(tmp_path / "none") == ""


def test_an_import_is_offered_the_kind_that_a_folder_holds(tmp_path: Path) -> None:
    folder = tmp_path / "grid [1]"
    folder.mkdir()
    for name in ("a.tiff", "b.tiff", "gain.mrc", ".hidden.mrc", ".other.mrc"):
        (folder / name).touch()
    found = pattern(folder)
    named = glob.glob(str(found))  # noqa: PTH207 (as an import reads it)
    assert sorted(Path(one).name for one in named) == ["a.tiff", "b.tiff"]
    (folder / "b.tiff").unlink()
    assert pattern(folder) is None and pattern(tmp_path) is None and pattern(tmp_path / "nowhere") is None
