"""Changes to jobs that are there: stop, alias, trash, restore."""

import os
import re
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from verglas.errors import InputError
from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.jobs.context import ABORT_REQUEST
from verglas.jobs.folder import JOB_FILE, mark
from verglas.jobs.provenance import read_record
from verglas.project.clean import put_back
from verglas.project.graph import children as children_of
from verglas.project.graph import reached
from verglas.project.layout import TRASH, owner
from verglas.project.queued import cancel_job
from verglas.project.request import read_request, replace_request
from verglas.project.state import QUEUE_FILE, held, standing
from verglas.project.sync import change, snapshot, sync
from verglas.types.pipeline import Pipeline

JOB_PIPELINE = "job_pipeline.star"
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


def stop(root: Path, name: str, *, now: bool = False) -> None:
    """Ask a running job to stop at its next safe point; `now`: end its process. One that waits becomes a draft."""
    folder = root / name
    found, request = standing(folder), read_request(folder)
    if request is not None and request.status != "launched":
        if not replace_request(root, name, request, replace(request, status="held", reason="")):
            raise InputError("has just begun, or was changed", where=name, remedy="look at it, and try again")
    elif found is None or found.state != "Running":
        raise InputError(f"is not running: {found.state if found else 'empty'}", where=name, remedy="nothing is to be done")
    elif (folder / QUEUE_FILE).exists():
        cancel_job(folder)
    elif now and held(folder):
        _end(folder)
    else:
        (folder / ABORT_REQUEST).touch()
    sync(root)


def _end(folder: Path) -> None:
    """The processes of its session. Only a process that holds the lock of this folder is ended, by the number in job.json."""
    if not (folder / JOB_FILE).exists():
        raise InputError("is just beginning", where=str(folder), remedy="try again in a few seconds")
    process = int(read_record(folder)["process"])
    with suppress(ProcessLookupError):
        if os.getsid(process) == process:
            os.killpg(process, signal.SIGKILL)
    mark(folder, "ABORTED")


def set_alias(root: Path, name: str, alias: str, was: str | None = None) -> None:
    """A second name ("best" for Refine3D/best), as a link beside the folder; "" takes it away. `was`: the one that it is to replace."""
    kind = name.partition("/")[0]
    full = f"{kind}/{alias}" if alias else ""
    if alias and (not ALIAS.fullmatch(alias) or re.fullmatch(r"job\d+", alias)):
        raise InputError(f"{alias!r} cannot be a second name", where=name, remedy="use letters, digits and _ . + -, and not jobNNN")

    def edit(pipeline: Pipeline) -> Pipeline:
        old = next(one.alias for one in pipeline.processes if one.name == name)
        if was is not None and old.rpartition("/")[2] not in (was, alias):
            raise InputError(f"was called {old.rpartition('/')[2] or 'nothing'!r} meanwhile", where=name, remedy="look at it again, and decide")
        left = (root / full).is_symlink() and (root / full).readlink() == Path(Path(name).name) if full else False
        if full and full != old and ((os.path.lexists(root / full) and not left) or any(one.alias == full for one in pipeline.processes)):
            raise InputError(f"{full} is there already", where=name, remedy="choose another name")
        if old and old != full and (root / old).is_symlink():
            (root / old).unlink()
        if full and not left:
            (root / full).symlink_to(Path(name).name)
        return replace(pipeline, processes=tuple(replace(one, alias=full) if one.name == name else one for one in pipeline.processes))

    change(root, edit)


def with_dependents(pipeline: Pipeline, names: Iterable[str]) -> tuple[str, ...]:
    """These jobs and all that build on them, by number."""
    names = tuple(dict.fromkeys(names))
    return (*names, *reached(children_of(pipeline), names))


def trash(root: Path, names: Iterable[str], expected: Iterable[str] = ()) -> tuple[str, ...]:
    """Move jobs to Trash, with all that build on them; the names of all that went. `expected`: those that the user has agreed to."""
    gone = with_dependents(snapshot(root).graph, names)
    more = [one for one in gone if one not in set(expected)]

    def edit(pipeline: Pipeline) -> Pipeline:
        if expected and more:
            raise InputError(f"{', '.join(more)} {'builds' if len(more) == 1 else 'build'} on it meanwhile", where=str(root),
                             remedy="look again, and decide")
        running = [one.name for one in pipeline.processes if one.name in gone and one.state == "Running"]
        if running:
            raise InputError(f"{running[0]} is running", where=str(root), remedy="stop it first")
        for name in gone:
            put_back(root, name)
        taken = [name for name in gone if (root / TRASH / name).exists()]
        if taken:
            raise InputError(f"{taken[0]} is in the trash already", where=str(root), remedy=f"empty the trash, or remove {TRASH}/{taken[0]}")
        for name in gone:
            _to_trash(root, name, pipeline)
        return without(pipeline, gone)

    change(root, edit)
    return gone


