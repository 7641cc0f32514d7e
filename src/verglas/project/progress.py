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
from verglas.project.ask import How, ask, change_request, go_on, start_again
from verglas.project.edit import stop
from verglas.project.layout import HIDDEN
from verglas.project.request import read_request
from verglas.project.state import standing
from verglas.project.words import REFERENCE
from verglas.project.workflow import Stage

FOLDER = "workflows"


def ask_all(root: Path, name: str, stages: tuple[Stage, ...], how: How | None = None, *, again: bool = False) -> dict[str, str]:
    """Ask for the jobs that are not there yet, and let those that were killed, stopped or failed go on; stage -> job.

    They begin one after the other while somebody schedules. They are drafts until all are written down: what is killed in between leaves at
    most a draft that nobody needs. `how`: where all of them run. `again`: new jobs for all stages.
    """
    record, how = root / HIDDEN / FOLDER / f"{name}.json", how or How()
    made = {} if again else _kept(root, record, stages)
    for stage in stages:
        if stage.name not in made:
            params = {key: _placed(value, made) for key, value in stage.params.items()}
            made[stage.name] = ask(root, stage.job, params, replace(_how(stage, made, how), hold=True))
            _write(record, stages, made)
    if not how.hold:
        for stage in stages:
            _let_go(root, made[stage.name], stage, _how(stage, made, how))
    return made


def _how(stage: Stage, made: Mapping[str, str], how: How) -> How:
    return replace(how, common=dict(how.common) | stage.common, after=(*how.after, *(made[one] for one in stage.after)))


def made_by(root: Path, name: str) -> dict[str, str]:
    """Stage -> job, of the last time that a workflow of this name was run here; jobs that are gone are left out."""
    known = _read(root / HIDDEN / FOLDER / f"{name}.json")
    return {stage: str(one["made"]) for stage, one in known.items() if (root / str(one.get("made", "."))).is_dir() and one.get("made")}


def stop_all(root: Path, name: str) -> tuple[str, ...]:
    """Stop what runs of it at its next safe point, and hold what waits; the jobs that were reached."""
    reached = []
    for job in made_by(root, name).values():
        now, request = standing(root / job), read_request(root / job)
        if now and (now.state == "Running" or (now.state == "Scheduled" and request is not None and request.status == "waiting")):
            stop(root, job)
            reached.append(job)
    return tuple(reached)


def changes_of(root: Path, name: str, stages: tuple[Stage, ...]) -> dict[str, Any]:
    """The values by "stage.parameter" with which it was run here the last time, where they are others than in its file; None: taken out."""
    known = _read(root / HIDDEN / FOLDER / f"{name}.json")
    found: dict[str, Any] = {}
    for stage in stages:
        asked = known.get(stage.name, {}).get("asked", {})
        if asked.get("job") == stage.job:
            was, now = asked["params"] | asked["common"], _plain(stage)["params"] | _plain(stage)["common"]
            found |= {f"{stage.name}.{one}": was.get(one) for one in {**now, **was} if was.get(one) != now.get(one)}
    return found


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


def _let_go(root: Path, name: str, stage: Stage, how: How) -> None:
    """Whatever keeps this job from being done, short of its input: a draft, a stop, a kill, a failure."""
    folder = root / name
    now, request = standing(folder), read_request(folder)
    if now is None or now.state in ("Running", "Succeeded"):
        return
    if request is not None and request.status != "launched":
        if (request.queue, request.wish) != (how.queue, dict(how.wish)):
            change_request(root, name, request.params, how)
        go_on(root, name, {}, how)
    elif (folder / JOB_FILE).exists() and find(stage.job).can_continue:
        go_on(root, name, {}, replace(how, after=()))
    else:
        start_again(root, name)
