"""Folder in, report.html out."""

from datetime import datetime
from pathlib import Path

from verglas.io.atomic import atomic_path
from verglas.report.data import State

REPORT = "report.html"


def build_report(job_dir: Path, out: Path | None = None, state: State | None = None) -> Path:
    """Write the report of a job folder (default: job_dir/report.html), atomically; returns where it is.

    The state is read from the exit markers unless `state` says it: a job that writes its last report just before its
    marker passes "finished", so that the page stops reloading itself.
    """
    from verglas.report.load import load_report
    from verglas.report.page import page

    job_dir = Path(job_dir)
    target = Path(out) if out is not None else job_dir / REPORT
    text = page(load_report(job_dir, state), datetime.now())
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
    return target
