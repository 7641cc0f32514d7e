"""What a workflow has made in a project, so that the same command goes on where the last one ended.

.verglas/workflows/NAME.json has the stages with their jobs. A stage keeps its job while nothing in it has changed, nor in those it names.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from verglas.errors import InputError
from verglas.io.atomic import atomic_path
from verglas.jobs.folder import JOB_FILE
from verglas.jobs.registry import find
from verglas.project.ask import How, ask, go_on
from verglas.project.layout import HIDDEN
from verglas.project.request import read_request, write_request
from verglas.project.state import standing
from verglas.project.sync import sync
from verglas.project.words import REFERENCE
from verglas.project.workflow import Stage

FOLDER = "workflows"


def ask_all(root: Path, name: str, stages: tuple[Stage, ...], *, hold: bool = False, again: bool = False) -> dict[str, str]:
    """Ask for the jobs that are not there yet, and let those that were killed, stopped or failed go on; stage -> job.

    They begin one after the other while somebody schedules. They are drafts until all are written down: what is killed in between leaves at
    most a draft that nobody needs. `again`: new jobs for all stages.
    """
    record = root / HIDDEN / FOLDER / f"{name}.json"
    made = {} if again else _kept(root, record, stages)
    for stage in stages:
        if stage.name not in made:
            params = {key: _placed(value, made) for key, value in stage.params.items()}
            made[stage.name] = ask(root, stage.job, params, How(stage.common, tuple(made[one] for one in stage.after), hold=True))
            _write(record, stages, made)
    if not hold:
        for stage in stages:
            _let_go(root, made[stage.name], stage)
    return made


def _kept(root: Path, record: Path, stages: tuple[Stage, ...]) -> dict[str, str]:
    """The jobs that still are what the stages ask for, and still are there."""
    known = _read(record)
    found: dict[str, str] = {}
    for stage in stages:
        entry = known.get(stage.name, {})
        job = str(entry.get("made", ""))
        if job and entry.get("asked") == _plain(stage) and all(one in found for one in stage.needs) and standing(root / job):
            found[stage.name] = job
    return found


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"unreadable: {error}", where=str(record), remedy="remove it: all jobs are asked for anew then") from error
    return content if isinstance(content, dict) else {}


def _write(record: Path, stages: tuple[Stage, ...], made: Mapping[str, str]) -> None:
    record.parent.mkdir(exist_ok=True)
    content = {one.name: {"made": made[one.name], "asked": _plain(one)} for one in stages if one.name in made}
    with atomic_path(record) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(stage: Stage) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(asdict(stage), default=str))


def _placed(value: Any, made: Mapping[str, str]) -> Any:
    """@extract/x.star -> @Extract/job003/x.star."""
    if isinstance(value, list):
        return [_placed(one, made) for one in value]
    if not isinstance(value, str) or not value.startswith(REFERENCE):
        return value
    stage, slash, rest = value[1:].partition("/")
    return f"{REFERENCE}{made[stage]}{slash}{rest}"


def _let_go(root: Path, name: str, stage: Stage) -> None:
    """Whatever keeps this job from being done, short of its input: a draft, a stop, a kill, a failure."""
    folder = root / name
    now, request = standing(folder), read_request(folder)
    if now is None or now.state in ("Running", "Succeeded"):
        return
    begun = request is None or request.status == "launched"
    if not begun or ((folder / JOB_FILE).exists() and find(stage.job).can_continue):
        go_on(root, name, {}, How(stage.common))
    elif request is not None:
        write_request(folder, replace(request, status="waiting", reason="", continuing=False))
        sync(root)
