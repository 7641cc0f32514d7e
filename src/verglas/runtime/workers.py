"""A pool of workers for independent items: this process, processes of this machine, or the workers of a dask scheduler elsewhere."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from verglas.errors import InputError, VerglasError
from verglas.runtime.resources import keep_memory, one_heap, torch_threads

Work = Callable[[int], dict[str, object]]
RETRIES = 2
"""Times that an item is tried again when the worker that had it was lost (a crash of an item is a result, not a loss)."""

AHEAD = 2
"""Items given to the scheduler for each worker: one at work, one ready."""

PATIENCE = 15
"""Seconds in which a scheduler must answer, at first and when the connection was lost; a queue that ends a job gives it 30 in all."""

SETTINGS = {
    "distributed.scheduler.allowed-failures": RETRIES, "distributed.scheduler.worker-saturation": 1.0, "distributed.admin.tick.limit": "1h",
    **{f"distributed.worker.memory.{level}": False for level in ("target", "spill", "pause", "terminate")},
}
"""Of dask: a lost worker's item is given to another one, items wait at the scheduler, and memory is left to the jobs."""


class Disconnected(VerglasError):
    """The scheduler has ended before the items."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the scheduler of the workers cannot be reached any more ({type(error).__name__})",
                         remedy="see its log; when it and its workers run again, go on with --continue")


@dataclass(frozen=True)
class Done:
    """Item `index` and what came of it: a row, or the reason why there is none."""

    index: int
    row: dict[str, object] | None
    reason: str = ""


@dataclass(frozen=True)
class Pool:
    """`count` processes of this machine, each with a GPU of its own if there are any; or the workers of the scheduler at `address`
    (tcp://host:port, or the file that `dask scheduler --scheduler-file` writes). A worker does one item at a time with `threads` threads;
    this process, if it is the only one, `together` of them, each in a thread of its own, in which torch has
    one thread and compiled loops have `threads`."""

    count: int = 1
    threads: int = 1
    gpus: tuple[int, ...] = ()
    address: str = ""
    together: int = 1


def attempt(work: Work, index: int) -> Done:
    """One item; an error becomes its reason, so that the others go on."""
    try:
        return Done(index, work(index))
    except MemoryError:
        return Done(index, None, "out of memory: give fewer --workers or --threads")
    except Exception as error:
        return Done(index, None, str(error) if isinstance(error, VerglasError) else f"{type(error).__name__}: {error}")


def spread(pool: Pool, work: Work, items: list[int]) -> Generator[Done, None, None]:
    """The items in the order in which they finish. Closing the iterator drops what has not begun."""
    if pool.together > 1:
        yield from _together(pool, work, items)
        return
    if pool.count <= 1 and not pool.address:
        for index in items:
            yield attempt(work, index)
        return
    with _client(pool) as client:
        from distributed import CancelledError, as_completed

        waiting, numbers = iter(items), dict[str, int]()
        running = as_completed()

        def begin(many: int) -> None:
            for index in islice(waiting, max(0, many)):
                future = client.submit(_attempt, work, pool.threads, index, pure=False)
                numbers[future.key] = index
                running.add(future)

        try:
            begin(AHEAD * max(1, len(client.nthreads())))
            for future in running:
                begin(AHEAD * max(1, len(client.nthreads())) - running.count())
                error, index = future.exception(), numbers.pop(future.key)
                if isinstance(error, CancelledError):
                    raise Disconnected(error)
                yield future.result() if error is None else Done(index, None, f"its worker was lost {RETRIES + 1} times ({error})")
        except (OSError, CancelledError) as error:
            raise Disconnected(error) from error


def _together(pool: Pool, work: Work, items: list[int]) -> Generator[Done, None, None]:
    """Several items at once in threads of this process; those that are under way when the iterator is closed are finished, their rows lost."""
    one_heap()
    with torch_threads(1), ThreadPoolExecutor(pool.together, "item", _numba_threads, (pool.threads,)) as threads:
        waiting, running = iter(items), set[Future[Done]]()
        while True:
            running |= {threads.submit(attempt, work, index) for index in islice(waiting, pool.together - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


def _attempt(work: Work, threads: int, index: int) -> Done:
    _prepare(threads)
    return attempt(work, index)


def _prepare(threads: int) -> None:
    """A worker as `resources.apply` makes the process of a job."""
    import torch

    keep_memory()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    _numba_threads(threads)


def _numba_threads(threads: int) -> None:
    """Of the calling thread."""
    import numba

    numba.set_num_threads(min(threads, int(numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]


@contextmanager
def _client(pool: Pool) -> Iterator[Any]:
    """Connected to the workers of the pool."""
    with serving(pool) as address:
        from distributed import Client

        where = {"address": address} if "://" in address else {"scheduler_file": address}
        with Client(**where, timeout=PATIENCE) as client:
            yield client


@contextmanager
def serving(pool: Pool) -> Iterator[str]:
    """The address of the pool's scheduler: one that runs already, or a new one here whose workers end with the block."""
    try:
        import dask
        from distributed import Nanny, Scheduler, SpecCluster
    except ImportError as error:
        raise InputError("several workers need the package distributed", remedy="pip install distributed") from error
    dask.config.set(SETTINGS)
    if pool.address:
        yield pool.address
        return
    quiet = {"dashboard": False, "dashboard_address": None}
    workers = {
        n: {"cls": Nanny, "options": {"nthreads": 1, "memory_limit": 0, "env": _environment(pool, n), "silence_logs": 50, **quiet}}
        for n in range(pool.count)
    }
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", **quiet}}
    with SpecCluster(workers, scheduler, silence_logs=50) as cluster:
        yield str(cluster.scheduler_address)


def _environment(pool: Pool, worker: int) -> dict[str, str]:
    one = {name: str(pool.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    if pool.gpus:
        one["CUDA_VISIBLE_DEVICES"] = str(pool.gpus[worker % len(pool.gpus)])
    return one
