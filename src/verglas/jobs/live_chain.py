"""The chain of jobs behind `verglas live`: which jobs, what each takes from those before it, and how all of them go on with new movies."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verglas.io.atomic import atomic_path
from verglas.jobs import folder as job_folder
from verglas.jobs.common import parse
from verglas.jobs.context import Context
from verglas.jobs.registry import find
from verglas.jobs.runner import Request, run_job

FOLDERS = "folders.json"


@dataclass(frozen=True)
class Stage:
    """A job with its own parameters, and those that are files of earlier stages: parameter -> (stage, file in its folder).

    `result` is its table, which grows with every round.
    """

    name: str
    job: str
    params: dict[str, Any]
    inputs: dict[str, tuple[str, str]]
    result: str


@dataclass
class Chain:
    """The stages in order and the folders of their jobs, which are kept in folders.json so that a killed chain finds them again."""

    context: Context
    stages: tuple[Stage, ...]
    folders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = self.context.output / FOLDERS
        if path.exists():
            self.folders = json.loads(path.read_text(encoding="utf-8"))

    def path(self, stage: str, name: str) -> Path:
        """A file of a stage's job."""
        return self.context.project / self.folders[stage] / name

    def advance(self, stage: Stage, **given: object) -> Path | None:
        """Run or continue the stage's job; `given`: parameters of this round. None when an input has nothing in it yet."""
        sources = {name: self.path(*where) for name, where in stage.inputs.items() if where[0] in self.folders}
        if len(sources) < len(stage.inputs) or not all(source.exists() for source in sources.values()):
            return None
        job = find(stage.job)
        if stage.name not in self.folders:
            self._remember(stage.name, job_folder.reserve(self.context.project, job.folder))
        continuing = self.path(stage.name, job_folder.JOB_FILE).exists()
        output = self.context.project / self.folders[stage.name]
        request = Request(self.context.resources, output, self.context.project, continuing, quiet=True, stop=self.context.stop, reports=False)
        run_job(job, parse(job.params, stage.params | sources | given), request)
        return output / stage.result

    def _remember(self, stage: str, folder: Path) -> None:
        """Before the job begins, so that it is not begun twice."""
        folder = folder.resolve()
        root = self.context.project.resolve()
        self.folders[stage] = job_folder.named_in(root, folder)
        with atomic_path(self.context.output / FOLDERS) as path:
            path.write_text(json.dumps(self.folders, indent=1), encoding="utf-8")
