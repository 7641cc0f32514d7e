"""The pages of a chain and of its stages: one at a time, and the last ones at the end."""

import json
from pathlib import Path

from verglas.jobs.context import Context
from verglas.jobs.live_pages import Pages


def stage(folder: Path, job: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"job": job}))
    (folder / "RELION_JOB_EXIT_SUCCESS").touch()
    return folder


def test_one_at_a_time_in_turn_and_all_at_the_end(tmp_path: Path) -> None:
    folders = [stage(tmp_path / "Live/job001", "live"), stage(tmp_path / "CtfFind/job002", "ctf"), tmp_path / "Extract/job003"]
    pages = Pages(Context(folders[0], tmp_path))
    pages.show(folders)
    assert not any((folder / "report.html").exists() for folder in folders), "nothing is spent at the start"
    for report in pages._reports.values():
        report._begun -= 1000.0
    first = pages._reports[folders[0]]
    pages.show(folders)
    pages.show(folders)
    assert first.busy and not pages._reports[folders[1]].busy, "one at a time"
    first.wait()
    pages.show(folders)
    assert pages._reports[folders[1]].busy, "then the one that has waited longest"
    pages._reports[folders[1]].wait()
    (folders[1] / "report.html").unlink()
    with pages.kept():
        pass
    assert first.problem == "" and (folders[0] / "report.html").exists()
    assert "finished" in (folders[1] / "report.html").read_text(encoding="utf-8")
