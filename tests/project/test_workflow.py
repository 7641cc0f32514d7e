"""Workflows: the tutorial fits our jobs, a finished project gives its workflow, and a repeated job is compared."""

from pathlib import Path

import numpy as np
import pytest

import verglas as vg
from verglas.errors import DataError, InputError
from verglas.io.mrc import StackWriter, write_map
from verglas.io.pipeline_star import read_pipeline
from verglas.io.star import Table, write_star
from verglas.jobs.outputs import ACCEPTED, RULES
from verglas.jobs.registry import ENTRIES, find
from verglas.jobs.spec import options
from verglas.project.ask import How
from verglas.project.compare import compare_files, compare_jobs
from verglas.project.progress import ask_all
from verglas.project.workflow import find_workflow, make_workflow, read_workflow
from verglas.types import Map
from verglas.types.pipeline import Pipeline

ONE = How(cpus=1, gpus=0)


def test_every_job_says_what_it_hands_on_and_every_accepted_parameter_exists() -> None:
    assert set(RULES) == set(ENTRIES)
    known = {one.name for name in ENTRIES for one in options(find(name).params)}
    assert set(ACCEPTED) <= known


def test_the_tutorial_fits_our_jobs_and_connects_them(root: Path, pretend: Path) -> None:
    stages = read_workflow(find_workflow("betagal"), {"import.pixel_size": "1.1", "import.movies": "a.tif"})
    assert [one.job for one in stages][:2] == ["import movies", "motioncorr"] and stages[-1].job == "postprocess"
    made = ask_all(root, "betagal", stages, How(hold=True))
    project = vg.open_project(root)
    assert [one.name for one in project.jobs()] == list(made.values()) and project.job(1).params["pixel_size"] == 1.1
    assert {one.process.state for one in project.jobs()} == {"Scheduled"}
    assert [one.name for one in project.job(made["refine"]).parents] == [made["initial"], made["fine"]]
    assert [one.name for one in project.job(made["fine"]).parents] == [made["ctf"], made["good"]]
    assert [one.name for one in project.job(made["good"]).parents] == [made["classes"]], "its file has no name yet"
    assert not any(node.endswith("/") for node, _ in read_pipeline(root / "default_pipeline.star").inputs)
    assert {one.name for one in project.job(made["sharpen"]).parents} == {made["refine"], made["mask"]}


def test_a_finished_project_gives_its_workflow_back(root: Path, pretend: Path, tmp_path: Path) -> None:
    (root / "finish").touch()
    (root / "start.mrc").touch()
    project = vg.open_project(root)
    first = project.run("map crop", map="start.mrc", box=32, how=ONE)
    second = project.run("map lowpass", map=first, resolution=20, how=ONE)
    project.run("mask", map=second.folder / "map.mrc", extend=5, how=How(cpus=1, gpus=0, after=(second.name,))).wait(30)
    text = make_workflow(root, project.pipeline, ())
    path = tmp_path / "w.toml"
    path.write_text(text)
    stages = read_workflow(path)
    assert [(one.name, one.job) for one in stages] == [("map_crop", "map crop"), ("map_lowpass", "map lowpass"), ("mask", "mask")]
    assert stages[1].params["map"] == "@map_crop" and stages[2].params["map"] == "@map_lowpass" and stages[0].params["map"] == "start.mrc"
    made = ask_all(root, "w", stages)
    assert project.job(made["mask"]).wait(30).params["extend"] == "5.0"
    with pytest.raises(InputError, match="nothing"):
        read_workflow(tmp_path / "nothing.toml")


