"""What a report says of files means something on another computer, and says nothing about this one."""

import json
from pathlib import Path

import pytest
from report_folders import job_record, write_job

from verglas.report.build import build_report
from verglas.report.names import told, told_folder


@pytest.mark.parametrize("text, expected", [
    ("verglas x --a=/data/me/tut/Extract/job1/p.star", "verglas x --a=Extract/job1/p.star"),
    ("--b /other/disk/x.mrc, 1/2 of 1.2 e/Å²/frame", "--b …/x.mrc, 1/2 of 1.2 e/Å²/frame"),
    ("['/a/b/c.mrc', 'Refine3D/job1/x.star']", "['…/c.mrc', 'Refine3D/job1/x.star']"),
    ("000001@/a/b/c.mrcs is not there (/a/b)", "000001@…/c.mrcs is not there (…/b)"),
])
def test_files_have_their_names_in_the_project(text: str, expected: str) -> None:
    assert told(text, Path("/data/me/tut")) == expected


def test_a_report_names_no_folder_of_this_computer(tmp_path: Path) -> None:
    folder = tmp_path / "tutorial/Refine3D/job007"
    folder.mkdir(parents=True)
    (tmp_path / "tutorial/default_pipeline.star").touch()
    write_job(folder)
    here = str(tmp_path / "tutorial")
    (folder / "job.json").write_text(json.dumps(job_record(
        command=f"verglas refine3d --particles {here}/Extract/job002/particles.star --mask /scratch/me/mask.mrc",
        params={"particles": f"{here}/Extract/job002/particles.star", "mask": "/scratch/me/mask.mrc"},
        inputs=[{"path": f"{here}/Extract/job002/particles.star", "bytes": 1, "sha256": "ab", "hashed": "whole file"}])))
    text = build_report(folder).read_text(encoding="utf-8")
    assert str(tmp_path) not in text and "/scratch" not in text
    assert "--particles Extract/job002/particles.star --mask …/mask.mrc" in text and "tutorial/Refine3D/job007" in text
    assert told_folder(folder) == "tutorial/Refine3D/job007" and told_folder(tmp_path / "alone") == "alone"
