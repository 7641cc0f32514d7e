"""The report of a job: in a frame, to be written again, and as one file to send."""

import subprocess
from pathlib import Path

from nicegui import run, ui

from verglas.api.job import Job
from verglas.api.project import Project
from verglas.project.program import PROGRAM
from verglas.report.build import REPORT
from verglas.web.theme import base, missing

PATIENCE = 600


def report(project: Project, job: Job) -> None:
    address = f"{base(project)}/report/{job.name}"

    @ui.refreshable
    def show() -> None:
        there = (job.folder / REPORT).is_file()
        with ui.element("div").classes("line"):
            if there:
                ui.button("Download report", icon="download", on_click=lambda: ui.download(f"{address}?download=1")).props("outline").tooltip(
                    "One file with all pictures and the methods text, ready to send"
                )
                ui.link("Open in a tab of its own", address, new_tab=True)
            if not project.read_only and (job.folder / "job.json").exists():
                ui.button("Write it again" if there else "Write the report", on_click=write).props("flat")
        if there:
            ui.element("iframe").props(f'src="{address}" sandbox="allow-scripts" title="Report"').classes("report")
        else:
            missing("No report has been written yet.")

    async def write() -> None:
        waiting = ui.notification("The report is being written ...", spinner=True, timeout=None)
        wrong = await run.io_bound(_write, job.folder)
        waiting.dismiss()
        if wrong:
            ui.notify(wrong, type="negative", multi_line=True, timeout=0, close_button="Close")
        show.refresh()

    show()


def _write(folder: Path) -> str:
    """In a process of its own; what it complained of, "" when all went well."""
    try:
        done = subprocess.run([*PROGRAM, "report", str(folder)], capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"No report within {PATIENCE} s."
    return done.stderr.strip().removeprefix("verglas: ") if done.returncode else ""
