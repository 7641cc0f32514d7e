"""What RELION's own GUI looks at beside the pipeline.

It offers as inputs what has an empty file under .Nodes: below the first word of its label (RELION 4 and 5) or its number (3.1), by the second
name of its job where that has one. A GUI that is open reads the pipeline again when .pipeline_has_changed appears.
"""

from contextlib import suppress
from pathlib import Path

from verglas.io.pipeline_labels import node_number
from verglas.io.pipeline_star import leads_out
from verglas.project.layout import owner
from verglas.types.pipeline import Pipeline

NODES, CHANGED = ".Nodes", ".pipeline_has_changed"


def tell_gui(root: Path, before: Pipeline, after: Pipeline) -> None:
    """Follow a change of the pipeline. The GUI alone needs this, and can make it anew: a disk that is full must not keep jobs from being listed."""
    there = offered(before) if (root / NODES).is_dir() else set[str]()
    wanted = offered(after)
    with suppress(OSError):
        for one in wanted - there:
            path = root / NODES / one
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for one in there - wanted:
            (root / NODES / one).unlink(missing_ok=True)
        (root / CHANGED).touch()


def offered(pipeline: Pipeline) -> set[str]:
    """The empty files, from .Nodes on; logs are no inputs."""
    aliases = {one.name: one.alias for one in pipeline.processes if one.alias}
    found = set[str]()
    for node in pipeline.nodes:
        job, kind = owner(node.name), node.type.partition(".")[0]
        if not leads_out(node.name) and kind and "/" not in kind and kind != "LogFile":
            name = aliases.get(job, job) + node.name[len(job) :]
            found |= {f"{kind}/{name}", f"{node_number(node.type)}/{name}"}
    return found
