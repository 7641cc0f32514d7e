"""One round of `verglas live`: new movies go through all stages, and what came of them is counted."""

import time
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import VerglasError
from verglas.io.micrographs_star import read_micrographs
from verglas.io.star import read_star
from verglas.jobs.context import Context
from verglas.jobs.import_files import MOVIES
from verglas.jobs.live import LiveParams
from verglas.jobs.live_chain import Chain, Stage
from verglas.jobs.live_classes import NAME, classify, due
from verglas.jobs.live_pages import Pages
from verglas.jobs.live_watch import Watcher, whole_movie


@dataclass(frozen=True)
class Counts:
    """Rows of the table of every stage after a round, and the seconds of each stage in it."""

    movies: int
    rows: dict[str, int]
    seconds: dict[str, float]

    def __str__(self) -> str:
        rows = ", ".join(f"{name} {count}" for name, count in self.rows.items())
        return f"{self.movies} new: {rows}; {sum(self.seconds.values()):.1f} s"


class Live:
    """The watched folder and the chain."""

    def __init__(self, params: LiveParams, context: Context, stages: tuple[Stage, ...]) -> None:
        self.params, self.context = params, context
        self.chain = Chain(context, stages)
        self.watcher = Watcher(str(context.project / params.movies), params.settle, whole_movie, MOVIES)
        self.watcher.taken |= self._imported()
        self.pages = Pages(context)

    def show(self) -> None:
        """Pages of this job and of its stages, when there is time; classifications write their own."""
        folders = [name for stage, name in self.chain.folders.items() if not stage.startswith(NAME)]
        self.pages.show([self.context.output, *(self.context.project / name for name in folders)])

    def new(self) -> tuple[list[str], int]:
        """(complete movies that have not been through a round, number of those still being written)."""
        return self.watcher.poll()

    def _imported(self) -> set[str]:
        """Movies of an earlier run of this job, as the pattern names them."""
        table = self.chain.path("import", "movies.star") if "import" in self.chain.folders else None
        if table is None or not table.exists():
            return set()
        known = {(self.context.project / name).resolve() for name in read_micrographs(table).name}
        return {name for name in self.watcher.names() if Path(name).resolve() in known}

    def round(self, movies: list[str]) -> Counts:
        """All stages once; without movies, what a kill left undone. A stage that fails as a whole leaves those after it for a later round."""
        rows, seconds = dict[str, int](), dict[str, float]()
        for stage in self.chain.stages:
            if stage.name == "import" and not movies:
                continue
            begun = time.monotonic()
            try:
                length = self._advance(stage, movies, rows)
            except VerglasError as error:
                if stage.name == "import":
                    raise
                self.context.warn(f"{stage.name}: {error}")
                break
            if length is None:
                break
            seconds[stage.name] = round(time.monotonic() - begun, 3)
            rows[stage.name] = length
            if stage.name == "import":
                self.watcher.taken |= set(movies)
        self.context.event("round", movies=len(movies), rows=rows, seconds=seconds)
        return Counts(len(movies), rows, seconds)

    def _advance(self, stage: Stage, movies: list[str], rows: dict[str, int]) -> int | None:
        """Rows of the stage's table after its part of this round (of class2d: its particles), None when there was nothing to do."""
        if stage.name == NAME:
            count = due(self.chain, rows.get("extract", 0), self.params.class2d_every)
            return count if count and classify(self.chain, stage, count) else None
        table = self.chain.advance(stage, **({"movies": tuple(movies)} if stage.name == "import" else {}))
        return None if table is None else _length(table)

    def close(self) -> None:
        self.context.log("no movie has come for the time given by --idle: finished")


def _length(table: Path) -> int:
    """Rows of the largest table of a STAR file, 0 for none."""
    return max((len(one) for name, one in read_star(table).items() if name != "optics"), default=0) if table.is_file() else 0
