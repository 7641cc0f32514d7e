"""Door checks of particle images: the stacks behind a particle table, and the statistics of their backgrounds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io.mrc_header import MrcHeader, read_header
from verglas.types import Particles

_READERS = 8
_PIXEL_TOLERANCE = 0.01


def validate_images(particles: Particles, root: Path | str, star: str = "the particle table") -> tuple[str, ...]:
    """Check every stack: it exists and is whole, holds all image numbers, and has the box of the particles' optics group.

    Returns warnings (a pixel size in the header that differs by more than 1 %). Only headers are read.
    """
    images = particles.images
    used = np.unique(images.stack)
    with ThreadPoolExecutor(_READERS) as pool:
        headers = dict(zip(used.tolist(), pool.map(lambda number: _header(Path(root), number, particles, star), used.tolist())))
    _check_numbers(particles, headers, star)
    _check_boxes(particles, headers, star)
    return _pixel_size_warnings(particles, headers)


def _header(root: Path, number: int, particles: Particles, star: str) -> MrcHeader:
    name = particles.images.stacks[number]
    path = root / name
    if not path.is_file():
        row = int(np.argmax(particles.images.stack == number))
        raise InputError(f"the image stack {name} is not in {root}", where=f"{star}, row {row + 1}",
                         remedy="restore the stack, or run in the project folder that image names are relative to")
    return read_header(path)


def _check_numbers(particles: Particles, headers: dict[int, MrcHeader], star: str) -> None:
    images = particles.images
    counts = np.zeros(len(images.stacks), dtype=np.int64)
    for number, header in headers.items():
        counts[number] = header.shape[0]
    bad = np.flatnonzero(images.index >= counts[images.stack])
    if len(bad):
        row = int(bad[0])
        raise DataError(f"image {images.index[row] + 1} of {images.stacks[images.stack[row]]}, which holds {counts[images.stack[row]]}",
                        where=f"{star}, row {row + 1}", remedy="use the stack the table was made from, or remove the row")


def _check_boxes(particles: Particles, headers: dict[int, MrcHeader], star: str) -> None:
    for row, number, group in _stacks_of_groups(particles):
        shape, box = headers[number].shape[1:], particles.optics[group].box
        if shape != (box, box):
            raise DataError(
                f"images of {shape[1]} x {shape[0]} px in {particles.images.stacks[number]}, but optics group {particles.optics[group].name} "
                f"has _rlnImageSize {box}", where=f"{star}, row {row + 1}",
                remedy="correct _rlnImageSize or give these particles their own optics group",
            )


def _pixel_size_warnings(particles: Particles, headers: dict[int, MrcHeader]) -> tuple[str, ...]:
    found = []
    for _, number, group in _stacks_of_groups(particles):
        stored, wanted = headers[number].pixel_size, particles.optics[group].pixel_size
        if stored > 0 and abs(stored - wanted) > _PIXEL_TOLERANCE * wanted:
            found.append((particles.images.stacks[number], stored, wanted))
    if not found:
        return ()
    stack, stored, wanted = found[0]
    return (f"{len(found)} stack(s) have another pixel size in their header than in the optics table, which is used: {stack} has {stored:.4f} Å, "
            f"the table {wanted:.4f} Å",)


def _stacks_of_groups(particles: Particles) -> list[tuple[int, int, int]]:
    """Each pair of stack and optics group that occurs: (first row, stack, group), by row."""
    count = len(particles.optics)
    pairs, first = np.unique(particles.images.stack * count + particles.optics_index, return_index=True)
    return sorted((int(row), int(pair) // count, int(pair) % count) for pair, row in zip(pairs, first))


def background_statistics(images: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (n,) float64 of each image's pixels further than `radius` px from pixel B//2; images (n, B, B).

    RELION takes particles as normalised where |mean| / sd < 0.5 and 0.5 < sd < 2.
    """
    box = images.shape[-1]
    axis = np.arange(box) - box // 2
    outside = np.hypot(axis[:, None], axis) > radius
    if not outside.any():
        raise InputError(f"a circle of radius {radius:g} px leaves no background in a box of {box} px", remedy="use a smaller particle diameter")
    background = images[:, outside].astype(np.float64)
    return background.mean(axis=1), background.std(axis=1)
