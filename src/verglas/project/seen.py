"""What earlier looks at a project found, for those who look every second.

Nobody has to tell it of changes: each part counts only while its file or folder is as it was. Making, removing and renaming files changes the time
of their folder, so an exit marker, a request or a new job.json is noticed by one question to the disk for each job.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from verglas.io.pipeline_star import read_pipeline
from verglas.jobs.folder import PIPELINE
from verglas.types.pipeline import Pipeline, Process

YOUNG = 2_000_000_000
"""Nanoseconds: what changed so lately may change again without another time."""

Stamp = tuple[int, int, int]
"""Time, length and number on the disk."""


class Settled(NamedTuple):
    """A job that had ended, and told nothing that the pipeline did not hold; `hands_on`: whether files of it are in the pipeline."""

    stamp: Stamp
    process: Process
    hands_on: bool


@dataclass
class Seen:
    """Of one project. Several threads may use it."""

    pipeline: tuple[Stamp, Pipeline] | None = None
    jobs: dict[str, Settled] = field(default_factory=dict)

    def read(self, root: Path) -> Pipeline:
        """default_pipeline.star."""
        stamp, kept = stamp_of(root / PIPELINE), self.pipeline
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = read_pipeline(root / PIPELINE)
        if stamp is not None and is_old(stamp):
            self.pipeline = (stamp, found)
        return found


def stamp_of(path: "Path | str") -> Stamp | None:
    """None where it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116  making ten thousand Paths takes longer than asking
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def is_old(stamp: Stamp) -> bool:
    """Whether every change from now on shows in the stamp."""
    return time.time_ns() - stamp[0] > YOUNG
