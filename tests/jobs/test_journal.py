"""Progress lines and events."""

import json
from pathlib import Path

import numpy as np
import pytest

from verglas.jobs.journal import Journal, progress_line


@pytest.mark.parametrize(
    ("counted", "seconds", "expected"),
    [
        (100, 10.0, "E 100/1000, 10/s, 1:30 left"),
        (0, 10.0, "E 100/1000"),
        (1, 60.0, "E 100/1000, 60 s each, 15:00:00 left"),
    ],
)
def test_rate_and_time_left(counted: int, seconds: float, expected: str) -> None:
    assert progress_line(100, 1000, "E", counted, seconds) == expected


def test_progress_lines_come_every_so_often(tmp_path: Path) -> None:
    journal = Journal(quiet=True, every=0.0)
    journal.open(tmp_path, keep=False)
    for done in range(1, 4):
        journal.progress.advance(done, 3, "expectation")
    lines = (tmp_path / "run.out").read_text().splitlines()
    assert len(lines) == 3
    assert "expectation 3/3" in lines[-1]


def test_progress_is_rare_in_the_log(tmp_path: Path) -> None:
    journal = Journal(quiet=True, every=3600.0)
    journal.open(tmp_path, keep=False)
    for done in range(1000):
        journal.progress.advance(done, 1000, "expectation")
    assert (tmp_path / "run.out").read_text() == ""


def test_what_is_said_before_the_folder_exists_is_not_lost(tmp_path: Path) -> None:
    journal = Journal(quiet=True)
    journal.log("early")
    journal.event("early", values=np.arange(3), total=np.float64(1.5))
    journal.open(tmp_path, keep=False)
    assert "early" in (tmp_path / "run.out").read_text()
    row = json.loads((tmp_path / "events.jsonl").read_text())
    assert row["values"] == [0, 1, 2]
    assert row["total"] == 1.5
