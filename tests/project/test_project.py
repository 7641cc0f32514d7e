"""A project opens as it is: RELION's own without a change, and ours from its folders."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import verglas as vg
from verglas.errors import InputError
from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.io.project_lock import LOCK, OWNER, locked
from verglas.jobs import folder as job_folder
from verglas.project.facts import facts_of
from verglas.project.layout import create_project, find_root, in_project
from verglas.project.sync import snapshot, sync
from verglas.testing.data import relion_program, shared_data
from verglas.types.pipeline import Pipeline, Process

Finished = Callable[..., Path]
MAP, PARTICLES = "DensityMap.mrc.relion", "ParticleGroupMetadata.star.relion"


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything in a folder, itself too."""
    return {str(path): ((found := path.lstat()).st_size, found.st_mtime_ns) for path in (folder, *folder.rglob("*"))}


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(vg.__file__).parents[1])}
    return subprocess.run([sys.executable, "-m", "verglas", *words], cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_relion_project_opens_and_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data("bgal-project")
    before = listing(folder)
    from verglas.cli.main import main

    for words in (["status"], ["graph"], ["graph", "--format", "mermaid"], ["graph", "--format", "json"], ["status", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["project", *words, "--project", str(folder / "Class2D"), "--read-only"])
        assert ended.value.code == 0
    project = vg.open_project(folder, read_only=True)
    assert [one.number for one in project.jobs()] == [1, 2, 5, 6, 7, 8, 9, 10] and {one.process.state for one in project.jobs()} == {"Succeeded"}
    assert [one.name for one in project.job("Extract/LoGExtract").parents] == ["CtfFind/job005", "AutoPick/job008"]
    assert project.job(10).outputs.particles == folder / "Class2D/job010/run_it025_data.star" and project.job(10).params["classes"] == "50"
    assert project.job(1).kind == "import movies" and project.job(1).alias == "Import/Import1"
    assert "Class2D/job010" in capsys.readouterr().out
    assert listing(folder) == before


def test_reading_only_writes_nothing_where_it_could(root: Path, finished: Finished) -> None:
    """Folders that may be written, files that are not in the pipeline yet: the place where a slip would show."""
    finished("Map/job001", "map crop")
    before = listing(root)
    for words in (["status"], ["status", "--json"], ["graph"]):
        assert run("project", *words, "--read-only", cwd=root).returncode == 0
    project = vg.open_project(root, read_only=True)
    assert [row.kind for row in project.rows()] == ["map crop"] and project.jobs()[0].outputs and project.made("Map/job001/map.mrc")
    assert listing(root) == before
    assert run("project", "status", cwd=root).returncode == 0 and (root / ".verglas/index.sqlite").exists()


def test_a_project_is_opened_and_remembered(root: Path, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished("Map/job001", "map crop")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    told = run("project", "open", "Map", cwd=root)
    assert told.returncode == 0 and "1 job, 1 succeeded" in told.stdout and "Map/job001 (map crop)" in told.stdout
    assert json.loads((tmp_path / "config/verglas/projects.json").read_text()) == [str(root)]
    wrong = run("project", "open", "elsewhere", cwd=tmp_path)
    assert wrong.returncode == 2 and "elsewhere" in wrong.stderr


def test_what_made_a_file_and_what_it_led_to() -> None:
    project = vg.open_project(shared_data("bgal-project"))
    assert project.read_only, "a folder that nobody may write is open for reading only, for root too"
    assert [one.number for one in project.made("Class2D/LoG/run_it025_data.star")] == [1, 2, 5, 7, 8, 9, 10]
    assert [one.number for one in project.led_to("Select/job007/micrographs_split1.star")] == [8, 9, 10]
    assert project.led_to("Class2D/job010/run_it025_data.star") == []
    with pytest.raises(InputError, match="no job"):
        project.made("mtf_k2_200kV.star")
    with pytest.raises(InputError, match="reading only"):
        project.job(10).rename("x")


def test_sync_takes_in_what_is_there_and_relion_3_reads_it(root: Path, finished: Finished) -> None:
    finished("Extract/job001", "extract", makes=(("particles.star", PARTICLES),))
    finished("Map/job002", "map crop", reads=("Extract/job001/particles.star", "elsewhere.star"), makes=(("map.mrc", MAP),))
    found = sync(root).pipeline
    assert [(one.name, one.type, one.state) for one in found.processes] == [
        ("Extract/job001", "relion.extract", "Succeeded"), ("Map/job002", "relion.external.verglas.map", "Succeeded")]
    assert found.counter == 3 and found.inputs == (("Extract/job001/particles.star", "Map/job002"),)
    assert read_pipeline(root / "default_pipeline.star") == found
    done = subprocess.run([relion_program("relion_pipeliner"), "--check_job_completion"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and read_pipeline(root / "default_pipeline.star").inputs == found.inputs
    write_pipeline(root / "default_pipeline.star", Pipeline(1, tuple(Process(one.name, "relion.external", "Running") for one in found.processes)))
    again = sync(root).pipeline
    assert {one.type for one in again.processes} == {"relion.extract", "relion.external.verglas.map"}
    assert again.inputs == found.inputs and again.counter == 3


def test_a_sync_without_news_writes_nothing(root: Path, finished: Finished) -> None:
    finished("Extract/job001", "extract", makes=(("particles.star", PARTICLES),))
    sync(root)
    before = listing(root)
    sync(root)
    vg.open_project(root).jobs()
    assert listing(root) == before


@pytest.mark.parametrize(("marker", "state"), [("SUCCESS", "Succeeded"), ("FAILURE", "Failed"), ("ABORTED", "Aborted")])
def test_states_are_what_the_folder_says(marker: str, state: str, root: Path, finished: Finished) -> None:
    folder = finished("Map/job001", "map crop")
    (folder / "RELION_JOB_EXIT_SUCCESS").rename(folder / f"RELION_JOB_EXIT_{marker}")
    assert snapshot(root).pipeline.processes[0].state == state


def test_a_killed_job_has_failed_and_a_living_one_runs(root: Path, finished: Finished) -> None:
    import platform

    folder = finished("Map/job001", "map crop")
    (folder / "RELION_JOB_EXIT_SUCCESS").unlink()
    record = json.loads((folder / "job.json").read_text())
    with subprocess.Popen(["sleep", "60"]) as child:
        time.sleep(0.05)
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(time.time() + 1))
        (folder / "job.json").write_text(json.dumps(record | {"process": child.pid, "hardware": {"host": platform.node()}, "started": now}))
        assert snapshot(root).pipeline.processes[0].state == "Running"
        child.kill()
    found = snapshot(root)
    assert found.pipeline.processes[0].state == "Failed" and found.details == {"Map/job001": "killed"}


def test_jobs_are_found_by_number_name_and_alias(root: Path, finished: Finished) -> None:
    for name in ("Map/job001", "Extract/job002"):
        finished(name, "map crop")
    project = vg.open_project(root / "Map")
    project.job(1).rename("best")
    assert (root / "Map/best").resolve() == root / "Map/job001"
    for wish in (1, "1", "job001", "Map/job001/", "best", "Map/best"):
        assert project.job(wish).name == "Map/job001"
    assert in_project(root, root / "Map/best/map.mrc") == "Map/job001/map.mrc"
    with pytest.raises(InputError, match="no job 'job009'"):
        project.job("job009")
    for wrong in ("../x", "job007", "a/b", "-x", ""):
        if wrong:
            with pytest.raises(InputError):
                project.job(2).rename(wrong)
    assert project.job(1).rename("").alias == "" and not (root / "Map/best").exists()


def test_the_root_is_found_from_below_and_not_in_a_job_folder(root: Path, finished: Finished) -> None:
    folder = finished("Map/job001", "map crop")
    (folder / "default_pipeline.star").touch()
    assert find_root(folder) == root == find_root(root) and find_root(root.parent) is None
    with pytest.raises(InputError, match="a project already"):
        create_project(root)


def test_numbers_are_given_once(root: Path) -> None:
    code = ("import sys; from pathlib import Path; from verglas.jobs.folder import reserve\n"
            "for _ in range(5): print(reserve(Path(sys.argv[1]), sys.argv[2]))")
    children = [subprocess.Popen([sys.executable, "-c", code, str(root), kind], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "PYTHONPATH": str(Path(vg.__file__).parents[1])}) for kind in ("Extract", "Class2D", "Extract")]
    names = [line for child in children for line in child.communicate()[0].split()]
    assert sorted(int(name[-3:]) for name in names) == list(range(1, 16))
    assert read_pipeline(root / "default_pipeline.star").counter == 16 and not (root / LOCK).exists()


def test_a_folder_that_was_not_used_is_given_back(root: Path) -> None:
    folder = job_folder.reserve(root, "Extract")
    job_folder.release(root, folder)
    assert not folder.parent.exists() and read_pipeline(root / "default_pipeline.star").counter == 1
    done = run("mask", "--map", "no.mrc", cwd=root)
    assert done.returncode == 2 and "no.mrc" in done.stderr and not (root / "MaskCreate").exists()
    assert read_pipeline(root / "default_pipeline.star").counter == 1


def test_a_lock_of_a_dead_owner_is_broken_and_no_other(root: Path) -> None:
    lock = root / LOCK
    lock.mkdir()
    with pytest.raises(InputError, match="holds the project"), locked(root, patience=0.1):
        pass
    os.utime(lock, (1, 1))
    with locked(root, patience=0.1):
        assert (lock / OWNER).exists()
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock.mkdir()
    (lock / OWNER).write_text(json.dumps({"host": platform.node(), "process": gone.pid}))
    os.utime(lock, (time.time() - 5, time.time() - 5))
    with locked(root, patience=0.1):
        assert json.loads((lock / OWNER).read_text())["process"] == os.getpid(), "a server that was killed stops nobody"
    lock.mkdir()
    (lock / OWNER).write_text(json.dumps({"host": "elsewhere", "process": 1}))
    os.utime(lock, (1, 1))
    with pytest.raises(InputError, match="holds the project"), locked(root, patience=0.1):
        pass


def test_nothing_of_torch_is_loaded(root: Path) -> None:
    code = ("import sys, verglas as vg; vg.open_project(sys.argv[1]).jobs(); import verglas.cli.project, verglas.project.schedule\n"
            "sys.exit('torch' in sys.modules)")
    environment = {**os.environ, "PYTHONPATH": str(Path(vg.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code, str(root)], env=environment).returncode == 0


def test_a_job_of_the_command_line_is_in_the_pipeline(root: Path) -> None:
    """Its number from the counter, its files with their labels, in RELION's file."""
    write_pipeline(root / "default_pipeline.star", Pipeline(counter=30))
    done = run("simulate", "particles", "--phantom", "--number", "2", "--box", "24", "--pixel-size", "8", cwd=root)
    assert done.returncode == 0, done.stderr
    found = read_pipeline(root / "default_pipeline.star")
    assert [(one.name, one.type, one.state) for one in found.processes] == [("Simulate/job030", "relion.external.verglas.simulate", "Succeeded")]
    files = {f"Simulate/job030/{file}" for file in ("particles.star", "truth.star", "map.mrc")}
    assert found.counter == 31 and {one.name for one in found.nodes} == files


def test_the_list_is_the_same_with_and_without_its_index(root: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.project import index

    for number in (1, 2):
        finished(f"Map/job{number:03d}", "map crop")
    wanted = index.rows(root, sync(root))
    assert [row.kind for row in wanted] == ["map crop"] * 2 and wanted[0].started == 1767323045
    monkeypatch.setattr(index, "facts_of", lambda folder: pytest.fail("read again"))
    assert index.rows(root, snapshot(root)) == wanted
    monkeypatch.undo()
    (root / "Map/job001/job.json").write_text((root / "Map/job001/job.json").read_text().replace("map crop", "map lowpass"))
    assert index.rows(root, snapshot(root))[0].kind == "map lowpass"
    path = root / ".verglas/index.sqlite"
    for content in (b"not a database" * 100, b""):
        path.write_bytes(content)
        assert [row.kind for row in index.rows(root, snapshot(root))] == ["map lowpass", "map crop"]
    path.unlink(missing_ok=True)
    path.mkdir()
    assert len(index.rows(root, snapshot(root))) == 2, "it cannot be written"


def test_a_broken_file_of_one_job_hides_no_other(root: Path, finished: Finished) -> None:
    for number in (1, 2, 3, 4):
        finished(f"Map/job{number:03d}", "map crop")
    (root / "Map/job001/RELION_JOB_EXIT_SUCCESS").unlink()
    (root / "Map/job001/job.json").write_text("{")
    (root / "Map/job002/.verglas_request.json").write_text("[1]")
    (root / "Map/job003/RELION_OUTPUT_NODES.star").write_bytes(b"\x00\xff loop_")
    found = sync(root)
    assert [one.state for one in found.pipeline.processes] == ["Failed", "Failed", "Succeeded", "Succeeded"]
    assert found.details == {"Map/job001": "job.json is unreadable", "Map/job002": ".verglas_request.json is unreadable"}


def test_a_job_folder_on_another_disk_counts(root: Path, finished: Finished, tmp_path: Path) -> None:
    folder = finished("Map/job001", "map crop")
    folder.rename(tmp_path / "far")
    folder.symlink_to(tmp_path / "far")
    assert [one.name for one in sync(root).pipeline.processes] == ["Map/job001"]


def test_a_copied_project_keeps_the_times_of_its_jobs(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"job": "mask", "started": "2026-01-02T03:04:05+01:00"}')
    (tmp_path / "RELION_JOB_EXIT_SUCCESS").touch()
    (tmp_path / "events.jsonl").write_text('{"time": 0.1, "event": "start"}\n{"time": 61.5, "event": "end", "outcome": "SUCCESS"}\n')
    assert facts_of(tmp_path).seconds == 61.5
    (tmp_path / "events.jsonl").write_text('{"time": 0.1, "event": "start"}\n{"time": 61.5, "ev')
    ended = facts_of(tmp_path).ended
    assert ended is not None and abs(ended.timestamp() - (tmp_path / "RELION_JOB_EXIT_SUCCESS").stat().st_mtime) < 1


def test_a_job_that_was_run_outside_a_project_hands_on_what_lies_in_its_folder(root: Path, finished: Finished) -> None:
    folder = finished("Class2D/job001", "class2d")
    (folder / "RELION_OUTPUT_NODES.star").unlink()
    for name in ("run_it010_classes.mrcs", "run_it025_classes.mrcs", "run_it025_data.star"):
        (folder / name).touch()
    assert {node for _, node in snapshot(root).pipeline.outputs} == {"Class2D/job001/run_it025_classes.mrcs", "Class2D/job001/run_it025_data.star"}
