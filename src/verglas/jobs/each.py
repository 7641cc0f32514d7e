"""One item (a movie, a micrograph) at a time, on any number of workers: every result is kept as a row, a failure never ends the job.

Rows are lines of rows.jsonl in the job folder, {"key": ..., "row": {...}} or {"key": ..., "failed": reason}, written by this process alone as
items finish. A line that a kill cut short is passed over, so its item is done again; a row that is there is not.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verglas.errors import DataError, InputError
from verglas.jobs.context import Context
from verglas.jobs.journal import plain
from verglas.jobs.spec import option
from verglas.jobs.tell import Reporter
from verglas.runtime.resources import GIB, memory_budget
from verglas.runtime.workers import Disconnected, Pool, spread

ROWS = "rows.jsonl"
PAGES = 0.15
"""Of the time, for the report: a page about every 15 s."""
SHOWN = 5
"""Failures that are warned of one by one; the others are only listed."""


@dataclass(frozen=True)
class Outcome:
    """What came of an item: its row, or None and the reason."""

    key: str
    row: dict[str, object] | None
    reason: str = ""


def each(
    context: Context, keys: Sequence[str], work: Callable[[int], dict[str, object]], workers: str = "1", label: str = "micrographs",
    memory: float = 0.0
) -> list[Outcome]:
    """work(i) for every key, those that have a row in this folder excepted; in the order of `keys`.

    `work` writes its own files (atomically) and returns a row of numbers and texts. With more than one worker it must be picklable.
    `workers`: see `workers_option`. memory: bytes of one item, of work that may be done in several threads of this process at once.
    Raises Stopped between two items when asked to, with all finished rows on disk.
    """
    path = context.output / ROWS
    known = read_rows(path) if context.continuing else {}
    if not context.continuing:
        path.unlink(missing_ok=True)
    todo = [i for i, key in enumerate(keys) if key not in known or known[key].row is None]
    if known:
        context.log(f"{len(keys) - len(todo)} of {len(keys)} {label} are done already")
    context.event("items", total=len(keys), label=label)
    failed, done, reporter = 0, len(keys) - len(todo), Reporter(context, len(keys), PAGES)
    results = spread(pool_of(context, workers, len(todo), memory), work, todo)
    try:
        with path.open("a", encoding="utf-8") as file:
            if path.stat().st_size:
                file.write("\n")  # after a line that a kill may have cut
            for one in results:
                outcome = Outcome(keys[one.index], one.row, one.reason)
                known[outcome.key] = outcome
                file.write(json.dumps(_line(outcome), default=plain, ensure_ascii=False) + "\n")
                file.flush()
                done += 1
                context.progress.advance(done, len(keys), label)
                if context.reports:
                    reporter.show()
                if outcome.row is None:
                    failed += 1
                    if failed <= SHOWN:
                        context.warn(f"{outcome.key}: {outcome.reason}")
                context.stop_if_asked()
    except Disconnected:
        context.stop_if_asked()  # a queue that ends a job ends its scheduler too
        raise
    finally:
        results.close()
        reporter.wait()
    bad = [key for key in keys if known[key].row is None]
    if bad:
        context.log(f"{len(bad)} of {len(keys)} {label} failed; the reasons are in {ROWS}")
    if keys and len(bad) == len(keys):
        raise DataError(f"all {len(keys)} {label} failed; the first: {known[keys[0]].reason}", where=str(context.output),
                        remedy="mend what the reason says and run again")
    return [known[key] for key in keys]


def workers_option() -> Any:
    """The parameter `workers: str` of every job that goes through `each`."""
    return option("1", help="Processes of this machine that share the work (0: one for each core or GPU), or the workers of a dask scheduler "
                            "(tcp://host:port, or its --scheduler-file).", level="advanced")


def check_workers(workers: str) -> None:
    """For the door of a job."""
    if not (workers.isdigit() or "://" in workers or Path(workers).is_file()):
        raise InputError(f"{workers!r} is neither a number, nor an address like tcp://host:8786, nor a scheduler file that exists",
                         where="--workers", remedy="give the number of processes, 0 for one on each core")


def pool_of(context: Context, workers: str, items: int, memory: float = 0.0) -> Pool:
    """Of this machine: no more workers than there are items, each with its share of the threads and GPUs. Workers elsewhere keep theirs.

    A single worker does as many items at once as there are threads and as the memory budget holds, if an item is known to take `memory` bytes.
    """
    threads, gpus = context.resources.threads, _gpus(context.resources.device)
    if not workers.isdigit():
        return Pool(threads=threads, address=workers)
    count = max(1, min(int(workers) or len(gpus) or threads, items))
    if count > 1 or gpus or memory == 0:
        return Pool(count, max(1, threads // count), gpus)
    together = max(1, min(threads, items, int(memory_budget(context.resources) * GIB / memory)))
    return Pool(threads=max(1, threads // together), together=together)


def _gpus(device: str) -> tuple[int, ...]:
    """Numbers of the GPUs that may be used: all of them, or the one that was asked for."""
    if device == "cpu":
        return ()
    import torch

    _, _, number = device.partition(":")
    return (int(number),) if number else tuple(range(torch.cuda.device_count()))


def _line(outcome: Outcome) -> dict[str, object]:
    return {"key": outcome.key, "row": outcome.row} if outcome.row is not None else {"key": outcome.key, "failed": outcome.reason}


def read_rows(path: Path) -> dict[str, Outcome]:
    """The last row of every key; lines that were cut short are passed over."""
    found: dict[str, Outcome] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
            found[entry["key"]] = Outcome(entry["key"], entry.get("row"), entry.get("failed", ""))
        except (ValueError, KeyError, TypeError):
            continue
    return found
