"""Jobs that leave a project, and projects that come: export, taking over a RELION folder, the end of what is in Trash."""

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from verglas.errors import InputError
from verglas.io.pipeline_star import read_pipeline, write_pipeline
from verglas.jobs.folder import PIPELINE, explain_os_error
from verglas.project.edit import part_of
from verglas.project.graph import parents, reached
from verglas.project.layout import HIDDEN, TRASH, number_of
from verglas.types.pipeline import Pipeline


def export_jobs(root: Path, pipeline: Pipeline, names: Iterable[str], target: Path) -> tuple[str, ...]:
    """Copy jobs and their ancestors to a new folder or .zip, with their part of the pipeline. Links stay links in a folder, and are left out
    of a zip where they lead out of the project. The names of all that went.
    """
    wanted = tuple(names) or tuple(one.name for one in pipeline.processes)
    went = tuple(sorted({*wanted, *reached(parents(pipeline), wanted)}, key=number_of))
    if target.exists():
        raise InputError("is there already", where=str(target), remedy="name a new folder or .zip file")
    if target.absolute().is_relative_to(root):
        inside = [name for name in went if target.absolute().is_relative_to(root / name)]
        if inside:
            raise InputError(f"lies in {inside[0]}, which is to be exported", where=str(target), remedy="choose another place")
    folder = target.with_name(f".{target.name}.part")
    try:
        folder.mkdir(parents=True)
        for name in went:
            if (root / name).exists():
                shutil.copytree(root / name, folder / name, symlinks=True)
        part = part_of(pipeline, went)
        write_pipeline(folder / PIPELINE, part)
        for one in part.processes:
            if one.alias and not (folder / one.alias).exists():
                (folder / one.alias).symlink_to(Path(one.name).name)
        if target.suffix == ".zip":
            _zip(folder, target)
        else:
            folder.rename(target)
    except OSError as error:
        raise explain_os_error(error) or error from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return went


def _zip(folder: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part-zip")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()) and not _through_link(folder, path):
                archive.write(path, path.relative_to(folder))
    part.replace(target)


def _through_link(folder: Path, path: Path) -> bool:
    """Whether a folder above is an alias, whose files are there under the job's own name."""
    return any(one.is_symlink() for one in path.parents if one.is_relative_to(folder))


def adopt(folder: Path) -> Path:
    """A RELION project as it is: its pipeline is read, and .verglas made."""
    if not (folder / PIPELINE).is_file():
        raise InputError(f"no {PIPELINE}", where=str(folder), remedy="give the folder in which RELION was started")
    read_pipeline(folder / PIPELINE)
    try:
        (folder / HIDDEN).mkdir(exist_ok=True)
    except OSError as error:
        raise explain_os_error(error) or error from error
    return folder


def trash_size(root: Path) -> int:
    """Bytes in Trash."""
    return sum(path.lstat().st_size for path in (root / TRASH).rglob("*") if not path.is_dir())


def empty_trash(root: Path) -> None:
    """For good."""
    trash = root / TRASH
    if trash.is_symlink():
        raise InputError("is a link", where=str(trash), remedy="remove what it leads to by hand")
    shutil.rmtree(trash, ignore_errors=True)
