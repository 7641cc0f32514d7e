"""Orders by time, and pictures of more jobs than one holds."""

from pathlib import Path

import pytest

from verglas.api import new_project, open_project
from verglas.io.pipeline_star import write_pipeline
from verglas.project.index import Row
from verglas.project.sync import Snapshot
from verglas.types.pipeline import Pipeline, Process
from verglas.web import watch as watching
from verglas.web.pages import graph
from verglas.web.pages.jobs import Wish, chosen

TIMES = {1: (100.0, 400.0), 2: (300.0, 350.0), 3: (None, None), 4: (200.0, 210.0), 5: (None, 250.0)}


@pytest.mark.parametrize(("by", "down", "order"), [("started", True, [2, 5, 4, 1, 3]), ("started", False, [1, 4, 5, 2, 3]),
                                                   ("time", True, [1, 2, 4, 3, 5]), ("time", False, [4, 2, 1, 3, 5])])
def test_jobs_in_order_of_date_and_time_those_without_last(by: str, down: bool, order: list[int]) -> None:
    jobs = [Process(f"Mask/job{number:03d}", "relion.mask", "Succeeded") for number in TIMES]
    rows = {one.name: Row(one, "", "mask", *TIMES[one.number]) for one in jobs}
    assert [one.number for one in chosen(Snapshot(Pipeline(6, tuple(jobs)), {}), Wish(by=by, down=down), rows)] == order


def test_a_graph_of_many_jobs_is_leafed_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = new_project(tmp_path / "p").root
    jobs = tuple(Process(f"Mask/job{one:03d}", "relion.mask", "Succeeded") for one in range(1, 8))
    write_pipeline(root / "default_pipeline.star", Pipeline(8, jobs))
    monkeypatch.setattr(graph, "MOST", 3)
    project = open_project(root, read_only=True)
    found = [graph.picture(project, "", leaf) for leaf in (1, 2, 3, 99)]
    watching.end_all()
    assert [ends for _, _, ends in found] == [[5, 7], [2, 4], [1, 1], [1, 1]] and {leaves for _, leaves, _ in found} == {3}
    assert found[0][0].count("<rect class='box'") == 3 and "job005" in found[0][0] and "job004" not in found[0][0]
