"""When `verglas live` begins a round, and classifies: batches as in Scipion, and classifications that survive a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verglas.jobs import live_classes
from verglas.jobs.context import Context
from verglas.jobs.folder import JOB_FILE, MARKERS
from verglas.jobs.live import LiveParams, follow
from verglas.jobs.live_chain import FOLDERS, Chain, Stage
from verglas.runtime.resources import Resources
from verglas.testing.particle_sets import blobs, write_set

CLASSES = Stage("class2d", "class2d", {"classes": 3, "iterations": 40}, {"particles": ("extract", "particles.star")}, MARKERS["SUCCESS"])


class Camera:
    """Stands for Live: two movies are there when it begins, then one more each time it is looked at, seven in all."""

    def __init__(self) -> None:
        self.made, self.waiting, self.rounds = 1, list[str](), list[list[str]]()

    def new(self) -> tuple[list[str], int]:
        self.made = min(self.made + 1, 7)
        done = sum(map(len, self.rounds))
        return [f"m{i}" for i in range(done, self.made)], 0

    def round(self, movies: list[str]) -> str:
        self.rounds.append(movies)
        return f"{len(movies)} movies"

    def show(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("batch", "sizes"), [(1, [2, 1, 1, 1, 1, 1]), (2, [2, 2, 2, 1]), (3, [3, 3, 1]), (5, [5, 2]), (0, [7])])
def test_batches(batch: int, sizes: list[int], tmp_path: Path) -> None:
    """1: as they come; N: whole batches, what is left at the end; 0: all at the end. No movie twice, none lost."""
    camera = Camera()
    params = LiveParams(movies="*", pixel_size=1.0, dose=1.0, pick="none", batch=batch, settle=0.0, idle=0.005)
    follow(camera, params, Context(tmp_path, tmp_path))  # type: ignore[arg-type]
    assert [len(one) for one in camera.rounds] == sizes
    assert [name for one in camera.rounds for name in one] == [f"m{i}" for i in range(7)]


def chain_of(project: Path) -> Chain:
    """A chain that has extracted the particles of `project`."""
    output = project / "Live/job001"
    output.mkdir(parents=True, exist_ok=True)
    if not (output / FOLDERS).exists():
        (output / FOLDERS).write_text(json.dumps({"extract": "Extract/job002"}))
    return Chain(Context(output, project, Resources(threads=1)), ())


def test_when_a_classification_is_due(tmp_path: Path) -> None:
    chain = chain_of(tmp_path)
    assert [live_classes.due(chain, count, 100) for count in (0, 99, 100, 250)] == [0, 0, 100, 250]
    folder = tmp_path / "Class2D/job003"
    folder.mkdir(parents=True)
    chain.folders["class2d 250"] = "Class2D/job003"
    assert live_classes.due(chain, 260, 100) == 260, "that one was not begun"
    (folder / JOB_FILE).write_text("{}")
    assert live_classes.due(chain, 500, 100) == 250, "killed in the middle: it goes on first"
    (folder / MARKERS["ABORTED"]).touch()
    assert live_classes.due(chain, 500, 100) == 250, "stopped: it goes on"
    (folder / MARKERS["ABORTED"]).unlink()
    for end in ("SUCCESS", "FAILURE"):
        (folder / MARKERS[end]).touch()  # type: ignore[index]
        assert [live_classes.due(chain, count, 100) for count in (250, 349, 350)] == [0, 0, 350]
        (folder / MARKERS[end]).unlink()  # type: ignore[index]


@pytest.mark.slow
def test_a_classification_that_was_killed_goes_on_with_its_own_particles(tmp_path: Path) -> None:
    (tmp_path / "Extract/job002").mkdir(parents=True)
    made = write_set(tmp_path, blobs(), 200)
    table = tmp_path / "Extract/job002/particles.star"
    table.write_bytes(made.star.read_bytes())
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_live_rounds as t; "
            "t.live_classes.classify(t.chain_of(Path(sys.argv[2])), t.CLASSES, 200)")
    process = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)], cwd=tmp_path)
    while not list(tmp_path.glob("Class2D/job*/run_it00[3-9]_state.npz")):
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    write_set(tmp_path, blobs(), 300, seed=2)  # more particles have come meanwhile
    table.write_bytes((tmp_path / "particles.star").read_bytes())
    write_set(tmp_path, blobs(), 200)
    chain = chain_of(tmp_path)
    count = live_classes.due(chain, 300, 100)
    assert count == 200
    assert live_classes.classify(chain, CLASSES, count) is not None
    (folder,) = tmp_path.glob("Class2D/job*")
    said = (folder / "run.out").read_text()
    assert "going on after iteration" in said and (folder / "run_it040_classes.mrcs").exists()
    assert live_classes.due(chain, 300, 100) == 300 and live_classes.due(chain, 299, 100) == 0
