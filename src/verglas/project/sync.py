"""The pipeline and the job folders brought together. `snapshot` only looks; `sync` writes what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.io.project_lock import locked
from verglas.jobs.folder import JOB_FILE, PIPELINE
from verglas.project.gui import tell_gui
from verglas.project.layout import job_folders, number_of, owner, with_counter
from verglas.project.links import Links, links_of, request_of
from verglas.project.seen import Seen, Settled, is_old, stamp_of
from verglas.project.state import ENDED, Standing, standing
from verglas.types.pipeline import Pipeline, Process, State


@dataclass(frozen=True)
class Snapshot:
    """The project now: `details` by the name of the job, where its state needs another word; `waits`: (job, job that was told to wait for it)."""

    pipeline: Pipeline
    details: dict[str, str]
    waits: tuple[tuple[str, str], ...] = ()

    @property
    def graph(self) -> Pipeline:
        """The pipeline with what waits for whom, also where the file between them has no name yet. It is not for the file: RELION wants nodes."""
        return replace(self.pipeline, inputs=(*self.pipeline.inputs, *((f"{one}/", other) for one, other in self.waits)))


def snapshot(root: Path, seen: Seen | None = None) -> Snapshot:
    """What is so, whatever default_pipeline.star says yet; nothing is written."""
    seen = seen or Seen()
    return reconciled(root, seen.read(root), (), seen)


def sync(root: Path, again: tuple[str, ...] = (), seen: Seen | None = None) -> Snapshot:
    """Bring default_pipeline.star up to date under RELION's lock. It is written only when something changed; `again`: jobs to read anew."""
    seen = seen or Seen()
    before = seen.read(root)
    found = reconciled(root, before, again, seen)
    return found if found.pipeline == before else change(root, lambda pipeline: pipeline, again)


def change(root: Path, edit: Callable[[Pipeline], Pipeline], again: tuple[str, ...] = ()) -> Snapshot:
    """Read, bring up to date, change and write, with nobody else in between."""
    with locked(root):
        before = read_pipeline(root / PIPELINE)
        found = reconciled(root, before, again)
        after = with_counter(edit(found.pipeline))
        if after != before:
            write_pipeline(root / PIPELINE, after)
            tell_gui(root, before, after)
    return Snapshot(after, found.details, found.waits)


def reconciled(root: Path, pipeline: Pipeline, again: tuple[str, ...] = (), seen: Seen | None = None) -> Snapshot:
    """The pipeline as the folders have it. A folder is read when its state is another one than the pipeline says, or when it is in `again`."""
    seen = seen or Seen()
    folders = set(job_folders(root))
    known = {one.name: one for one in pipeline.processes}
    made = {process for process, _ in pipeline.outputs}
    details, waits = dict[str, str](), list[tuple[str, str]]()
    processes, news = [], dict[str, Links]()
    for name in [*known, *sorted(folders - set(known), key=number_of)]:
        old = known.get(name)
        stamp = stamp_of(f"{root}/{name}") if name in folders else None
        if stamp and name not in again and seen.jobs.get(name) == (stamp, old, name in made) and old:
            processes.append(old)
            continue
        now = standing(root / name, old.state if old else None) if name in folders else Standing(old.state) if old else None
        if now is None:
            continue
        if now.detail:
            details[name] = now.detail
        if now.state == "Scheduled" and name in folders and (request := request_of(root / name)):
            waits += [(one, name) for one in request.after]
        if old is None or name in again or (name in folders and _is_news(root / name, old, now.state, name in made)):
            news[name] = links_of(root, name)
        processes.append(_process(name, old, now.state, news.get(name)))
        told = name in news and bool(news[name].inputs or news[name].outputs)
        if stamp and is_old(stamp) and now.state in ENDED.values() and not now.detail and not told:
            seen.jobs[name] = Settled(stamp, processes[-1], name in made)
    grown = replace(pipeline, processes=tuple(processes))
    return Snapshot(with_counter(_with_links(grown, news)) if news else with_counter(grown), details, tuple(waits))


def _is_news(folder: Path, old: Process, state: State, has_outputs: bool) -> bool:
    """Whether the folder has more to say than the pipeline holds: its state changed, or RELION 3.1 has dropped its label."""
    ours = (folder / JOB_FILE).exists() if state != old.state or old.type == "relion.external" or not has_outputs else False
    return state != old.state or (ours and (old.type == "relion.external" or (state == "Succeeded" and not has_outputs)))


def _process(name: str, old: Process | None, state: State, links: Links | None) -> Process:
    if old is None:
        assert links is not None
        return Process(name, links.type, state)
    kept = old.type if links is None or old.type.startswith(links.type) else links.type
    return replace(old, state=state, type=kept)


def _with_links(pipeline: Pipeline, news: dict[str, Links]) -> Pipeline:
    """Nodes and edges of jobs that have something new. What a job of ours says replaces what it said before; RELION's edges stay."""
    names = {one.name for one in pipeline.processes}
    stale = {name for name, links in news.items() if links.whole}
    nodes = {one.name: one for one in pipeline.nodes}
    inputs = dict.fromkeys(edge for edge in pipeline.inputs if edge[1] not in stale)
    read = {node for node, _ in inputs}
    outputs = dict.fromkeys(edge for edge in pipeline.outputs if edge[0] not in stale or edge[1] in read)
    for name, links in news.items():
        for node in links.outputs:
            nodes[node.name] = node
            outputs.setdefault((name, node.name))
        for node in links.inputs:
            nodes.setdefault(node.name, node)
            inputs.setdefault((node.name, name))
            if owner(node.name) in names:
                outputs.setdefault((owner(node.name), node.name))
    used = {node for node, _ in inputs} | {node for _, node in outputs}
    return replace(pipeline, nodes=tuple(one for one in nodes.values() if one.name in used), inputs=tuple(inputs), outputs=tuple(outputs))
