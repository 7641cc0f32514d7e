"""Files that import takes over: found by patterns, named relative to the project, linked where they lie elsewhere; never copied."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from verglas.errors import InputError
from verglas.jobs.folder import named_in
from verglas.jobs.spec import Context

Patterns = Annotated[tuple[str, ...], BeforeValidator(lambda value: (str(value),) if isinstance(value, str | Path) else tuple(map(str, value)))]
"""Files, or patterns of them with * ? [] and ** for all folders below."""
MOVIES = (".mrc", ".mrcs", ".tif", ".tiff", ".eer", ".ecc", ".bz2", ".xz", ".zst")
MICROGRAPHS = (".mrc",)


def found(patterns: Iterable[str], project: Path, flag: str, endings: tuple[str, ...] = ()) -> list[tuple[Path, Path]]:
    """(file, fixed folder of its pattern) in natural order, each file once; relative patterns start in the project."""
    files: dict[str, str] = {}
    for pattern in patterns:
        fixed = os.path.normpath(project / _fixed(pattern))
        matches = [pattern] if (project / pattern).is_file() else _matches(pattern, project)
        matches = [one for one in matches if not endings or one.lower().endswith(endings)]
        if not matches:
            kinds = f" of the kinds {' '.join(endings)}" if endings else ""
            raise InputError(f"no file{kinds} matches {pattern}", where=f"{flag}, in {project.resolve()}",
                             remedy="correct the pattern; put it in quotes")
        for one in matches:
            files.setdefault(os.path.normpath(os.path.join(project, one)), fixed)  # noqa: PTH118 (a Path for each of many is slow)
    return [(Path(name), Path(files[name])) for name in sorted(files, key=natural) if not os.path.isdir(name)]  # noqa: PTH112


def require_file(path: Path | None, flag: str) -> None:
    """Raise where an option names a file that is not there."""
    if path is not None and not path.is_file():
        raise InputError("no such file" if not path.is_dir() else "a folder, expected a file", where=f"{flag} {path}", remedy="correct the path")


def _matches(pattern: str, project: Path) -> list[str]:
    return glob.glob(pattern, root_dir=project, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns


def _fixed(pattern: str) -> Path:
    """The folders of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    wild = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[: min(wild, len(parts) - 1)])


def natural(name: str) -> list[tuple[int, str | int]]:
    """Sort key: movie2 before movie10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name)]


@dataclass(frozen=True)
class Placed:
    """The `name` of a file as the project calls it, and the `link` that has to be made for it, if any, to `target`."""

    name: str
    link: Path | None = None
    target: Path | None = None


def placed(path: Path, fixed: Path, context: Context, folder: str, suffix: str = "") -> Placed:
    """The name of a file relative to the project; files that lie elsewhere, or need another suffix, get a link in `folder` of the job.

    Links keep the folders below `fixed`.
    """
    target, project = os.path.abspath(path), os.path.abspath(context.project)  # noqa: PTH100 (Path.absolute keeps .., and is slow for many)
    if target.startswith(project.rstrip("/") + "/") and (not suffix or path.suffix == suffix):
        return Placed(target[len(project.rstrip("/")) + 1 :])
    whole_target = Path(target)
    below = whole_target.relative_to(whole(fixed)) if whole_target.is_relative_to(whole(fixed)) else Path(path.name)
    link = whole(context.output) / folder / (below.with_suffix(suffix) if suffix else below)
    return Placed(named_in(Path(project), link), link, whole_target)


def whole(path: Path) -> Path:
    """From the root, without following links: names of links mean something to the user."""
    return Path(os.path.normpath(path.absolute()))


def check_links(files: Iterable[Placed]) -> None:
    """Raise where two files would have one name."""
    targets: dict[Path, Path] = {}
    for one in files:
        if one.link is None or one.target is None:
            continue
        known = one.link.readlink() if one.link.is_symlink() else one.target
        if known != one.target or targets.setdefault(one.link, one.target) != one.target:
            raise InputError(f"{one.target} and {known if known != one.target else targets[one.link]} would have the same name", where=str(one.link),
                             remedy="import them in two jobs")


def make_links(files: Iterable[Placed]) -> None:
    """The links that are not there yet."""
    for one in files:
        if one.link is not None and one.target is not None and not one.link.is_symlink():
            one.link.parent.mkdir(parents=True, exist_ok=True)
            one.link.symlink_to(one.target)
