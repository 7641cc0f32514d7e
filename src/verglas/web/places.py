"""Which projects the server knows, and which files of them it may give."""

import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from fastapi import HTTPException

from verglas.api.project import Project, open_project
from verglas.errors import VerglasError
from verglas.io.atomic import atomic_path
from verglas.jobs.folder import PIPELINE
from verglas.project.layout import owner, read_root
from verglas.types.pipeline import Pipeline

KEPT = 30
"""Recent projects that are remembered."""
_open: dict[str, Project] = {}


def key_of(root: Path) -> str:
    """The same key for the same folder, whenever the server starts."""
    return hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:10]


def admit(project: Project) -> str:
    """Make a project known to the server and remember it; its key."""
    key = key_of(project.root)
    _open[key] = project
    _remember(project.root)
    return key


def project_of(key: str) -> Project:
    """A project that was opened here, now or earlier; 404 for any other key."""
    if key in _open and _open[key].root.is_dir():
        return _open[key]
    for root in recent():
        if key_of(root) == key:
            try:
                _open[key] = open_project(root)
            except (VerglasError, OSError) as error:
                raise HTTPException(404, str(error)) from error
            return _open[key]
    raise HTTPException(404, "This project is not open here. Open it on the page of the projects.")


def opened() -> dict[str, Project]:
    """The projects that the server works on, by key."""
    return dict(_open)


def recent() -> list[Path]:
    """Folders of the projects that were opened, the last one first; only those that are there."""
    try:
        names = json.loads(_memory().read_text(encoding="utf-8"))
        return [Path(one) for one in names if (Path(one) / PIPELINE).is_file()]
    except (OSError, ValueError, TypeError):
        return []


def forget(root: Path) -> None:
    """Take it off the list; the folder stays as it is."""
    _write_recent([one for one in recent() if one != root.absolute()])


def _remember(root: Path) -> None:
    _write_recent([root.absolute(), *(one for one in recent() if one != root.absolute())][:KEPT])


def _write_recent(roots: list[Path]) -> None:
    """A home that cannot be written costs the list of recent projects, nothing else."""
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(_memory()) as path:
            path.write_text(json.dumps([str(one) for one in roots]), encoding="utf-8")
    except OSError:
        return


def _memory() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "verglas" / "projects.json"


def file_in(project: Project, name: str) -> Path:
    """A file of the project by its name there. 404: no such file; 403: it leads out of the project, and no file of the project names it."""
    if not name or name.startswith(("/", "~")) or "\0" in name or ".." in name.split("/") or len(name) > 1000:
        raise HTTPException(403, "Give a file by its name in the project, such as Refine3D/job012/run_class001.mrc.")
    try:
        whole = (project.root / name).resolve(strict=True)
        inside = whole.is_relative_to(project.root.resolve())
        if not whole.is_file():
            raise HTTPException(404, f"{name} is a folder.")
        if inside or _is_named(project.root, name):
            return whole
    except (OSError, ValueError, RuntimeError) as error:
        raise HTTPException(404, f"There is no file {name} in this project.") from error
    raise HTTPException(403, f"{name} leads out of the project, and no job has imported it.")


def there(project: Project, name: str) -> Path | None:
    """The file, if the server may give it."""
    try:
        return file_in(project, name)
    except HTTPException:
        return None


def _is_named(root: Path, name: str) -> bool:
    """Whether a job hands it on, or a table that came from outside (an import) names it."""
    try:
        pipeline = read_root(root)
    except VerglasError:
        return False
    return any(one.name == name for one in pipeline.nodes) or any(_mentions(path, name) for path in _imported(root, pipeline))


def _imported(root: Path, pipeline: Pipeline) -> Iterator[Path]:
    """The tables of import jobs, and those that no job made."""
    for node in pipeline.nodes:
        if node.name.endswith(".star") and (node.name.startswith("Import/") or not owner(node.name)):
            path = (root / node.name).resolve()
            if path.is_relative_to(root.resolve()) and path.is_file():
                yield path


def _mentions(table: Path, name: str) -> bool:
    """Whether the name stands in the table as a word, or after the @ of an image in a stack."""
    word = name.encode()
    if not table.stat().st_size:
        return False
    with table.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(word)
        while at >= 0:
            before, after = content[at - 1 : at] if at else b" ", content[at + len(word) : at + len(word) + 1]
            if before in b" \t\n@\"'" and after in b" \t\r\n\"'":
                return True
            at = content.find(word, at + 1)
    return False
