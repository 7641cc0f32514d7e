"""Times of a project with many jobs: `python bench/project.py [JOBS]` makes one in a temporary folder, and asks it what the pages ask."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from verglas.io.pipeline_star import write_pipeline
from verglas.project import graph
from verglas.project.index import rows
from verglas.project.layout import create_project
from verglas.project.sync import snapshot
from verglas.types.pipeline import Node, Pipeline, Process


def make(root: Path, number: int) -> None:
    """A tree of jobs: each reads what the one of half its number made."""
    names = [f"Class2D/job{one:03d}" for one in range(1, number + 1)]
    record = {"job": "class2d", "params": {"classes": 50}, "inputs": [], "process": 1, "started": "2026-01-02T03:04:05+00:00", "hardware": {},
              "resources": {}, "filler": "x" * 2000}
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "job.json").write_text(json.dumps(record))
        (root / name / "RELION_JOB_EXIT_SUCCESS").touch()
    files = [f"{name}/run_it025_data.star" for name in names]
    write_pipeline(root / "default_pipeline.star", Pipeline(
        number + 1, tuple(Process(name, "relion.class2d", "Succeeded") for name in names),
        tuple(Node(file, "ParticleGroupMetadata.star.relion.class2d") for file in files),
        tuple((files[(one + 1) // 2 - 1], names[one]) for one in range(1, number)), tuple(zip(names, files))))


def timed(name: str, work: Callable[[], object]) -> None:
    begun = time.perf_counter()
    found = work()
    print(f"{name:<42} {time.perf_counter() - begun:7.3f} s   {found}", flush=True)


def main(number: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = create_project(Path(folder) / "project")
        make(root, number)
        timed("snapshot (states of all folders)", lambda: len(snapshot(root).pipeline.processes))
        timed("list with times, index made", lambda: len(rows(root, snapshot(root))))
        timed("list with times, index there", lambda: len(rows(root, snapshot(root))))
        pipeline = snapshot(root).pipeline
        timed("edges", lambda: len(graph.edges(pipeline)))
        timed("ancestors of the last job", lambda: len(graph.ancestors(pipeline, f"Class2D/job{number:03d}")))
        timed("descendants of the first job", lambda: len(graph.descendants(pipeline, "Class2D/job001")))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
