"""default_pipeline.star: round trips on real ones, both dialects, and RELION 3.1.3 reading what we write."""

import subprocess
from pathlib import Path

import pytest

from verglas.errors import DataError, InputError
from verglas.io.pipeline_labels import NODE_LABELS, PROCESS_NUMBERS, node_number, process_label, process_number
from verglas.io.pipeline_star import read_output_nodes, read_pipeline, write_output_nodes, write_pipeline
from verglas.testing.data import relion_program, shared_data
from verglas.types.pipeline import Node, Pipeline, Process

REAL = ("bgal-project", "bgal-relion4", "parsers/starfile-tests", "parsers/relion5-sta-project/pipelines")
PIPELINE = Pipeline(
    4, (Process("Import/job001", "relion.import.movies", "Succeeded", "Import/movies"), Process("Class2D/job002", "relion.class2d", "Failed"),
        Process("Map/job003", "relion.external.verglas.map", "Running")),
    (Node("Import/job001/movies.star", "MicrographMovieGroupMetadata.star.relion"), Node("Map/job003/half1.mrc", "DensityMap.mrc.relion.halfmap")),
    (("Import/job001/movies.star", "Class2D/job002"),), (("Import/job001", "Import/job001/movies.star"), ("Map/job003", "Map/job003/half1.mrc")),
)


@pytest.mark.parametrize("folder", REAL)
def test_a_real_pipeline_comes_back_as_it_was(folder: str, tmp_path: Path) -> None:
    found = read_pipeline(shared_data(folder) / "default_pipeline.star")
    assert len(found.processes) >= 8 and len(found.inputs) >= 8 and all(one.number for one in found.processes)
    write_pipeline(tmp_path / "p.star", found)
    assert read_pipeline(tmp_path / "p.star") == found


@pytest.mark.parametrize("pipeline", [PIPELINE, Pipeline()])
def test_what_is_written_is_read(pipeline: Pipeline, tmp_path: Path) -> None:
    write_pipeline(tmp_path / "p.star", pipeline)
    assert read_pipeline(tmp_path / "p.star") == pipeline


def test_output_nodes_come_back(tmp_path: Path) -> None:
    write_output_nodes(tmp_path / "o.star", PIPELINE.nodes)
    assert read_output_nodes(tmp_path / "o.star") == PIPELINE.nodes
    write_output_nodes(tmp_path / "none.star", ())
    assert read_output_nodes(tmp_path / "none.star") == ()


def test_numbers_and_labels_agree() -> None:
    assert all(process_label(process_number(label)) == label for label in PROCESS_NUMBERS)
    assert all(node_number(label) == number for number, label in NODE_LABELS.items() if number != 4)
    assert process_number("relion.autopick.log") == 4 and process_number("relion.external.verglas.map") == 99


def test_relion_3_reads_and_finishes_what_we_write(tmp_path: Path) -> None:
    program = relion_program("relion_pipeliner")
    for one in PIPELINE.processes:
        (tmp_path / one.name).mkdir(parents=True)
    (tmp_path / "Map/job003/RELION_JOB_EXIT_SUCCESS").touch()
    (tmp_path / "Map/job003/half1.mrc").touch()
    write_pipeline(tmp_path / "default_pipeline.star", PIPELINE)
    done = subprocess.run([program, "--check_job_completion"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rlnPipeLineProcessTypeLabel" not in (tmp_path / "default_pipeline.star").read_text(), "it was not written by RELION 3.1"
    found = read_pipeline(tmp_path / "default_pipeline.star")
    assert [(one.name, one.state, one.alias) for one in found.processes] == [
        ("Import/job001", "Succeeded", "Import/movies"), ("Class2D/job002", "Failed", ""), ("Map/job003", "Succeeded", "")]
    assert found.inputs == PIPELINE.inputs and found.outputs == PIPELINE.outputs and found.counter == 4


def test_relion_prints_our_tables(tmp_path: Path) -> None:
    program = relion_program("relion_star_printtable")
    write_pipeline(tmp_path / "default_pipeline.star", PIPELINE)
    words = [program, "default_pipeline.star", "data_pipeline_input_edges", "_rlnPipeLineEdgeFromNode", "_rlnPipeLineEdgeProcess"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["Import/job001/movies.star", "Class2D/job002/"], done.stderr


@pytest.mark.parametrize(("old", "new", "told"), [("Failed", "Broken", "Broken"), ("data_pipeline_general", "data_other", "pipeline_general")])
def test_a_broken_pipeline_is_explained(old: str, new: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "default_pipeline.star"
    write_pipeline(path, PIPELINE)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises((DataError, InputError), match=told) as found:
        read_pipeline(path)
    assert str(path) in str(found.value)
