"""Trash and restore, cleaning, export: nothing is lost that was not meant."""

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import verglas as vg
from verglas.errors import InputError
from verglas.io.pipeline_star import read_pipeline
from verglas.project.archive import adopt, empty_trash, export_jobs
from verglas.project.clean import carry_out, cleaned, plan, put_back
from verglas.project.sync import sync
from verglas.testing.data import relion_program, shared_data

Finished = Callable[..., Path]
PARTICLES = "ParticleGroupMetadata.star.relion"


@pytest.fixture
def chain(root: Path, finished: Finished) -> Path:
    """Import 1 -> Extract 2 -> Class2D 3 -> Select 4, and Select 5 of Extract 2; Import 6 alone."""
    star = (("particles.star", PARTICLES),)
    finished("Import/job001", "import particles", makes=star)
    finished("Extract/job002", "extract", reads=("Import/job001/particles.star",), makes=star)
    folder = finished("Class2D/job003", "class2d", reads=("Extract/job002/particles.star",), makes=(("run_it002_data.star", PARTICLES),))
    for number in range(3):
        for file in ("data.star", "model.star", "optimiser.star", "classes.mrcs"):
            (folder / f"run_it{number:03d}_{file}").write_text("x" * 100)
    finished("Select/job004", "select", reads=("Class2D/job003/run_it002_data.star",), makes=star)
    finished("Select/job005", "select", reads=("Extract/job002/particles.star",), makes=star)
    finished("Import/job006", "import particles", makes=star)
    sync(root)
    return root


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != "job_pipeline.star"}


def test_trash_takes_what_builds_on_it_and_restore_brings_all_back(chain: Path) -> None:
    project = vg.open_project(chain)
    project.job(3).rename("good")
    before, there = project.pipeline, files(chain)
    assert project.trash(3) == ("Class2D/job003", "Select/job004")
    assert [one.number for one in project.jobs()] == [1, 2, 5, 6] and project.trashed() == ("Class2D/job003", "Select/job004")
    assert not (chain / "Class2D").exists() and not any("job003" in node for node, _ in project.pipeline.inputs)
    assert set(project.restore("Select/job004")) == {"Class2D/job003", "Select/job004"}
    after = project.pipeline
    assert set(after.processes) == set(before.processes) and set(after.inputs) == set(before.inputs) and set(after.outputs) == set(before.outputs)
    assert set(after.nodes) == set(before.nodes) and files(chain) == there and (chain / "Class2D/good").is_symlink()


def test_relion_3_still_reads_it_after_a_trash(chain: Path) -> None:
    vg.open_project(chain).trash("Extract/job002")
    done = subprocess.run([relion_program("relion_pipeliner"), "--check_job_completion"], cwd=chain, capture_output=True, text=True)
    assert done.returncode == 0 and [one.number for one in read_pipeline(chain / "default_pipeline.star").processes] == [1, 6]


def test_a_number_in_the_trash_is_not_given_again(chain: Path) -> None:
    from verglas.jobs.folder import reserve

    project = vg.open_project(chain)
    project.trash(6)
    assert reserve(chain, "Import").name == "job007"
    with pytest.raises(InputError, match="not in the trash"):
        project.restore("Import/job001")


def test_gentle_cleaning_keeps_the_last_iteration(chain: Path) -> None:
    found = plan(chain, read_pipeline(chain / "default_pipeline.star"), "Class2D/job003", harsh=False)
    assert len(found.files) == 8 and found.bytes == 800 and not any("it002" in file for file in found.files)
    before = files(chain)
    carry_out(chain, found)
    assert {file.removeprefix("Trash/") for file in files(chain)} == before and not (chain / found.files[0]).exists()
    empty_trash(chain)
    assert files(chain) == before - set(found.files)


def test_a_script_cleans_empties_the_trash_and_exports(chain: Path, tmp_path: Path) -> None:
    project = vg.open_project(chain)
    job = project.job(3)
    shown = job.cleanable()
    assert shown.files and job.clean() == shown and not job.cleanable().files and not (chain / shown.files[0]).exists()
    assert project.empty_trash() == shown.bytes and project.empty_trash() == 0
    (job.folder / "run.out").write_text("first\nlast\n")
    assert job.log() == "first\nlast\n" and job.log(7) == "last\n"
    assert project.export(tmp_path / "part", job) == ("Import/job001", "Extract/job002", "Class2D/job003")
    assert [one.number for one in vg.open_project(tmp_path / "part").jobs()] == [1, 2, 3]
    (job.folder / "RELION_JOB_EXIT_SUCCESS").unlink()
    with pytest.raises(InputError, match="reading only"):
        vg.open_project(chain, read_only=True).job(3).clean()


