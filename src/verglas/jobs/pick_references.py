"""References of template picking: a stack of 2D averages, a STAR file that names some, or a map."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verglas.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

NAMES = ("rlnReferenceImage", "rlnImageName")


@dataclass(frozen=True)
class References:
    """data (K, B, B) averages, or (B, B, B) if `volume`; particles bright; pixel Å."""

    data: "Tensor"
    pixel: float
    volume: bool


def read_references(path: Path, pixel: float | None, dark: bool) -> References:
    """Square images or a cube with a pixel size; the sign turned where the particles are dark."""
    import torch

    from verglas.io.mrc import MrcStack

    if not path.is_file():
        raise InputError("there is no such file", where=str(path), remedy="give 2D averages (.mrcs, .star) or a map (.mrc)")
    if path.suffix == ".star":
        data, found = _named(path)
    else:
        with MrcStack(path) as stack:
            data, found = stack.read(np.arange(stack.shape[0])), stack.pixel_size
    step = pixel or found
    if step <= 0:
        raise InputError("the header holds no pixel size", where=str(path), remedy="give --reference-pixel-size")
    if data.shape[1] != data.shape[2]:
        raise InputError(f"images of {data.shape[2]} x {data.shape[1]} px, expected square ones", where=str(path))
    alive = data[data.std((1, 2)) > 0]
    if not len(alive):
        raise InputError("every reference is empty", where=str(path), remedy="give other references")
    volume = path.suffix in (".mrc", ".map") and len(set(data.shape)) == 1
    used = data if volume else alive
    return References(torch.from_numpy(np.ascontiguousarray(-used if dark else used)), step, volume)


def _named(path: Path) -> tuple[np.ndarray, float]:
    """The images (K, B, B) that a STAR file names as number@stack, empty classes left out, and the pixel size of the first stack."""
    from verglas.io.image_names import parse_image_names
    from verglas.io.mrc import MrcStack
    from verglas.io.star import Table, read_star
    from verglas.io.star_columns import Source

    for block, table in read_star(path).items():
        label = next((one for one in NAMES if one in table), None)
        if label is None:
            continue
        names = parse_image_names(Source(Table({"rlnImageName": table[label]}), str(path), block))
        images, pixel = [], 0.0
        for number, name in enumerate(names.stacks):
            file = next((one for one in (Path(name), path.parent / name, path.parent / Path(name).name) if one.is_file()), None)
            if file is None:
                raise InputError(f"there is no stack {name}", where=f"{path}, data_{block}", remedy=f"put it into {path.parent}")
            with MrcStack(file) as stack:
                images.append(stack.read(names.index[names.stack == number]))
                pixel = pixel or stack.pixel_size
        return np.concatenate(images), pixel
    raise InputError(f"no column _{NAMES[0]} or _{NAMES[1]}", where=str(path), remedy="give a STAR file of 2D averages, such as run_it025_model.star")


def diameter_of(references: References) -> float:
    """Å across: twice the largest radius at which the power of the references (of a map: in 3D), above that at the rim, is 1 % of its highest,
    and a seventh more for what fades out."""
    data = references.data.double().numpy()
    box = data.shape[-1]
    axis = np.arange(box) - box // 2
    radius = np.sqrt(np.sum(np.meshgrid(*([axis**2] * (3 if references.volume else 2)), indexing="ij"), axis=0))
    ring = np.rint(radius).astype(int)
    power = data**2 if references.volume else ((data - data.mean((1, 2), keepdims=True)) ** 2).mean(0)
    count = np.bincount(ring.ravel())[: box // 2]
    curve = np.bincount(ring.ravel(), power.ravel())[: box // 2] / count
    above = curve - curve[-2:].mean()
    return float(1.15 * 2 * references.pixel * (1 + np.flatnonzero(above > 0.01 * above.max())[-1]))
