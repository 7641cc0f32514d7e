"""A GPU that is not there: tensors that say they are on cuda:0, compute on the CPU, and refuse what a GPU would refuse.

Inside `pretended()` a tensor made with, or moved to, cuda:0 is a `Pretended`. One operation on tensors of both kinds (other than scalars) and
`numpy()` without `force` are errors. Kernels are the plain torch definitions, which are thereby tested too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from verglas import kernels
from verglas.kernels import reference

THERE = torch.device("cuda:0")
LAZY = ("aten::_conj", "aten::_neg_view")
CROSSINGS = ("aten::copy_", "aten::_to_copy")


class Pretended(torch.Tensor):
    """`inner` holds the values. For torch itself it is on the device 'meta', which it never tries to reach."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Pretended":
        new = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype, device="meta"
        )
        new.inner = inner
        return new

    device = property(lambda self: THERE)
    is_cuda = property(lambda self: True)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        if not force:
            raise TypeError("numpy() of a tensor on the GPU")
        return self.inner.numpy(force=True)

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _run(op, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return _run(op, args, kwargs or {})


def _run(op: Any, args: tuple, kwargs: dict) -> Any:
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    there = [isinstance(t, Pretended) for t in tensors]
    if any(there) and op.name() not in CROSSINGS and any(t.dim() and not p for t, p in zip(tensors, there)):
        raise RuntimeError(f"{op.name()} of tensors on two devices")
    wanted = kwargs.get("device")
    on = any(there) if wanted is None else torch.device(wanted).type != "cpu"
    out = op(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if op.name() in LAZY and on:  # a view with a flag, which the outside would not know of
        out = out.resolve_conj().resolve_neg()
    if args and isinstance(args[0], torch.Tensor) and out is _inner(args[0]):  # in place
        return args[0]
    return tree_map(lambda x: Pretended(x) if on and isinstance(x, torch.Tensor) else x, out)


def _inner(x: Any) -> Any:
    if isinstance(x, torch.device):
        return torch.device("cpu")
    return x.inner if isinstance(x, Pretended) else x


def _made(maker: Callable[..., torch.Tensor], *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
    made = maker(*args, **kwargs)
    return made if device is None else made.to(device)


@contextmanager
def pretended(monkeypatch: pytest.MonkeyPatch, device_kernels: Callable[[], Any] = lambda: reference) -> Iterator[str]:
    """The name of the pretended GPU."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(kernels, "_on_gpu", device_kernels)
        for maker in (torch.tensor, torch.as_tensor):  # they copy to the device out of a mode's sight
            patch.setattr(torch, maker.__name__, partial(_made, maker))
        with _Mode():
            yield str(THERE)
