"""Projects made of small files, and a program that passes for a job."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verglas.io.job_star import JobStar, write_job
from verglas.io.pipeline_star import write_output_nodes
from verglas.jobs.job_star import foreign_type
from verglas.jobs.registry import find
from verglas.project import schedule, slots
from verglas.project.layout import create_project
from verglas.types.pipeline import Node

PRETEND = """
import json, os, platform, sys, time
from datetime import datetime, UTC
from pathlib import Path
from verglas.io.job_star import JobStar, write_job
from verglas.io.pipeline_star import write_output_nodes
from verglas.jobs.outputs import outputs_of
job = sys.argv[1] + ("" if sys.argv[2].startswith("--") else " " + sys.argv[2])
given = dict(word[2:].split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
name = given.get("output") or given["continue"]
folder = Path(name)
own = {key: value for key, value in given.items() if key not in ("output", "continue", "threads", "device", "seed", "deterministic")}
inputs = [{"option": "--" + key, "path": value} for key, value in given.items() if "/" in value and key not in ("output", "continue")]
(folder / "seen.json").write_text(json.dumps({"arguments": sys.argv[1:], "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "")}))
if (folder / "refuse").exists():
    sys.exit("verglas: the input is wrong")
(folder / "job.json").write_text(json.dumps({"job": job, "params": own, "inputs": inputs, "process": os.getpid(), "resources": {"seed": 3},
    "started": datetime.now(UTC).isoformat(), "hardware": {"host": platform.node()}}))
while not (folder / "finish").exists() and not (folder.parent.parent / "finish").exists():
    if (folder / "RELION_JOB_ABORT_NOW").exists():
        (folder / "RELION_JOB_EXIT_ABORTED").touch()
        sys.exit(130)
    time.sleep(0.02)
for file in ("map.mrc", "mask.mrc", "particles.star"):
    (folder / file).write_text(file)
write_output_nodes(folder / "RELION_OUTPUT_NODES.star", outputs_of(job, folder, name))
(folder / "RELION_JOB_EXIT_SUCCESS").touch()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_project(tmp_path / "project")


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jobs that write job.json, wait for a file `finish` in their folder or the project's, and hand something on; four CPUs, two GPUs."""
    script = tmp_path / "pretend.py"
    script.write_text(PRETEND)
    monkeypatch.setattr(schedule, "PROGRAM", (sys.executable, str(script)))
    monkeypatch.setattr(slots, "usable_cores", lambda: 4)
    monkeypatch.setattr(slots, "_gpus", lambda: ["0", "1"])
    place = tmp_path / "slots"
    place.mkdir(mode=0o700)
    monkeypatch.setattr(slots, "folder", lambda: place)
    return script


@pytest.fixture
def finished(root: Path) -> Callable[..., Path]:
    """finished("Extract/job003", "extract", reads=(file, ...), makes=((file, label), ...)): the folder of a job of ours that has succeeded."""

    def make(name: str, job: str, *, reads: tuple[str, ...] = (), makes: tuple[tuple[str, str], ...] = ()) -> Path:
        folder = root / name
        folder.mkdir(parents=True)
        inputs = [{"option": "--particles", "path": one} for one in reads]
        record = {"job": job, "params": {}, "inputs": inputs, "process": 1, "started": "2026-01-02T03:04:05+00:00", "resources": {}, "hardware": {}}
        (folder / "job.json").write_text(json.dumps(record))
        kind = find(job)
        write_job(folder / "job.star", JobStar(kind.relion or foreign_type(kind.folder), {"fn_data": "a.star"}))
        for file, _ in makes:
            (folder / file).write_text(file)
        write_output_nodes(folder / "RELION_OUTPUT_NODES.star", [Node(f"{name}/{file}", label) for file, label in makes])
        (folder / "RELION_JOB_EXIT_SUCCESS").touch()
        return folder

    return make
