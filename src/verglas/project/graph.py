"""Which job came of which: ancestors, descendants, what made a file and what it led to; the graph as text, Mermaid or JSON."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from verglas.errors import InputError
from verglas.project.layout import number_of, owner
from verglas.types.pipeline import Pipeline, Process

Neighbours = Mapping[str, set[str]]
COLOURS = {"Scheduled": "#d9d9d9", "Running": "#ffe08a", "Succeeded": "#b7e1b0", "Failed": "#f2a6a0", "Aborted": "#d8b4e2"}


def edges(pipeline: Pipeline) -> list[tuple[str, str]]:
    """(job, job that reads a file of it), each once, by number."""
    names = {one.name for one in pipeline.processes}
    made_by = {node: process for process, node in pipeline.outputs}
    found = {(made_by.get(node) or owner(node), process) for node, process in pipeline.inputs}
    return sorted(((one, other) for one, other in found if one in names and other in names and one != other),
                  key=lambda pair: (number_of(pair[0]), number_of(pair[1]), pair))


def parents(pipeline: Pipeline) -> Neighbours:
    return _neighbours((child, parent) for parent, child in edges(pipeline))


def children(pipeline: Pipeline) -> Neighbours:
    return _neighbours(edges(pipeline))


def _neighbours(pairs: Iterable[tuple[str, str]]) -> Neighbours:
    found: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
    return found


def reached(neighbours: Neighbours, names: Iterable[str]) -> tuple[str, ...]:
    """All that can be reached from these, without them, by number."""
    start = set(names)
    found, todo = set[str](), list(start)
    while todo:
        new = neighbours.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return tuple(sorted(found - start, key=number_of))


def ancestors(pipeline: Pipeline, name: str) -> tuple[str, ...]:
    """The jobs that this one builds on, by number."""
    return reached(parents(pipeline), [name])


def descendants(pipeline: Pipeline, name: str) -> tuple[str, ...]:
    """The jobs that build on this one, by number."""
    return reached(children(pipeline), [name])


def maker(pipeline: Pipeline, file: str) -> str:
    """The job that made a file of the project."""
    made_by = {node: process for process, node in pipeline.outputs}
    names = {one.name for one in pipeline.processes}
    found = made_by.get(file) or owner(file)
    if found not in names:
        raise InputError("no job of this project made it", where=file, remedy="give a file in a job folder, such as Refine3D/job012/run_class001.mrc")
    return found


def readers(pipeline: Pipeline, file: str) -> tuple[str, ...]:
    """The jobs that were given this file itself, by number."""
    return tuple(sorted({process for node, process in pipeline.inputs if node == file}, key=number_of))


def as_text(pipeline: Pipeline, details: Mapping[str, str]) -> str:
    """One line for each job, with the jobs that it reads from."""
    of = parents(pipeline)
    rows = []
    for one in sorted(pipeline.processes, key=lambda process: process.number):
        sources = ", ".join(sorted(of.get(one.name, set()), key=number_of))
        state = f"{one.state} ({details[one.name]})" if one.name in details else one.state
        rows.append(f"{one.name}{f' = {one.alias}' if one.alias else ''}  {state}" + (f"  <- {sources}" if sources else ""))
    return "\n".join(rows) or "no jobs yet"


def as_mermaid(pipeline: Pipeline) -> str:
    """A flowchart; text of users is quoted."""
    lines = ["flowchart TD"]
    lines += [f"  {_id(one)}[\"{_plain(one.name)}{f'<br>{_plain(one.alias)}' if one.alias else ''}\"]:::{one.state}" for one in pipeline.processes]
    ids = {one.name: _id(one) for one in pipeline.processes}
    lines += [f"  {ids[one]} --> {ids[other]}" for one, other in edges(pipeline)]
    return "\n".join([*lines, *(f"  classDef {state} fill:{colour},color:#222" for state, colour in COLOURS.items())])


def _id(one: Process) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in one.name)


def _plain(text: str) -> str:
    return "".join(f"#{ord(letter)};" if letter in '"<>&#;`\\' else letter for letter in text)


def as_json(pipeline: Pipeline, details: Mapping[str, str]) -> str:
    content = {
        "jobs": [{"name": one.name, "number": one.number, "type": one.type, "alias": one.alias, "state": one.state,
                  "detail": details.get(one.name, "")} for one in pipeline.processes],
        "files": [{"name": one.name, "type": one.type} for one in pipeline.nodes],
        "edges": [{"from": one, "to": other} for one, other in edges(pipeline)],
        "inputs": [{"file": node, "job": process} for node, process in pipeline.inputs if not node.endswith("/")],
        "outputs": [{"job": process, "file": node} for process, node in pipeline.outputs],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