def test_what_cleaning_took_is_put_back_or_goes_with_its_job(chain: Path) -> None:
    project, name, before = vg.open_project(chain), "Class2D/job003", files(chain)
    carry_out(chain, plan(chain, project.pipeline, name, harsh=True))
    assert list(cleaned(chain)) == [name] and len(cleaned(chain)[name]) == 9 and project.trashed() == ()
    assert project.restore(name) == (name,) and files(chain) == before and not (chain / "Trash" / name).exists()
    carry_out(chain, plan(chain, project.pipeline, name, harsh=False))
    again = cleaned(chain)[name][0]
    (chain / again).write_text("made again")
    assert len(put_back(chain, name)) == 7 and (chain / again).read_text() == "made again"
    assert cleaned(chain) == {name: (again,)}, "the older one stays where it is"
    with pytest.raises(InputError, match="in the trash already"):
        project.trash(name)
    (chain / again).unlink()
    project.trash(name)
    assert cleaned(chain) == {} and project.trashed() == (name, "Select/job004")
    project.restore("Select/job004")
    assert files(chain) == before


def test_harsh_cleaning_keeps_what_is_handed_on_and_what_is_protected(chain: Path) -> None:
    pipeline = read_pipeline(chain / "default_pipeline.star")
    folder = chain / "Class2D/job003"
    (folder / "Movies").mkdir()
    (folder / "Movies/one.mrcs").write_text("1234")
    (chain / "outside.mrcs").write_text("5")
    (folder / "Movies/link.mrcs").symlink_to(chain / "outside.mrcs")
    found = plan(chain, pipeline, "Class2D/job003", harsh=True)
    assert "Class2D/job003/Movies/one.mrcs" in found.files and "Class2D/job003/run_it002_classes.mrcs" in found.files
    assert not {"Class2D/job003/run_it002_data.star", "Class2D/job003/job.json", "Class2D/job003/Movies/link.mrcs"} & set(found.files)
    (folder / "NO_HARSH_CLEAN").touch()
    assert plan(chain, pipeline, "Class2D/job003", harsh=True).files == ()
    assert plan(chain, pipeline, "Class2D/job003", harsh=False).files


@pytest.mark.parametrize("name", ["copy", "copy.zip"])
def test_an_export_is_a_project_with_what_is_needed(name: str, chain: Path, tmp_path: Path) -> None:
    target = tmp_path / name
    went = export_jobs(chain, read_pipeline(chain / "default_pipeline.star"), ["Select/job005"], target)
    assert went == ("Import/job001", "Extract/job002", "Select/job005")
    if name.endswith(".zip"):
        with zipfile.ZipFile(target) as archive:
            archive.extractall(tmp_path / "copy")
    project = vg.open_project(tmp_path / "copy")
    assert [one.name for one in project.jobs()] == list(went) and [one.number for one in project.job(5).parents] == [2]
    assert (tmp_path / "copy/Extract/job002/particles.star").read_text() == "particles.star"
    with pytest.raises(InputError, match="there already"):
        export_jobs(chain, read_pipeline(chain / "default_pipeline.star"), [], target)


def test_a_relion_folder_is_taken_over_with_nothing_changed(tmp_path: Path) -> None:
    import shutil

    source, copy = shared_data("bgal-project"), tmp_path / "relion"
    copy.mkdir()
    for path in source.rglob("*"):
        if path.is_file() and path.suffix == ".star" and path.stat().st_size < 100_000:
            (copy / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(source))
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    adopt(copy)
    assert len(vg.open_project(copy).jobs()) == 8
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()} == before
    with pytest.raises(InputError, match="no default_pipeline"):
        adopt(tmp_path)


def test_notes(chain: Path) -> None:
    job = vg.open_project(chain).job(2)
    assert job.note == ""
    job.annotate("good ice")
    assert job.note == "good ice\n" == (chain / "Extract/job002/note.txt").read_text()
