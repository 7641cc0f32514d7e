"""`000012@Extract/job009/movie.mrcs`: image names and the folder they are relative to."""

from pathlib import Path

import numpy as np

from verglas.errors import DataError, InputError
from verglas.io import labels as L
from verglas.io.star_columns import Source
from verglas.io.star_rows import text_column
from verglas.types import ImageRefs


def parse_image_names(source: Source) -> ImageRefs:
    """Image number (from 0) and stack of every row; paths stay as written."""
    parts = [name.partition("@") for name in source.texts(L.IMAGE_NAME)]
    for row, (number, _, path) in enumerate(parts):
        if not (path and number.isdigit() and number.isascii() and int(number) > 0):
            raise DataError(
                f"_{L.IMAGE_NAME} is {''.join(parts[row])!r}, expected NUMBER@STACK with numbers from 1, for example 000012@Extract/job009/a.mrcs",
                where=source.at_row(row), remedy="correct the name",
            )
    stacks: dict[str, int] = {}
    stack = [stacks.setdefault(path, len(stacks)) for _, _, path in parts]
    return ImageRefs(tuple(stacks), np.array(stack, dtype=np.int64), np.array([int(number) for number, _, _ in parts], dtype=np.int64) - 1)


def image_names(images: ImageRefs) -> np.ndarray:
    """(N,) object: names as in a STAR file."""
    stacks = images.stacks
    return text_column(f"{number:06d}@{stacks[stack]}" for number, stack in zip((images.index + 1).tolist(), images.stack.tolist()))


def find_root(star_path: Path, stacks: tuple[str, ...]) -> Path:
    """The folder in which the first stack exists: the STAR file's folder, a folder above it, or the current folder or one above it."""
    star = star_path.resolve()
    candidates = list(dict.fromkeys([*star.parents, Path.cwd().resolve(), *Path.cwd().resolve().parents]))
    first = stacks[0]
    for folder in candidates:
        if (folder / first).is_file():
            return folder
    tried = ", ".join(str(folder) for folder in candidates)
    raise InputError(f"the image stack {first} is not there; looked in {tried}", where=str(star_path),
                     remedy="run in the project folder that image names are relative to, or restore the stack")