def _to_trash(root: Path, name: str, pipeline: Pipeline) -> None:
    """The folder takes its own part of the pipeline along, as RELION does it, so that it can come back."""
    folder, target = root / name, root / TRASH / name
    target.parent.mkdir(parents=True, exist_ok=True)
    alias = next(one.alias for one in pipeline.processes if one.name == name)
    if alias and (root / alias).is_symlink():
        (root / alias).unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_pipeline(folder / JOB_PIPELINE, part_of(pipeline, (name,)))
    folder.rename(target)
    with suppress(OSError):
        folder.parent.rmdir()


def part_of(pipeline: Pipeline, names: Iterable[str]) -> Pipeline:
    """These jobs with the files that they read and hand on, and their edges."""
    names = set(names)
    inputs = tuple(edge for edge in pipeline.inputs if edge[1] in names)
    outputs = tuple(edge for edge in pipeline.outputs if edge[0] in names)
    nodes = {node for node, _ in inputs} | {node for _, node in outputs}
    return Pipeline(pipeline.counter, tuple(one for one in pipeline.processes if one.name in names),
                    tuple(one for one in pipeline.nodes if one.name in nodes), inputs, outputs)


def without(pipeline: Pipeline, names: Iterable[str]) -> Pipeline:
    """All but these jobs, their edges, and the files that nobody else has to do with."""
    names = set(names)
    inputs = tuple(edge for edge in pipeline.inputs if edge[1] not in names and owner(edge[0]) not in names)
    outputs = tuple(edge for edge in pipeline.outputs if edge[0] not in names)
    used = {node for node, _ in inputs} | {node for _, node in outputs}
    return replace(pipeline, processes=tuple(one for one in pipeline.processes if one.name not in names),
                   nodes=tuple(one for one in pipeline.nodes if one.name in used), inputs=inputs, outputs=outputs)


def trashed(root: Path) -> tuple[str, ...]:
    """The jobs in the trash, by number."""
    found = [path.parent for path in (root / TRASH).glob(f"*/job[0-9]*/{JOB_PIPELINE}")]
    return tuple(f"{one.parent.name}/{one.name}" for one in sorted(found, key=lambda path: path.name))


def restore(root: Path, name: str) -> tuple[str, ...]:
    """Bring a job back from the trash, with the trashed jobs that it builds on; the names of all that came."""
    there = set(trashed(root))
    if name not in there:
        raise InputError(f"{name} is not in the trash", where=str(root / TRASH), remedy=f"it holds {', '.join(sorted(there)) or 'nothing'}")
    parts: dict[str, Pipeline] = {}
    todo = [name]
    while todo:
        one = todo.pop()
        if one in there and one not in parts:
            parts[one] = read_pipeline(root / TRASH / one / JOB_PIPELINE)
            todo += [owner(node) for node, _ in parts[one].inputs]

    def edit(pipeline: Pipeline) -> Pipeline:
        for one in sorted(parts):
            if (root / one).exists():
                raise InputError(f"{one} is there already", where=str(root), remedy="move it away first")
        for one in parts:
            (root / one).parent.mkdir(exist_ok=True)
            (root / TRASH / one).rename(root / one)
        return joined(pipeline, [_with_link(root, part) for part in parts.values()])

    change(root, edit)
    return tuple(parts)


def _with_link(root: Path, part: Pipeline) -> Pipeline:
    """The alias comes back too, unless its name is taken."""
    process = part.processes[0]
    if process.alias and not os.path.lexists(root / process.alias):
        (root / process.alias).symlink_to(Path(process.name).name)
        return part
    return replace(part, processes=(replace(process, alias=""),))


def joined(pipeline: Pipeline, parts: Iterable[Pipeline]) -> Pipeline:
    """The pipeline with these parts added."""
    for part in parts:
        nodes = {one.name: one for one in (*pipeline.nodes, *part.nodes)}
        pipeline = replace(
            pipeline, processes=tuple({one.name: one for one in (*pipeline.processes, *part.processes)}.values()), nodes=tuple(nodes.values()),
            inputs=tuple(dict.fromkeys((*pipeline.inputs, *part.inputs))), outputs=tuple(dict.fromkeys((*pipeline.outputs, *part.outputs))),
        )
    return replace(pipeline, processes=tuple(sorted(pipeline.processes, key=lambda one: one.number)))
