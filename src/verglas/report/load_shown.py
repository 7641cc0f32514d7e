"""What is shown of single micrographs: small pictures, tracks, fits, picks and particle images, read from the files of the job."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from verglas.core.local_motion import local_shift
from verglas.errors import InputError
from verglas.io import labels as L
from verglas.io.coordinates import read_coordinates
from verglas.io.ctf_files import read_avrot
from verglas.io.image_names import parse_image_names
from verglas.io.motion_star import read_motion
from verglas.io.mrc import MrcStack
from verglas.io.star import Table, read_star
from verglas.io.star_columns import Source
from verglas.report.load_record import number
from verglas.report.load_rows import Rows, path_length, track_of
from verglas.report.micrograph_data import CtfShown, Kind, MotionShown, Patch, PicksShown, PlainShown, Sheet, Shown, Thumbnail
from verglas.report.micrograph_kinds import Row
from verglas.types import Coordinates
from verglas.types.motion import MotionTrack

LARGEST = 384
"""Pixels of a side of a picture."""
PARTICLES, PARTICLE_SIDE = 96, 96
"""Particles of a contact sheet, and the pixels of a side of one."""
SAMPLED, COUNTED = 200, 2000
"""Coordinate files that are read for figures of merit, and for numbers of picks."""
NO_FOM = -900.0
"""Figures of merit below this mean that there is none."""


def find_root(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder that names are relative to: the first above the job, or above the current folder, where one of them is there."""
    above = [*folder.resolve().parents, Path.cwd(), *Path.cwd().parents]
    wanted = [name.removesuffix(":mrc") for name in names if name]
    return next((one for one in dict.fromkeys(above) if any((one / name).exists() for name in wanted)), None)


def placed(folder: Path, root: Path | None, name: str) -> Path:
    """A file by its name in a row: relative to the project, else to the job."""
    path = (root or folder) / name.removesuffix(":mrc")
    return path if path.exists() else folder / name.removesuffix(":mrc")


def read_shown(folder: Path, root: Path | None, kind: Kind, row: int, name: str, numbers: Row, params: Mapping[str, str]) -> Shown | None:
    """The picture of a micrograph, None where this kind has none."""
    match kind:
        case "motion":
            return _motion(folder, root, row, numbers)
        case "ctf":
            return _ctf(folder, root, row, numbers)
        case "picks":
            return _picks(folder, root, row, name, numbers, params)
        case "import":
            path = placed(folder, root, name)
            return PlainShown(row, thumbnail(path)) if path.suffix == ".mrc" and _sections(path) == 1 else None
        case _:
            return None


def _sections(path: Path) -> int:
    with MrcStack(path) as stack:
        return stack.shape[0]


