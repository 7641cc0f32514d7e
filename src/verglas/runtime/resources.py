"""What a job may use: device, threads, seed, memory. Choosing is here; nothing else looks at the machine."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verglas.errors import InputError
from verglas.runtime.group import ALONE, Group

GIB = 1024.0**3


@dataclass(frozen=True)
class Resources:
    """`device` cpu or cuda:i (chosen, never auto); `threads` >= 1; `memory_gb` GiB to use at most (None: all free)."""

    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    deterministic: bool = False
    memory_gb: float | None = None


def choose_resources(
    device: str = "auto", threads: int = 0, seed: int = 0, deterministic: bool = False, memory_gb: float | None = None, group: Group = ALONE
) -> Resources:
    """What fits a wish on this machine: `auto` takes a GPU when there is one, 0 threads means all usable cores.

    The processes of a group on one machine take a GPU each and divide its cores.
    """
    threads = threads if threads > 0 else max(1, usable_cores() // group.local_size)
    return Resources(choose_device(device, group), threads, seed, deterministic, memory_gb)


def choose_device(wish: str, group: Group = ALONE) -> str:
    """auto | cpu | cuda | cuda:i -> cpu or cuda:i that exists here. torch is loaded only when a GPU is possible."""
    kind, _, index = wish.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and (kind != "cuda" or not index.isdigit())):
        raise InputError(f"unknown device {wish!r}", where="--device", remedy="use auto, cpu, cuda or cuda:1")
    if kind == "cpu" or (kind == "auto" and not Path("/dev/nvidiactl").exists() and not Path("/dev/kfd").exists()):
        return "cpu"
    count = _gpu_count()
    if kind == "auto":
        return f"cuda:{group.local_rank}" if count >= group.local_size else "cpu"
    if index and group.local_size > 1:
        raise InputError(f"device {wish!r} for {group.local_size} processes", where="--device", remedy="use --device cuda: each takes one GPU")
    number = int(index) if index else group.local_rank
    if number >= count:
        raise InputError(
            f"device {wish!r} is not usable: torch sees {count} GPU(s)", where="--device",
            remedy="use --device cpu, another index, fewer processes, or install a torch build with GPU support",
        )
    return f"cuda:{number}"


def _gpu_count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def usable_cores() -> int:
    """Cores this process may run on (affinity and container quota respected)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, _, period = quota.read_text().strip().partition(" ")
        if limit.isdigit() and period.isdigit():
            cores = min(cores, max(1, round(int(limit) / int(period))))
    return max(1, cores)


def free_memory() -> float:
    """GiB that can still be allocated on the host: the smaller of the machine's and the container's."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip().isdigit():
        cache = _cgroup_file_cache()
        free = min(free, float(int(limit.read_text()) - int(used.read_text()) + cache))
    return free / GIB


def _cgroup_file_cache() -> int:
    stat = Path("/sys/fs/cgroup/memory.stat")
    if not stat.exists():
        return 0
    rows = dict(line.split() for line in stat.read_text().splitlines())
    return int(rows.get("inactive_file", 0))


def memory_budget(resources: Resources) -> float:
    """GiB a job may plan with: the user's limit, else 80 % of what is free on the host."""
    return resources.memory_gb if resources.memory_gb is not None else 0.8 * free_memory()


def apply(resources: Resources) -> None:
    """Hand threads and determinism to torch and numba. Nothing is seeded here: methods take a random generator."""
    import torch

    torch.set_num_threads(resources.threads)
    keep_memory()
    if "numba" in sys.modules:
        import numba

        numba.set_num_threads(min(resources.threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    else:
        os.environ["NUMBA_NUM_THREADS"] = str(resources.threads)  # read when numba is imported, which takes 0.4 s
    if torch.are_deterministic_algorithms_enabled() != resources.deterministic:  # setting it loads torch's compiler, 2 s
        torch.use_deterministic_algorithms(resources.deterministic)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within: torch works on so many threads. For many short operations, which several threads would only wait for one another in."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def hardware(resources: Resources) -> dict[str, object]:
    """What the job ran on, for job.json: cpu model, cores, memory (GiB), gpu name or empty."""
    import psutil

    return {
        "cpu": _cpu_model(), "cores": usable_cores(), "memory_gb": round(psutil.virtual_memory().total / GIB, 1),
        "gpu": _gpu_name(resources.device), "host": platform.node(), "system": platform.platform(),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_name(device: str) -> str:
    if not device.startswith("cuda"):
        return ""
    import torch

    return torch.cuda.get_device_name(device)


def keep_memory() -> None:
    """Let the C library reuse freed blocks instead of returning each to the system: new pages cost as much as the work done in them.

    Blocks from LARGE bytes on (the volumes of a large box) are returned at once; `release_memory` returns the rest.
    """
    library = _glibc()
    if library is not None:
        mmap_threshold, trim_threshold = -3, -1
        library.mallopt(mmap_threshold, LARGE)
        library.mallopt(trim_threshold, (1 << 31) - 1)


LARGE = 128 << 20
"""Bytes."""


def one_heap() -> None:
    """Before threads that work on items of their own: the heap of a thread keeps no block of more than 64 MB, the one of the process does."""
    library = _glibc()
    if library is not None:
        arena_max = -8
        library.mallopt(arena_max, 1)


def release_memory(needed: float) -> None:
    """Return freed blocks to the system if `needed` bytes are a large block, which finds no room among the small holes."""
    library = _glibc()
    if library is not None and needed >= LARGE:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" and platform.libc_ver()[0] == "glibc" else None
