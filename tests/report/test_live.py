"""The report of a running job: its share of the time, one at a time, failures seen but harmless."""

import subprocess
import sys
import time
from pathlib import Path

from report_folders import write_job

from verglas.report.live import LiveReport


def test_waits_for_its_share_then_renders_in_another_process(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", final=False)
    live = LiveReport(folder, share=0.05)
    assert not live.update(), "nothing may be spent at the start"
    live._begun -= 100.0
    assert live.update()
    assert not live.update(), "one rendering at a time"
    live._watcher.join()
    assert live.problem == "" and "running, iteration 3" in (folder / "report.html").read_text(encoding="utf-8")
    assert live._spent == live._cost > 0
    live._begun = time.monotonic() - live._spent / 0.05
    assert not live.update(), "the share is used up"


def test_close_renders_the_last_page(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", final=False)
    live = LiveReport(folder)
    path = live.close("finished")
    text = path.read_text(encoding="utf-8")
    assert path == folder / "report.html" and "http-equiv" not in text and "finished" in text


def test_a_failing_rendering_is_told_and_does_not_raise(tmp_path: Path) -> None:
    live = LiveReport(tmp_path / "nowhere", share=1.0)
    live._begun -= 100.0
    assert live.update()
    live._watcher.join()
    assert "give the folder of a job" in live.problem


def test_command(tmp_path: Path) -> None:
    folder = write_job(tmp_path / "job", marker="RELION_JOB_EXIT_SUCCESS")
    run = [sys.executable, "-m", "verglas.report"]
    done = subprocess.run([*run, str(folder), str(tmp_path / "page.html")], capture_output=True, text=True)
    assert done.returncode == 0 and Path(done.stdout.strip()).exists()
    failed = subprocess.run([*run, str(tmp_path / "nowhere")], capture_output=True, text=True)
    assert failed.returncode == 2 and "no such folder" in failed.stderr
