"""The exact state of a refinement on disk: everything the next iteration depends on, to the last bit."""

from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints
from zipfile import BadZipFile

import numpy as np

from verglas.errors import DataError
from verglas.io.atomic import atomic_path
from verglas.jobs.refine3d_files import root_name
from verglas.runtime.blocks import Budget

if TYPE_CHECKING:
    from verglas.methods.refine.state import State

KEPT = 2
"""Newest states that stay on disk: the last one may belong to an iteration whose tables are not complete."""


@dataclass(frozen=True)
class Checkpoint:
    """`half` (N,) of every particle; `memory`: the blocks that sums were taken in."""

    state: "State"
    half: np.ndarray
    memory: Budget


def state_path(folder: Path, iteration: int) -> Path:
    return folder / f"{root_name(iteration)}_state.npz"


def save(folder: Path, checkpoint: Any) -> None:
    """run_itNNN_state.npz, atomically; `checkpoint`: nested frozen types with a `state`."""
    with atomic_path(state_path(folder, checkpoint.state.iteration)) as path, path.open("wb") as handle:
        np.savez(handle, **flatten(checkpoint))  # type: ignore[arg-type]


def forget(folder: Path, iteration: int) -> None:
    """Remove states that are older than the newest ones up to `iteration`."""
    for path in folder.glob("run_it[0-9][0-9][0-9]_state.npz"):
        if int(path.name[6:9]) <= iteration - KEPT:
            path.unlink(missing_ok=True)


def newest(folder: Path) -> int | None:
    """The last iteration with a state and a complete set of tables (the optimiser is written last); None: there is none."""
    numbers = sorted(int(path.name[6:9]) for path in folder.glob("run_it[0-9][0-9][0-9]_state.npz"))
    complete = [n for n in numbers if (folder / f"{root_name(n)}_optimiser.star").exists()]
    return complete[-1] if complete else None


def load(folder: Path, iteration: int) -> Checkpoint:
    """The checkpoint after `iteration`."""
    one: Checkpoint = load_as(Checkpoint, folder, iteration)
    return one


def load_as(kind: Any, folder: Path, iteration: int) -> Any:
    """What was saved after `iteration`, a frozen type `kind`."""
    path = state_path(folder, iteration)
    try:
        with np.load(path, allow_pickle=False) as columns:
            return rebuild(kind, dict(columns), "")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(
            f"is not a state of this version: {error}", where=str(path),
            remedy="remove the file; the refinement then goes on from the iteration before, or from RELION's files",
        ) from error


def clean(folder: Path) -> None:
    """Take away what a killed process left half written."""
    for path in folder.glob(".run*.part-*"):
        with suppress(OSError):
            path.unlink()


def flatten(value: Any, name: str = "") -> dict[str, np.ndarray]:
    """Nested frozen types as arrays by dotted name; what is None is left out."""
    if value is None:
        return {}
    if is_dataclass(value):
        parts = [(one.name, getattr(value, one.name)) for one in fields(value)]
    elif isinstance(value, tuple):
        parts = [(str(i), one) for i, one in enumerate(value)]
    else:
        return {name: np.asarray(value)}
    prefix = f"{name}." if name else ""
    return {key: array for part, one in parts for key, array in flatten(one, f"{prefix}{part}").items()}


def rebuild(kind: Any, columns: dict[str, np.ndarray], name: str) -> Any:
    """The inverse of `flatten` for a value of type `kind`."""
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not NoneType)
        if not any(key == name or key.startswith(f"{name}.") for key in columns):
            return None
    prefix = f"{name}." if name else ""
    if is_dataclass(kind):
        hints = get_type_hints(kind, localns=_names())
        return kind(**{one.name: rebuild(hints[one.name], columns, f"{prefix}{one.name}") for one in fields(kind)})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        return tuple(rebuild(one, columns, f"{prefix}{i}") for i, one in enumerate(get_args(kind)))
    return columns[name] if kind is np.ndarray else kind(columns[name].item())


def _names() -> dict[str, Any]:
    from verglas.methods.classify.state import ClassState
    from verglas.methods.refine.state import State

    return {"State": State, "ClassState": ClassState}
