"""Items on one or several workers: rows, failures, lost workers, going on after a kill."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from verglas.errors import DataError, InputError
from verglas.jobs.context import Context, Stopped, StopRequest
from verglas.jobs.each import ROWS, check_workers, each, pool_of, read_rows
from verglas.runtime.resources import Resources
from verglas.runtime.workers import Disconnected
from verglas.testing.items import Meeting, Square

KEYS = [f"movies/{n}.tiff" for n in range(6)]


def context_of(folder: Path, continuing: bool = False) -> Context:
    return Context(folder, folder, Resources(threads=2), continuing=continuing)


@pytest.mark.parametrize(("workers", "memory"), [("1", 0.0), ("1", 1.0), ("2", 0.0)])
def test_rows_in_order_and_failures_with_reasons(tmp_path: Path, workers: str, memory: float) -> None:
    found = each(context_of(tmp_path), KEYS, Square(tmp_path, bad=(2,)), workers, memory=memory)
    assert [one.key for one in found] == KEYS
    assert [one.row and one.row["square"] for one in found] == [0, 1, None, 9, 16, 25]
    assert "no such movie" in found[2].reason and "look" in found[2].reason
    assert set(read_rows(tmp_path / ROWS)) == set(KEYS)


def test_items_at_once_in_threads_of_this_process(tmp_path: Path) -> None:
    """Each waits for another one to be under way: one after the other, none would end."""
    found = each(context_of(tmp_path), KEYS, Meeting(threading.Barrier(2)), memory=1.0)
    assert [one.row and one.row["square"] for one in found] == [n**2 for n in range(6)]


def test_as_many_at_once_as_threads_items_and_memory_allow(tmp_path: Path) -> None:
    context = Context(tmp_path, tmp_path, Resources(threads=8, memory_gb=10))
    for items, gib, together, threads in ((100, 1.0, 8, 1), (100, 3.0, 3, 2), (2, 1.0, 2, 4), (100, 20.0, 1, 8), (100, 0.0, 1, 8)):
        pool = pool_of(context, "1", items, gib * 2**30)
        assert (pool.count, pool.together, pool.threads) == (1, together, threads)
    assert pool_of(context, "4", 100, 1.0).together == 1


def test_stops_with_items_under_way(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        each(Context(tmp_path, tmp_path, Resources(threads=2), stop=StopRequest(asked=True)), KEYS, Square(tmp_path, seconds=0.05), memory=1.0)
    assert len(read_rows(tmp_path / ROWS)) >= 1
    assert len(list(tmp_path.glob("mark*"))) < len(KEYS)
    found = each(context_of(tmp_path, continuing=True), KEYS, Square(tmp_path), memory=1.0)
    assert [one.row and one.row["square"] for one in found] == [n**2 for n in range(6)]


def test_a_lost_worker_loses_nothing(tmp_path: Path) -> None:
    found = each(context_of(tmp_path), KEYS, Square(tmp_path, deadly=(1,)), "2")
    assert [one.row and one.row["square"] for one in found] == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "mark1").read_text() == "xx"


def test_goes_on_where_it_was(tmp_path: Path) -> None:
    each(context_of(tmp_path), KEYS[:4], Square(tmp_path, bad=(3,)))
    with (tmp_path / ROWS).open("a") as file:
        file.write('{"key": "movies/4.tiff", "row": {"squ')  # cut by a kill
    found = each(context_of(tmp_path, continuing=True), KEYS, Square(tmp_path))
    assert [one.row and one.row["square"] for one in found] == [n**2 for n in range(6)]
    assert [(tmp_path / f"mark{n}").read_text() for n in range(6)] == ["x", "x", "x", "xx", "x", "x"]


def test_stops_between_two_items(tmp_path: Path) -> None:
    stop = StopRequest(asked=True)
    with pytest.raises(Stopped):
        each(Context(tmp_path, tmp_path, stop=stop), KEYS, Square(tmp_path))
    assert len(read_rows(tmp_path / ROWS)) == 1


def test_when_all_fail_the_job_does(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all 6 movies failed; the first: no such movie"):
        each(context_of(tmp_path), KEYS, Square(tmp_path, bad=tuple(range(6))), label="movies")


def test_killed_and_begun_again(tmp_path: Path) -> None:
    """kill -9 of the whole process: nothing is done twice but what was under way."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; from test_each import KEYS, Square, context_of\n"
        "from verglas.jobs.each import each; f = Path(sys.argv[1]); each(context_of(f), KEYS, Square(f, seconds=0.2))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)])
    while not (tmp_path / "mark2").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.kill()
    process.wait()
    found = each(context_of(tmp_path, continuing=True), KEYS, Square(tmp_path))
    assert [one.row and one.row["square"] for one in found] == [n**2 for n in range(6)]
    again = [n for n in range(6) if (tmp_path / f"mark{n}").read_text() != "x"]
    assert len(again) <= 1 and json.loads((tmp_path / ROWS).read_text().splitlines()[0])["key"] == KEYS[0]


def test_workers_of_a_scheduler_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    begin = (["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], ["worker", "--nthreads", "1", "--no-dashboard"])
    started = [subprocess.Popen([sys.executable, "-m", "dask", *one, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL) for one in begin]
    try:
        while not file.exists():
            time.sleep(0.05)
        found = each(context_of(tmp_path), KEYS, Square(tmp_path), str(file))
        assert [one.row and one.row["square"] for one in found] == [n**2 for n in range(6)]
    finally:
        for process in started:
            process.terminate()
            process.wait()


def test_workers_must_make_sense(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'four' is neither a number"):
        check_workers("four")


@pytest.mark.parametrize("asked", [False, True])
def test_a_scheduler_that_ends_in_the_middle(tmp_path: Path, asked: bool) -> None:
    """Without a wish to stop an error with a remedy; the queue of a cluster asks the job to stop and ends the scheduler at the same time."""
    file = tmp_path / "scheduler.json"
    begin = (["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], ["worker", "--nthreads", "1", "--no-dashboard"])
    started = [subprocess.Popen([sys.executable, "-m", "dask", *one, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL) for one in begin]
    stop = StopRequest()

    def end() -> None:
        while not (tmp_path / "mark1").exists():
            time.sleep(0.05)
        stop.asked = asked
        for process in started:
            process.terminate()

    ending = threading.Thread(target=end)
    ending.start()
    try:
        while not file.exists():
            time.sleep(0.05)
        with pytest.raises(Stopped if asked else Disconnected):
            each(Context(tmp_path, tmp_path, Resources(threads=2), stop=stop), KEYS, Square(tmp_path, seconds=0.5), str(file))
    finally:
        ending.join()
        for process in started:
            process.wait()
    assert len(read_rows(tmp_path / ROWS)) < 6
