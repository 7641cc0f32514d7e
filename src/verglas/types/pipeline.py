"""A project as RELION keeps it: jobs (processes), the files between them (nodes), and who reads and makes which."""

from dataclasses import dataclass
from typing import Literal

State = Literal["Scheduled", "Running", "Succeeded", "Failed", "Aborted"]


@dataclass(frozen=True)
class Process:
    """A job: `name` is its folder in the project ("Refine3D/job012"), `alias` a second name ("Refine3D/best") or "", `type` relion.refine3d."""

    name: str
    type: str
    state: State
    alias: str = ""

    @property
    def number(self) -> int:
        """12 of Refine3D/job012; 0 where the folder is called otherwise."""
        tail = self.name.rpartition("/job")[2]
        return int(tail) if tail.isdigit() else 0


@dataclass(frozen=True)
class Node:
    """A file that a job hands on: path in the project and RELION's label of its kind, such as DensityMap.mrc.relion.refine3d."""

    name: str
    type: str


@dataclass(frozen=True)
class Pipeline:
    """`counter` is the number of the next job; `inputs` holds (node, process) and `outputs` (process, node), by name."""

    counter: int = 1
    processes: tuple[Process, ...] = ()
    nodes: tuple[Node, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