def thumbnail(path: Path, largest: int = LARGEST, smooth: float = 1.0) -> Thumbnail:
    """The first image of a file, means of n x n pixels; black and white are its `smooth` and 100 - `smooth` percentiles."""
    with MrcStack(path) as stack:
        _, ny, nx = stack.shape
        n = -(-max(ny, nx) // largest)
        whole = stack.read(np.array([0]))[0] if stack.header.mode == 101 else stack.mapped()[0]
        rows, columns = ny // n, nx // n
        small = np.empty((rows, columns), dtype=np.float32)
        for y in range(rows):
            small[y] = whole[y * n : (y + 1) * n, : columns * n].astype(np.float32).reshape(n, columns, n).mean(axis=(0, 2))
        return Thumbnail(grey(small, smooth), (ny, nx), stack.pixel_size)


def grey(picture: np.ndarray, smooth: float) -> np.ndarray:
    """uint8 between two percentiles."""
    seen = picture[np.isfinite(picture)]
    low, high = np.percentile(seen, [smooth, 100.0 - smooth]) if seen.size else (0.0, 1.0)
    shade = np.clip((np.nan_to_num(picture, nan=low, posinf=high, neginf=low) - low) / max(float(high - low), 1e-30), 0.0, 1.0)
    return np.rint(255.0 * shade).astype(np.uint8)


def _if_there(path: Path | None) -> Thumbnail | None:
    return thumbnail(path) if path is not None and path.is_file() else None


def _motion(folder: Path, root: Path | None, row: int, numbers: Row) -> MotionShown | None:
    star = numbers.get("star")
    if not isinstance(star, Mapping):
        return None
    name, details = star.get("rlnMicrographName"), placed(folder, root, str(star.get("rlnMicrographMetadata", "")))
    picture = _if_there(placed(folder, root, str(name))) if name else None
    if details.is_file():
        track = read_motion(details)
        return MotionShown(row, picture, -track.shifts * track.pixel_size, patches_of(track), (track.shape[1], track.shape[0]))
    report = numbers.get("report")
    shifts = track_of(report.get("shifts")) if isinstance(report, Mapping) else np.zeros((0, 2))
    length = path_length(shifts)
    if length == 0.0:
        return None
    size = (picture.shape[1], picture.shape[0]) if picture is not None else (1, 1)
    return MotionShown(row, picture, -shifts * (number(star.get("rlnAccumMotionTotal")) / length), (), size)


def patches_of(track: MotionTrack) -> tuple[Patch, ...]:
    """The measured tracks by patch. A shift is what corrects a motion, so the motion is its opposite."""
    if track.patches is None or not len(track.patches.xy):
        return ()
    one = track.patches
    centres, which = np.unique(one.xy, axis=0, return_inverse=True)
    found = []
    for k, centre in enumerate(centres):
        rows = np.flatnonzero(which.reshape(-1) == k)
        path = -one.shift[rows[np.argsort(one.frame[rows], kind="stable")]]
        place = centre / np.array(track.shape[::-1]) - 0.5
        model = path if track.local is None else -local_shift(track.local, place[0], place[1], np.arange(len(track.shifts)))
        found.append(Patch(centre, path, model))
    return tuple(found)


def _ctf(folder: Path, root: Path | None, row: int, numbers: Row) -> CtfShown | None:
    image = numbers.get("image")
    if not isinstance(image, str) or not image:
        return None
    path = placed(folder, root, image)
    curves = placed(folder, root, image.removesuffix(":mrc").removesuffix(".ctf") + "_avrot.txt")  # there even where pictures were removed
    found = read_avrot(curves) if curves.is_file() else np.zeros((0, 0))
    picture = thumbnail(path, smooth=0.5) if path.is_file() else None
    if picture is None and not found.size:
        raise InputError("neither its picture nor its curves are there", where=str(path))
    edge = 0.5 / picture.pixel_size if picture is not None and picture.pixel_size > 0 else float("nan")
    return CtfShown(row, picture, edge, number(numbers.get("resolution")), found[[0, 2, 3, 4]] if found.shape[0] >= 5 else np.zeros((4, 0)))


def _read_picks(folder: Path, root: Path | None, numbers: Row) -> Coordinates | None:
    """The picks of a micrograph, None when their file is not there."""
    own, listed = numbers.get("coordinates"), numbers.get("listed")
    path = folder / own if isinstance(own, str) else placed(folder, root, str(listed))
    return next(iter(read_coordinates(path, root or folder).values()), None) if path.is_file() else None


def with_counts(folder: Path, root: Path | None, rows: Rows) -> Rows:
    """Rows of a list of coordinate files with the number of picks in each."""
    if not any("listed" in numbers for _, numbers in rows.done) or len(rows.done) > COUNTED:
        return rows
    root = root or find_root(folder, [str(numbers.get("listed")) for _, numbers in rows.done[:3]])
    found = ((name, numbers, _read_picks(folder, root, numbers)) for name, numbers in rows.done)
    return replace(rows, done=tuple((name, {**numbers, **({"picks": len(picks)} if picks is not None else {})}) for name, numbers, picks in found))


def read_foms(folder: Path, root: Path | None, rows: Rows) -> np.ndarray:
    """(M,) of evenly spread micrographs; empty where picks have none."""
    places = np.unique(np.linspace(0, len(rows.done) - 1, min(len(rows.done), SAMPLED)).round().astype(int)) if rows.done else ()
    found = [picks.fom for picks in (_read_picks(folder, root, rows.done[int(i)][1]) for i in places) if picks is not None and len(picks)]
    foms = np.concatenate(found) if found else np.zeros(0)
    foms = foms[np.isfinite(foms) & (foms > NO_FOM)]
    return foms if foms.any() else np.zeros(0)


def _picks(folder: Path, root: Path | None, row: int, name: str, numbers: Row, params: Mapping[str, str]) -> PicksShown | None:
    root = root or find_root(folder, [str(numbers.get("listed", "")), name])
    picks = _read_picks(folder, root, numbers)
    if picks is None:
        raise InputError("its coordinate file is not there", where=name)
    picture = _if_there(placed(folder, root, name))
    width = picture.shape[1] if picture is not None else max(1.0, 1.05 * float(picks.xy.max(initial=1.0)))
    pixel = picture.pixel_size if picture is not None else 0.0
    size = diameter_of(folder, params)
    return PicksShown(row, picture, picks.xy, picks.fom, size / pixel if pixel > 0 and np.isfinite(size) else 0.03 * width)


def diameter_of(folder: Path, params: Mapping[str, str]) -> float:
    """Å, of the particles: the middle of a range, the given one, or what the picker said that it found in its references; NaN when unknown."""
    given = [_number(params.get(name, "")) for name in ("min_diameter", "max_diameter", "diameter")]
    known = [one for one in given if np.isfinite(one)]
    if known:
        return float(np.mean(known))
    log = folder / "run.out"
    said = re.search(r"diameter: ([\d.]+) Å", log.read_text("utf-8", "replace")) if log.exists() else None
    return _number(said[1]) if said else float("nan")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read_sheet(folder: Path, root: Path | None, rows: Rows) -> Sheet | None:
    """A contact sheet of evenly spread particles."""
    plan = folder / "windows.npz"
    places, total = _planned(plan, set(rows.names)) if plan.exists() else _listed(folder)
    images: list[np.ndarray] = []
    pixel = 0.0
    for name, index in places:
        path = folder / name if (folder / name).is_file() else placed(folder, root or find_root(folder, [name]), name)
        with MrcStack(path) as stack:
            image = stack.read(np.array([index]))[0]
            n = -(-len(image) // PARTICLE_SIDE)
            side = len(image) // n
            images.append(image[: side * n, : side * n].reshape(side, n, side, n).mean(axis=(1, 3)))
            pixel = stack.pixel_size * n
    same = [one for one in images if one.shape == images[0].shape]
    return Sheet(np.stack(same), total, pixel) if same else None


def _planned(plan: Path, done: set[str]) -> tuple[list[tuple[str, int]], int]:
    """(stack in the job folder, image) of evenly spread particles of the micrographs that are done, and how many those have."""
    with np.load(plan) as file:
        names, stacks, bounds = file["names"], file["stacks"], file["bounds"]
    finished = np.array([str(name) in done for name in names])
    counts = np.where(finished, np.diff(bounds), 0)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    places = _spread(total)
    which = np.searchsorted(ends, places, side="right")
    return [(str(stacks[i]), int(place - ends[i] + counts[i])) for i, place in zip(which, places)], total


def _listed(folder: Path) -> tuple[list[tuple[str, int]], int]:
    """(stack relative to the project, image) of evenly spread particles of particles.star, and how many there are."""
    path = folder / "particles.star"
    names = read_star(path)["particles"][L.IMAGE_NAME]
    images = parse_image_names(Source(Table({L.IMAGE_NAME: names[_spread(len(names))]}), str(path), "particles"))
    return [(images.stacks[k], int(index)) for k, index in zip(images.stack, images.index)], len(names)


def _spread(total: int) -> np.ndarray:
    """At most PARTICLES numbers below `total`."""
    return np.unique(np.linspace(0, total - 1, min(total, PARTICLES)).round().astype(int)) if total else np.zeros(0, dtype=int)
