"""Door checks that several jobs share: maps, masks, and whether they fit each other."""

from pathlib import Path
from typing import TYPE_CHECKING

from verglas.errors import InputError
from verglas.jobs.spec import PlanLine

if TYPE_CHECKING:
    from verglas.types import Map

MASK_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 0.005
REFERENCE = "rlnReferenceImage"


def open_map(path: Path) -> "Map":
    """A readable cubic map with a pixel size and more than one value; the message names the file."""
    from verglas.io.mrc import read_map

    volume = read_map(path)
    if float(volume.data.min()) == float(volume.data.max()):
        raise InputError(f"every voxel is {volume.data.flat[0]:g}", where=str(path), remedy="give another map")
    return volume


def open_mask(path: Path, like: "Map", name: str) -> "Map":
    """A mask with values in 0..1 on the grid of the map `name`."""
    from verglas.io.mrc import read_map

    mask = read_map(path)
    low, high = float(mask.data.min()), float(mask.data.max())
    if low < -MASK_TOLERANCE or high > 1 + MASK_TOLERANCE:
        raise InputError(
            f"mask values from {low:.4g} to {high:.4g}, expected 0 to 1", where=str(path),
            remedy="make a mask from a map with `verglas mask`",
        )
    if high <= MASK_TOLERANCE:
        raise InputError("the mask is empty (all values 0)", where=str(path), remedy="make it again")
    same_grid(mask, path, like, name)
    return mask


def same_grid(one: "Map", path: Path, other: "Map", name: str) -> None:
    """Equal boxes, and pixel sizes within 0.5 %; headers often carry rounded pixel sizes."""
    if one.box != other.box:
        raise InputError(
            f"box of {one.box} px, but {name} has {other.box} px", where=str(path),
            remedy=f"bring it to the same box: verglas map crop --box {other.box} (or resize)",
        )
    if abs(one.pixel_size - other.pixel_size) > PIXEL_TOLERANCE * other.pixel_size:
        raise InputError(
            f"pixel size {one.pixel_size:.4f} Å, but {name} has {other.pixel_size:.4f} Å", where=str(path),
            remedy=f"verglas map resize --pixel-size {other.pixel_size:.4f}, or correct the header that is wrong",
        )


def volume_lines(box: int, pixel_size: float, *, working: int, written: int) -> tuple[PlanLine, ...]:
    """Forecast of a map operation: `working` float32 maps in memory at once, `written` on disk."""
    size = box**3 * 4 / 1024**2
    return (
        PlanLine("box", f"{box} px at {pixel_size:.4f} Å"),
        PlanLine("memory", f"{working * size:.0f} MB", f"{working} maps at once"),
        PlanLine("disk", f"{written * size:.0f} MB"),
    )


def named_maps(path: Path, classes: int) -> tuple[Path, ...]:
    """The maps that a STAR file names, relative to its own folder, the folder above, or the current one."""
    from verglas.io.star import read_star

    tables = read_star(path)
    named = [table for table in tables.values() if REFERENCE in table]
    if not named:
        raise InputError(f"no column _{REFERENCE}", where=str(path), remedy="give a STAR file with one map per row, such as a run_model.star")
    names = [str(name) for name in named[0][REFERENCE].tolist()]
    if len(names) != classes:
        raise InputError(f"{len(names)} maps for --classes {classes}", where=str(path), remedy=f"give --classes {len(names)}, or another file")
    files = [next((one for one in (Path(name), path.parent / name, path.parent / Path(name).name) if one.is_file()), None) for name in names]
    for name, file in zip(names, files):
        if file is None:
            raise InputError(f"there is no map {name}", where=str(path), remedy=f"put it into {path.parent}, or correct the name")
    return tuple(file for file in files if file is not None)
