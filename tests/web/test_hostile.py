"""A project that somebody else has made, and not in good faith: pages answer, nothing outside is shown or moved."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from verglas.api import new_project, open_project
from verglas.errors import DataError

SECRET = "what nobody may read through the server"
GENERAL = "data_pipeline_general\n_rlnPipeLineJobCounter {counter}\n\n"
PROCESSES = "data_pipeline_processes\nloop_\n_rlnPipeLineProcessName\n_rlnPipeLineProcessAlias\n_rlnPipeLineProcessType\n_rlnPipeLineProcessStatus\n"
NODES = "data_pipeline_nodes\nloop_\n_rlnPipeLineNodeName\n_rlnPipeLineNodeType\n"
EDGES = "data_pipeline_{kind}_edges\nloop_\n{columns}\n"
FILES = ("../../elsewhere/secret.star", "/etc/passwd", "Import/../../elsewhere/secret.star", "-rf", "$(touch x)", "<img src=x onerror=alert(1)>", 
         "Import/job001/wide.star", "Import/job001/odd.star", "Import/job001/deep.mrc", "Import/job001", "a" * 3000, "\u202egnp.exe")
RECORDS: tuple[Any, ...] = (
    [], 7, {"job": 5, "params": [1], "inputs": [3], "started": 5, "hardware": "x"}, {"job": "mask", "params": {"map": ["../../etc/passwd"] * 3}},
    {"job": "refine3d", "params": {"particles": {"a": {}}}, "resources": [], "started": "2026-01-01T00:00:00", "inputs": [{"path": None}]},
    {"job": "<b>", "params": {"<b>": "<i>"}, "process": -1, "started": "9999-12-31T23:59:59+00:00", "hardware": {"host": 5}, "command": 5},
    {"job": "../../x", "params": {"x": float("nan")}, "resources": {"threads": "many", "seed": [], "device": 5}, "version": {}},
)
EVENTS = ('{"event": "iteration", "iteration": NaN, "resolution_A": 1e999}\n[]\n7\n{"event": 5}\n{"event": "end", "peak_memory_gb": "x"}\n'
          '{"event": "iteration", "iteration": "x", "resolution_A": -5}\n{"event": "items", "label": [], "total": {}}\n'
          '{"event": "warning", "text": ["<b>"]}\n{"event": "end", "time": {}}\n'
          + '{"event": "x", "a": ' + "[" * 5000 + "]" * 5000 + "}\n\xff\xfe\n")


def make(folder: Path) -> Path:
    """Jobs 1 to 7 have a broken record each; files of all kinds of names hang on job 1."""
    root = new_project(folder / "project").root
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/secret.star").write_text(f"data_\n_a '{SECRET}'\n")
    for number, record in enumerate(RECORDS, 1):
        job = root / f"Import/job{number:03d}"
        job.mkdir(parents=True)
        (job / "job.json").write_text(json.dumps(record))
        (job / "events.jsonl").write_bytes(EVENTS.encode("latin-1"))
        (job / "note.txt").write_bytes(b"\xff\xfe\0<script>")
        (job / "run.out").write_text("12:00:00 x 99999999999999999999/1, 5/s\n" + "9" * 100_000 + "\n12:00:00 x 1/0\n")
        (job / ("RELION_JOB_EXIT_SUCCESS" if number % 2 else "RELION_JOB_EXIT_FAILURE")).touch()
    (root / "Import/job001/wide.star").write_text("data_x\nloop_\n" + "".join(f"_c{one}\n" for one in range(5_000)) + "1 " * 5_000 + "\n")
    (root / "Import/job001/odd.star").write_text("data_x\nloop_\n_rlnCoordinateX\n_rlnClassNumber\n_rlnMicrographName\nnan -1 ../../etc/passwd\n"
                                                 "1e999 99999999999999999999 5@/etc/passwd\n-inf x \"<script>\"\n")
    (root / "Import/job001/deep.mrc").write_bytes(b"\xff" * 1024)
    (root / "Import/job001/report.html").symlink_to(folder / "elsewhere/secret.star")
    jobs = "".join(f"Import/job{one:03d}/ {'Import/<b>/' if one == 1 else 'None'} {one - 3} 2\n" for one in range(1, len(RECORDS) + 1))
    files = "".join(f"{json.dumps(one, ensure_ascii=False) if ' ' in one else one} {place - 2}\n" for place, one in enumerate(FILES))
    (root / "default_pipeline.star").write_text(
        GENERAL.format(counter=-5) + PROCESSES + jobs + "\n" + NODES + files + "\n"
        + EDGES.format(kind="output", columns="_rlnPipeLineEdgeProcess\n_rlnPipeLineEdgeToNode")
        + "".join(f"Import/job001/ {one if ' ' not in one else json.dumps(one)}\n" for one in FILES) + "Import/job999/ nothing.star\n\n"
        + EDGES.format(kind="input", columns="_rlnPipeLineEdgeFromNode\n_rlnPipeLineEdgeProcess")
        + "".join(f"{FILES[0]} Import/job{one:03d}/\n" for one in (1, 2)) + "nobody.star Import/job001/\n")
    return root


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[tuple[Any, Path]]:
    folder = tmp_path_factory.mktemp("hostile")
    with serving(folder, make(folder)) as found:
        yield found


def test_all_pages_of_it_answer_and_tell_nothing_from_outside(hostile: Any) -> None:
    server, _ = hostile
    jobs = [f"/job/Import/job{one:03d}" for one in range(1, len(RECORDS) + 1)]
    pages = ("", "/graph", "/graph?job=Import/job001", "/trash", "/new/refine3d", "/new/mask?clone=Import/job004", "/report/Import/job001")
    for path in (*pages, *jobs):
        answer = server.get(server.base + path)
        body = answer.read().decode()
        assert answer.status in ((403, 404) if "report" in path else (200,)), (path, answer.status, body[:300])
        assert SECRET not in body and "root:x:" not in body and "<img src=x" not in body and "Traceback" not in body, path
    for file in FILES:
        for path in (*(f"/view/{one}" for one in ("table", "volume", "micrographs", "ctf", "plots", "particles")), "/data/table", "/data/table/head"):
            answer = server.get(f"{server.base}{path}?file={quote(file)}")
            body = answer.read().decode("utf-8", "replace")
            assert answer.status < 500, (path, file[:50], answer.status, body[:300])
            assert SECRET not in body and "root:x:" not in body, (path, file)
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc/job001", "Import/../../elsewhere/job001", "..", "Import/job001\x07"])
def test_a_job_elsewhere_is_none(name: str, tmp_path: Path) -> None:
    """It could be moved to the trash."""
    root = make(tmp_path)
    pipeline = root / "default_pipeline.star"
    pipeline.write_text(pipeline.read_text().replace("Import/job002/", f"{name}/"))
    with pytest.raises(DataError, match="expected a folder in the project"):
        open_project(root).jobs()


def test_an_alias_elsewhere_is_none(tmp_path: Path) -> None:
    """It would be removed with its job."""
    root = make(tmp_path)
    pipeline = root / "default_pipeline.star"
    pipeline.write_text(pipeline.read_text().replace("Import/<b>/", "../../elsewhere/secret.star"))
    with pytest.raises(DataError, match="expected a folder in the project"):
        open_project(root).jobs()
