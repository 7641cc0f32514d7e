"""Classification in 2D within `verglas live`: begun anew whenever there are enough more particles, each time on a copy of their table."""

import shutil
from pathlib import Path

from verglas.io.atomic import atomic_path
from verglas.jobs.folder import JOB_FILE, MARKERS
from verglas.jobs.live_chain import Chain, Stage

NAME = "class2d"


def classified(chain: Chain) -> int:
    """Particles of the largest classification that was begun (0: none was); folders.json knows each as `class2d COUNT`."""
    begun = [key.split() for key in chain.folders if chain.path(key, JOB_FILE).exists()]
    return max((int(words[1]) for words in begun if words[0] == NAME), default=0)


def due(chain: Chain, particles: int, every: int) -> int:
    """Of how many particles a classification is to be made now, 0: none. One that was killed or stopped in the middle goes on first."""
    last = classified(chain)
    if last and not any((chain.path(f"{NAME} {last}", MARKERS[end])).exists() for end in ("SUCCESS", "FAILURE")):
        return last
    return particles if particles >= last + every else 0


def classify(chain: Chain, stage: Stage, count: int) -> Path | None:
    """The job `class2d COUNT`, new or continued. The table it reads is a copy, because that of extract grows meanwhile."""
    table, key = chain.context.output / f"particles_{count:06d}.star", f"{NAME} {count}"
    if key not in chain.folders:
        ((source, name),) = stage.inputs.values()
        with atomic_path(table) as path:
            shutil.copyfile(chain.path(source, name), path)
    return chain.advance(Stage(key, stage.job, stage.params | {"particles": table}, {}, stage.result))