@pytest.mark.parametrize(("text", "told"), [
    ("[a]\nrun = 'nothing'", "no job 'nothing'"), ("[a]\nbox = 3", "run ="), ("[a]\nrun = 'mask'", "--map is required"),
    ("[a]\nrun = 'mask'\nmap = '@b'", "'b', which is no stage"), ("[a]\nrun = 'mask'\nmap = 'x'\nafter = 'b'", "a list"),
    ("[a]\nrun = 'mask'\nmap = 'x'\ncolour = 1", "colour"), ("[a]\nrun = 'mask'\nmap = 'x'\nthreads = -1", "threads"), ("a = [", "not TOML"),
])
def test_a_wrong_workflow_is_explained(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(text)
    with pytest.raises((InputError, DataError), match=told):
        read_workflow(path)


def test_comparisons_say_equal_or_how_different(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = rng.normal(size=(16, 16, 16)).astype(np.float32)
    for folder, more in (("job001", 0.0), ("job002", 0.0), ("job003", 0.5)):
        (tmp_path / folder).mkdir()
        write_map(tmp_path / folder / "map.mrc", Map(data + np.float32(more) * rng.normal(size=data.shape).astype(np.float32), 2.0))
        names = np.array([f"000001@Extract/{folder}/a.mrcs", "x"], dtype=object)
        write_star(tmp_path / folder / "a.star", {"particles": Table({"rlnImageName": names, "rlnAngleRot": np.array([1.0, 2.0 + more])})})
        (tmp_path / folder / "text.txt").write_text(str(more))

    def told(other: str, file: str) -> tuple[bool, str]:
        found = compare_files(tmp_path / "job001" / file, tmp_path / other / file, file)
        return found.equal, found.told

    assert all(told("job002", file)[0] for file in ("map.mrc", "a.star", "text.txt"))
    assert not any(told("job003", file)[0] for file in ("map.mrc", "a.star", "text.txt"))
    assert "correlation 0.8" in told("job003", "map.mrc")[1] and "rlnAngleRot: 1 of 2 differ, by 0.5" in told("job003", "a.star")[1]
    assert told("job009", "map.mrc") == (False, f"{tmp_path / 'job009/map.mrc'} is gone")


def test_what_a_table_names_is_compared_too(tmp_path: Path) -> None:
    images = np.random.default_rng(2).normal(size=(300, 8, 8)).astype(np.float32)
    names = {}
    for job in ("Extract/job001", "Extract/job002", "Extract/job003"):
        folder = tmp_path / job
        folder.mkdir(parents=True)
        changed = images.copy()
        changed[299, 0, 0] += job.endswith("3")
        with StackWriter(folder / "a.mrcs", 2.0) as stack:
            stack.append(changed)
        (folder / "a_pick.star").write_text("data_\nloop_\n_rlnCoordinateX\n1\n")
        texts = np.array([f"000300@{job}/a.mrcs", f"{job}/a_pick.star", "Movies/elsewhere.mrc"], dtype=object)
        write_star(folder / "particles.star", {"particles": Table({"rlnImageName": texts})})
        names[job] = f"{job}/particles.star"
    pipeline = Pipeline(4, (), (), (), tuple(names.items()))
    found = {one.file: one for one in compare_jobs(tmp_path, pipeline, "Extract/job001", "Extract/job002")}
    assert set(found) == {"particles.star", "*.mrcs that they name", "*.star that they name"} and all(one.equal for one in found.values())
    found = {one.file: one for one in compare_jobs(tmp_path, pipeline, "Extract/job001", "Extract/job003")}
    images_of = found["*.mrcs that they name"]
    assert found["particles.star"].equal and not images_of.equal and "1 of 1 differ, first a.mrcs" in images_of.told
    (tmp_path / "Extract/job002/a_pick.star").unlink()
    assert not all(one.equal for one in compare_jobs(tmp_path, pipeline, "Extract/job001", "Extract/job002"))


@pytest.mark.slow
def test_a_repeated_job_is_equal(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from verglas.cli.main import main

    project = vg.open_project(root)
    project.run("simulate particles", phantom=True, number=4, box=32, pixel_size=6.0, how=How(common={"seed": 5}, cpus=1, gpus=0)).wait(180)
    with pytest.raises(SystemExit) as ended:
        main(["rerun", "1", "--project", str(root)])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and told.rstrip().endswith("equal") and "map.mrc: the same voxels" in told
    assert project.job(2).facts.resources["seed"] == 5
