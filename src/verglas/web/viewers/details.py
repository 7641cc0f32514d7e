"""The table of a job on micrographs with the spectrum or the motion of the row that is clicked."""

from uuid import uuid4

from verglas.api.project import Project
from verglas.web.viewers.scripts import place
from verglas.web.viewers.table import table


def ctf(project: Project, file: str) -> None:
    """Spectra and fitted curves."""
    _with_panel(project, file, "ctf")


def motion(project: Project, file: str) -> None:
    """Tracks of the whole field and of its parts."""
    _with_panel(project, file, "motion")


def _with_panel(project: Project, file: str, kind: str) -> None:
    panel = uuid4().hex
    place(project, "details", file, kind=kind, id=panel)
    table(project, file, on_row=f"import('/static/view_details.js').then(m => row >= 0 && m.show('{panel}', row))")
