"""Slices of a map with what a threshold encloses and the soft mask around it, made by the method of the job."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from verglas.api.project import Project
from verglas.errors import InputError
from verglas.web.data.answers import known, stamp
from verglas.web.places import file_in
from verglas.web.wizards.asked import Asked, params_of

MOST = 160
"""Voxels of a side; of larger maps every n-th voxel is looked at, after the low-pass filter: the densities are those that the job sees."""
BYTES = 40
"""Of memory per voxel of the map, for its Fourier transform."""
BINS = 256


@dataclass(frozen=True)
class Density:
    """data (b, b, b) after the low-pass, every `step`-th voxel of the map; pixel Å of these; spread: its standard deviation."""

    data: np.ndarray
    pixel: float
    step: int
    spread: float


def look(project: Project, asked: Asked) -> dict[str, Any]:
    """Three slices and a histogram; with `fit` the mask too, on these slices, and what it encloses."""
    params = params_of(asked)
    density = _density(*stamp(file_in(project, str(params.map))), params.lowpass)
    side = len(density.data)
    at = [min(side - 1, int(part * side)) for part in asked.at]
    counts, edges = np.histogram(density.data, BINS)
    low, high = float(density.data.min()), float(density.data.max())
    found: dict[str, Any] = {
        "side": side, "step": density.step, "pixel": density.pixel, "at": at, "low": low, "high": high, "sd": density.spread,
        "counts": counts.tolist(), "from": float(edges[0]), "to": float(edges[-1]),
        "black": float(np.percentile(density.data, 0.5)), "white": float(np.percentile(density.data, 99.9)),
        "slices": [_encoded(np.rint((one - low) / (high - low) * 65535).astype("<u2")) for one in slices(density.data, at)],
    }
    return found | (_mask(density, params, at) if asked.fit else {})


def slices(data: np.ndarray, at: list[int]) -> list[np.ndarray]:
    """(y, x) at z, (z, x) at y, (z, y) at x, for at = x, y, z."""
    return [data[at[2]], data[:, at[1]], data[:, :, at[0]]]


@lru_cache(maxsize=2)
def _density(path: str, size: int, time: int, lowpass: float) -> Density:
    import psutil

    from verglas.io.mrc_header import read_header
    from verglas.jobs.doors import open_map
    from verglas.methods.masking import lowpassed

    need, free = BYTES * read_header(Path(path)).shape[0] ** 3, psutil.virtual_memory().available
    if need > free:
        raise InputError(f"looking at this map takes {need / 2**30:.0f} GiB of memory, {free / 2**30:.0f} GiB are free", where=Path(path).name,
                         remedy="close other programs, or run the job on a machine with more memory")
    volume = open_map(Path(path))
    step = -(-volume.box // MOST)
    data = np.ascontiguousarray(lowpassed(volume, lowpass)[::step, ::step, ::step])
    return Density(data, volume.pixel_size * step, step, float(data.std(dtype=np.float64)))


def _mask(density: Density, params: Any, at: list[int]) -> dict[str, Any]:
    from verglas.methods.masking import mask_from_density
    from verglas.types import Map

    made = mask_from_density(Map(density.data, density.pixel), params.threshold, params.extend / density.step, params.soft_edge / density.step)
    return {
        "threshold": made.threshold, "volume": made.volume, "kilodalton": made.kilodalton, "share": made.box_fraction, "parts": made.parts,
        "radius": made.radius, "voxels": round(made.volume / density.pixel**3) * density.step**3, "warnings": list(made.warnings),
        "noise": None if made.noise is None else known(made.noise),
        "mask": [_encoded(np.rint(255 * one).astype(np.uint8)) for one in slices(made.mask.data, at)],
    }


def _encoded(pixels: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
