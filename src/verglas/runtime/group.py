"""Processes that share the work of one job: torchrun starts them, each takes its particles, and their sums are added."""

import io
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from verglas.errors import VerglasError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(hours=6)
"""One process waits this long for another before it gives up."""
BUNDLE = 16 << 20
"""Bytes of small arrays that are added in one go."""


class Elsewhere(VerglasError):
    """Another process of this job has ended early, and says why itself."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("another process of this job has ended", remedy="its message says why")


class Agreed(VerglasError):
    """A problem that all processes know of."""

    def __init__(self, problem: VerglasError) -> None:
        super().__init__(problem.found, where=problem.where, remedy=problem.remedy)
        self.exit_code = problem.exit_code


@dataclass(frozen=True)
class Group:
    """Process `rank` of `size`, `local_rank` of the `local_size` on this machine. A group of one has nothing to do.

    All processes call the methods that communicate in the same order.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def sum_(self, *arrays: "np.ndarray | Tensor") -> None:
        """Each array becomes its sum over all processes, in place."""
        if self.size > 1:
            for some in _bundles([_flat(one) for one in arrays]):
                _all_reduce(some)

    def tell(self, value: T) -> T:
        """The value that the leader has."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        box = [value]
        _together(lambda: dist.broadcast_object_list(box, 0))
        return box[0]

    def collect(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        _together(lambda: dist.all_gather_object(found, value))
        return found

    def divide(self, count: int, make: Callable[[int], T]) -> list[T]:
        """make(0) .. make(count - 1), each made by one process and given to all."""
        if self.size == 1 or count == 1:
            return [make(i) for i in range(count)]
        import torch.distributed as dist

        mine = _packed([make(i) for i in range(self.rank, count, self.size)])
        boxes = [[mine] for _ in range(min(self.size, count))]
        for owner, box in enumerate(boxes):
            _together(partial(dist.broadcast_object_list, box, owner))
        parts = [pickle.loads(box[0]) for box in boxes]
        return [parts[i % self.size][i // self.size] for i in range(count)]

    def any(self, flag: bool) -> bool:
        """Whether it is true for any process."""
        return any(self.collect(flag))

    def agree(self, problem: VerglasError | None) -> None:
        """Raise in all processes when one has a problem."""
        found = [one for one in self.collect(problem) if one is not None]
        if found:
            raise found[0] if self.size == 1 else Agreed(found[0])

    def wait(self) -> None:
        """Until all processes have come here."""
        self.collect(None)


ALONE = Group()


def started() -> Group:
    """What torchrun says of this process; without it a group of one."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    rank, size, local_rank, local_size = (int(os.environ.get(name, default)) for name, default in zip(names, (0, 1, 0, 1)))
    return Group(rank, size, local_rank, local_size) if size > 1 else ALONE


@contextmanager
def joined(group: Group, device: str) -> Iterator[None]:
    """The processes of the group can communicate within: by Gloo, arrays on a GPU by NCCL."""
    if group.size == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    _together(lambda: dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE))
    yield
    dist.destroy_process_group()  # not after an error: others may never come to it


def _together(communicate: Callable[[], Any]) -> None:
    """A lost connection is the sign of a process that has ended."""
    try:
        communicate()
    except RuntimeError as error:
        raise Elsewhere from error


class _Pickler(pickle.Pickler):
    """Tensors travel as arrays: pickling them as they are takes two to six times as long."""

    def reducer_override(self, value: Any) -> Any:
        import torch

        return (torch.from_numpy, (value.numpy(force=True),)) if isinstance(value, torch.Tensor) else NotImplemented


def _packed(value: object) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, pickle.HIGHEST_PROTOCOL).dump(value)
    return stream.getvalue()


def _flat(array: "np.ndarray | Tensor") -> "Tensor":
    """A view as one row of real numbers."""
    import torch

    tensor = torch.as_tensor(array)
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).view(-1)


def _bundles(rows: "list[Tensor]") -> "Iterator[list[Tensor]]":
    """Neighbours of one type, together no more than BUNDLE bytes (or one row)."""
    some: list[Tensor] = []
    for row in rows:
        if some and (row.dtype != some[0].dtype or sum(one.nbytes for one in some) + row.nbytes > BUNDLE):
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def _all_reduce(rows: "list[Tensor]") -> None:
    import torch
    import torch.distributed as dist

    whole = rows[0] if len(rows) == 1 else torch.cat(rows)
    _together(lambda: dist.all_reduce(whole))
    if len(rows) > 1:
        for row, part in zip(rows, whole.split([len(one) for one in rows])):
            row.copy_(part)
