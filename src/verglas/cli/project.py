"""`verglas project ...`: words around verglas.api.project. What is done with jobs is in project_jobs."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verglas.cli import project_jobs as jobs
from verglas.cli.project_jobs import open_here, tell

if TYPE_CHECKING:
    from cyclopts import App

    from verglas.api.project import Project


def new(folder: Path = Path(), /) -> int:
    """Make a project here or in FOLDER; job folders that are there are taken in.

    Parameters
    ----------
    folder
        Folder of the project.
    """
    from verglas.api.project import new_project

    project = new_project(folder)
    print(f"project {project.root}, {len(project.jobs())} jobs")
    return 0


def open_(folder: Path = Path(), /, *, read_only: bool = False) -> int:
    """Look into a project, ours or RELION's, and put it on the list of projects in the browser.

    Parameters
    ----------
    folder
        A folder of the project.
    read_only
        Write nothing.
    """
    from collections import Counter

    from verglas.web.places import admit

    opened = open_here(folder, read_only)
    admit(opened)
    rows = opened.rows()
    counted = Counter(row.process.state for row in rows)
    print(f"{opened.root}" + (" (read only)" if opened.read_only else "") + f": {len(rows)} job{'s' * (len(rows) != 1)}"
          + "".join(f", {number} {state.lower()}" for state, number in counted.most_common()))
    if rows:
        print(f"last: {rows[-1].process.name}" + (f" ({rows[-1].kind})" if rows[-1].kind else ""))
    place = shlex.quote(os.path.relpath(opened.root))
    print(f"look at it: verglas web --project {place}, or verglas project status --project {place}")
    return 0


def status(*, project: Path = Path(), read_only: bool = False, json: bool = False, rebuild: bool = False) -> int:
    """The jobs: number, type, second name, state, time, and what they read from.

    Parameters
    ----------
    project
        A folder of the project.
    read_only
        Write nothing.
    json
        For programs.
    rebuild
        Make the index of the list anew from the folders.
    """
    from verglas.cli.project_words import job_table
    from verglas.project import index
    from verglas.project.graph import as_json

    opened = open_here(project, read_only)
    if rebuild:
        opened.require_writable()
        index.rebuild(opened.root)
    if json:
        found = opened.snapshot()
        print(as_json(found.graph, found.details))
        return 0
    print(f"{opened.root}" + (" (read only)" if opened.read_only else ""))
    print(job_table(opened))
    return 0


def graph(*, project: Path = Path(), read_only: bool = False, format: Literal["text", "mermaid", "json"] = "text") -> int:
    """What came of what.

    Parameters
    ----------
    project
        A folder of the project.
    read_only
        Write nothing.
    format
        text, mermaid (for pages and documents) or json.
    """
    from verglas.project import graph as words

    found = open_here(project, read_only).snapshot()
    print(words.as_mermaid(found.graph) if format == "mermaid" else
          words.as_json(found.graph, found.details) if format == "json" else words.as_text(found.graph, found.details))
    return 0


def made(file: Path, /, *, project: Path = Path()) -> int:
    """The job that made a file, and those that it builds on.

    Parameters
    ----------
    file
        A file of the project.
    project
        A folder of the project.
    """
    opened = open_here(project)
    return tell(opened.made(_given(opened, file)))


def led_to(file: Path, /, *, project: Path = Path()) -> int:
    """The jobs that a file went into, and those that build on them.

    Parameters
    ----------
    file
        A file of the project.
    project
        A folder of the project.
    """
    opened = open_here(project)
    jobs = opened.led_to(_given(opened, file))
    if not jobs:
        print("no job was given this file")
    return tell(jobs)


def import_relion(folder: Path = Path(), /) -> int:
    """Take over a RELION folder as it is: nothing is changed in it.

    Parameters
    ----------
    folder
        Folder of the RELION project.
    """
    from verglas.project.archive import adopt

    project = open_here(adopt(folder))
    print(f"{project.root}: {len(project.jobs())} jobs; nothing was changed")
    return 0


def sync(*, project: Path = Path()) -> int:
    """Bring default_pipeline.star up to date with the job folders. In a folder without one, make it of what is there.

    Parameters
    ----------
    project
        A folder of the project.
    """
    opened = open_here(project)
    opened.require_writable()
    print(f"{len(opened.snapshot().pipeline.processes)} jobs")
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "new": new, "open": open_, "status": status, "graph": graph, "made": made, "led-to": led_to, "stop": jobs.stop, "continue": jobs.go_on,
    "clone": jobs.clone, "alias": jobs.alias, "note": jobs.note, "clean": jobs.clean, "trash": jobs.trash, "restore": jobs.restore,
    "export": jobs.export, "import-relion": import_relion, "sync": sync, "work": jobs.work,
}


def fill(app: "App") -> None:
    """All commands of `verglas project`."""
    for name, one in COMMANDS.items():
        app.command(one, name=name)


def _given(project: "Project", file: Path) -> Path:
    """A file as it is named here, or from the project's folder."""
    return file.absolute() if file.exists() or not (project.root / file).exists() else project.root / file
