"""RELION's GUI finds in .Nodes what a job of ours hands on."""

from collections.abc import Callable
from pathlib import Path

import verglas as vg
from verglas.io.pipeline_star import read_pipeline
from verglas.project.gui import CHANGED, NODES, offered
from verglas.testing.data import shared_data


def files(root: Path) -> set[str]:
    return {str(one.relative_to(root / NODES)) for one in (root / NODES).rglob("*") if one.is_file()}


def test_what_is_handed_on_is_offered_until_it_is_deleted(root: Path, finished: Callable[..., Path]) -> None:
    finished("Extract/job001", "extract", makes=(("particles.star", "ParticleGroupMetadata.star.relion"),))
    project = vg.open_project(root)
    project.jobs()
    assert files(root) == {"ParticleGroupMetadata/Extract/job001/particles.star", "3/Extract/job001/particles.star"}
    assert (root / CHANGED).exists(), "a GUI that is open looks again"
    project.job(1).rename("best")
    assert files(root) == {"ParticleGroupMetadata/Extract/best/particles.star", "3/Extract/best/particles.star"}
    project.trash(1)
    assert not files(root)


def test_relions_own_project_has_the_same_names() -> None:
    root = shared_data("bgal-project")
    written = files(root)
    ours = offered(read_pipeline(root / "default_pipeline.star"))
    assert {one for one in ours if not one[0].isdigit()} <= written, "those of jobs that had another name before are still there"
