"""One round of `verglas live`: new movies go through all stages, and what came of them is counted."""

import time
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import VerglasError
from verglas.io.micrographs_star import read_micrographs
from verglas.io.star import read_star
from verglas.jobs.context import Context
from verglas.jobs.live import LiveParams
from verglas.jobs.live_chain import Chain, Stage
from verglas.jobs.live_pages import Pages
from verglas.jobs.live_watch import Watcher


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
        from verglas.io.movies import open_frames

        self.params, self.context = params, context
        self.chain = Chain(context, stages)
        self.watcher = Watcher(str(context.project / params.movies), params.settle, open_frames)
        self.classified = 0
        self.taken = self._imported()
        self.pages = Pages(context)

    def show(self) -> None:
        """Pages of this job and of its stages, when there is time."""
        self.pages.show([self.context.output, *(self.context.project / name for name in self.chain.folders.values())])

    def new(self) -> tuple[list[str], int]:
        """(complete movies that have not been through a round, number of those still being written)."""
        ready, waiting = self.watcher.poll()
        return [name for name in ready if str(Path(name).resolve()) not in self.taken], waiting

    def _imported(self) -> set[str]:
        if "import" not in self.chain.folders:
            return set()
        table = self.chain.path("import", "movies.star")
        if not table.exists():
            return set()
        names = read_micrographs(table).name
        return {str((self.context.project / name).resolve()) for name in names}

    def round(self, movies: list[str]) -> Counts:
        """All stages once; without movies, what a kill left undone. A stage that fails as a whole leaves those after it for a later round."""
        rows, seconds = dict[str, int](), dict[str, float]()
        for stage in self.chain.stages:
            if (stage.name == "import" and not movies) or (stage.whole and not self._due(rows.get("extract", 0))):
                continue
            begun = time.monotonic()
            try:
                table = self.chain.advance(stage, **({"movies": tuple(movies)} if stage.name == "import" else {}))
            except VerglasError as error:
                if stage.name == "import":
                    raise
                self.context.warn(f"{stage.name}: {error}")
                break
            seconds[stage.name] = round(time.monotonic() - begun, 3)
            if table is None:
                break
            rows[stage.name] = _length(table)
            if stage.name == "import":
                self.taken |= {str(Path(name).resolve()) for name in movies}
        self.context.event("round", movies=len(movies), rows=rows, seconds=seconds)
        return Counts(len(movies), rows, seconds)

    def _due(self, particles: int) -> bool:
        if particles < self.classified + self.params.class2d_every:
            return False
        self.classified = particles
        return True

    def close(self) -> None:
        self.context.log("no movie has come for the time given by --idle: finished")


def _length(table: Path) -> int:
    """Rows of the largest table of a STAR file, 0 for none."""
    return max((len(one) for name, one in read_star(table).items() if name != "optics"), default=0) if table.is_file() else 0
