"""Two runs of one job: are their results the same, and if not, how different?"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verglas.errors import VerglasError
from verglas.types.pipeline import Pipeline

MAPS, STARS, IMAGES = (".mrc", ".map", ".ccp4"), (".star",), (".mrc", ".mrcs")
AT_ONCE = 256
"""Images of a stack that are compared at a time."""


@dataclass(frozen=True)
class Comparison:
    """A file of both jobs: `equal` up to names of jobs in it, and what was found, in words."""

    file: str
    equal: bool
    told: str


def compare_jobs(root: Path, pipeline: Pipeline, one: str, other: str) -> list[Comparison]:
    """All files that either hands on, and those in their folders that their tables name: images, picks."""
    files = {job: {node.removeprefix(f"{job}/") for process, node in pipeline.outputs if process == job} for job in (one, other)}
    found = [Comparison(file, False, f"only in {job}") for job, rest in ((one, other), (other, one)) for file in sorted(files[job] - files[rest])]
    shared = sorted(files[one] & files[other])
    named = _named(root, one, other, [file for file in shared if file.endswith(STARS)])
    return [*(compare_files(root / one / file, root / other / file, file) for file in shared), *named, *found]


def _named(root: Path, one: str, other: str, tables: list[str]) -> list[Comparison]:
    """One line for each kind of file."""
    here, there = (set[str]().union(*(_own(root, job, file) for file in tables)) for job in (one, other))
    found = [Comparison(file, False, f"only in {job}") for job, rest in ((one, here - there), (other, there - here)) for file in sorted(rest)]
    for kind in sorted({Path(file).suffix for file in here & there}):
        files = sorted(file for file in here & there if Path(file).suffix == kind)
        compared = [_contents(root / one / file, root / other / file, file) for file in files]
        wrong = [result for result in compared if not result.equal]
        told = f"{len(wrong)} of {len(files)} differ, first {wrong[0].file}: {wrong[0].told}" if wrong else f"{len(files)} with the same contents"
        found.append(Comparison(f"*{kind} that they name", not wrong, told))
    return found


def _own(root: Path, job: str, table: str) -> set[str]:
    """The files of a job's folder that a table of it names, as they are called there."""
    from verglas.io.star import read_star

    try:
        blocks = read_star(root / job / table).values()
    except VerglasError:
        return set()
    columns = [column for block in blocks for column in block.columns.values() if column.dtype == object]
    texts = {str(text).rpartition("@")[2] for column in columns for text in column.tolist()}
    return {text.removeprefix(f"{job}/") for text in texts if text.startswith(f"{job}/") and (root / text).is_file()}


def compare_files(one: Path, other: Path, name: str) -> Comparison:
    """Maps by their voxels and FSC, tables by their columns, stacks by their images, others byte by byte."""
    return _contents(one, other, name, maps=MAPS)


def _contents(one: Path, other: Path, name: str, maps: tuple[str, ...] = ()) -> Comparison:
    missing = [path for path in (one, other) if not path.exists()]
    if missing:
        return Comparison(name, False, f"{missing[0]} is gone")
    try:
        if one.suffix in maps:
            return Comparison(name, *_maps(one, other))
        if one.suffix in STARS:
            return Comparison(name, *_tables(one, other))
        if one.suffix in IMAGES:
            return Comparison(name, *_images(one, other))
    except VerglasError as error:
        return Comparison(name, False, str(error))
    same = one.read_bytes() == other.read_bytes()
    return Comparison(name, same, "the same bytes" if same else f"other bytes ({one.stat().st_size} and {other.stat().st_size})")


def _maps(one: Path, other: Path) -> tuple[bool, str]:
    from verglas.io.mrc import read_map
    from verglas.methods.mapops import compare_maps

    a, b = read_map(one), read_map(other)
    if a.data.shape != b.data.shape or not np.isclose(a.pixel_size, b.pixel_size, rtol=1e-5):
        return False, f"{a.box} px of {a.pixel_size:.4f} Å, and {b.box} px of {b.pixel_size:.4f} Å"
    if np.array_equal(a.data, b.data):
        return True, "the same voxels"
    found = compare_maps(a, b)
    spread = float(np.abs(a.data - b.data).max() / max(float(np.abs(a.data).max()), 1e-30))
    told = f"correlation {found.correlation:.6f}, FSC 0.5 at {found.at_half:.2f} Å"
    return False, f"{told}, voxels differ by at most {100 * spread:.2g} % of the highest"


def _images(one: Path, other: Path) -> tuple[bool, str]:
    """What stands in the header besides shape and type does not count."""
    from verglas.io.mrc import MrcStack

    with MrcStack(one) as a, MrcStack(other) as b:
        if (a.shape, a.header.mode) != (b.shape, b.header.mode):
            return False, f"{a.shape} of mode {a.header.mode}, and {b.shape} of mode {b.header.mode}"
        parts = [np.arange(first, min(first + AT_ONCE, a.shape[0])) for first in range(0, a.shape[0], AT_ONCE)]
        same = all(np.array_equal(a.read_raw(part), b.read_raw(part)) for part in parts)
        return same, "the same images" if same else "other images"


def _tables(one: Path, other: Path) -> tuple[bool, str]:
    from verglas.io.star import read_star

    a, b = read_star(one), read_star(other)
    if list(a) != list(b):
        return False, f"tables {', '.join(a)}, and {', '.join(b)}"
    told = []
    for block in a:
        if len(a[block]) != len(b[block]):
            told.append(f"{len(a[block])} and {len(b[block])} rows in {block}")
        elif set(a[block].columns) != set(b[block].columns):
            told.append(f"other columns in {block}: {', '.join(sorted(set(a[block].columns) ^ set(b[block].columns)))}")
        else:
            told += filter(None, (_column(label, a[block][label], b[block][label]) for label in a[block].columns))
    return not told, "; ".join(told) if told else f"the same values ({', '.join(f'{len(table)} rows' for table in a.values())})"


def _column(label: str, one: np.ndarray, other: np.ndarray) -> str:
    """How a column differs, "" when it does not. Names of files differ by their job alone."""
    if one.dtype == object or other.dtype == object:
        number = sum(_bare(str(a)) != _bare(str(b)) for a, b in zip(one.tolist(), other.tolist()))
        return f"{label}: {number} of {len(one)} texts differ" if number else ""
    if np.array_equal(one, other, equal_nan=True):
        return ""
    spread = np.abs(one.astype(np.float64) - other.astype(np.float64))
    number = int((spread > 0).sum())
    return f"{label}: {number} of {len(one)} differ, by {np.nanmedian(spread[spread > 0]):.3g} (median), at most {np.nanmax(spread):.3g}"


def _bare(text: str) -> str:
    """Without the number of a job."""
    return re.sub(r"/job\d{3,}/", "/job/", text)
