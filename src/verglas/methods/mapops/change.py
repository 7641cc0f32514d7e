"""Maps in, maps out; the centre stays at voxel B//2."""

from dataclasses import replace

import numpy as np
import torch

from verglas.core.filters import lowpass
from verglas.core.resample import nearest_even, resample, resize_map
from verglas.core.symmetry import operators, symmetrise_map
from verglas.errors import InputError
from verglas.types import Map

SAME = 1e-4
"""Relative difference below which two pixel sizes are the same."""


def resize(source: Map, box: int | None = None, pixel: float | None = None) -> Map:
    """The map on another grid by Fourier interpolation.

    `box` alone: the same field of view in that many voxels. `pixel` (Å) alone: that pixel in the nearest even box.
    Both: that pixel, cropped or filled with 0 to that box.
    """
    if box is None and pixel is None:
        raise InputError("neither box nor pixel size given", where="resize", remedy="give at least one of them")
    if box is not None and box < 2:
        raise InputError(f"box {box}: expected at least 2 voxels", where="resize", remedy="give a larger box")
    data = _tensor(source)
    if pixel is None:
        assert box is not None
        return _on_grid(source, resize_map(data, box), source.pixel_size * source.box / box)
    if abs(pixel / source.pixel_size - 1) < SAME:
        return source if box is None else crop(source, box)
    side = box if box is not None else nearest_even(source.box * source.pixel_size / pixel)
    return _on_grid(source, resample(data, source.pixel_size, pixel, side), pixel)


def crop(source: Map, box: int, fill: float = 0.0) -> Map:
    """The central `box`^3 voxels, or the map within a larger box filled with `fill`; voxel size unchanged."""
    old, start = source.box, box // 2 - source.box // 2
    out = np.full((box,) * 3, fill, dtype=np.float32)
    low, high = max(0, start), min(box, start + old)
    to, at = slice(low, high), slice(low - start, high - start)
    out[to, to, to] = source.data[at, at, at]
    return _on_grid(source, torch.from_numpy(out), source.pixel_size)


def lowpass_map(source: Map, resolution: float, edge_shells: float = 2.0) -> Map:
    """Low-passed to `resolution` (Å), raised-cosine edge `edge_shells` wide."""
    return _like(source, lowpass(_tensor(source), source.pixel_size, resolution, edge_shells))


def symmetrise(source: Map, symbol: str) -> Map:
    """Averaged over the rotations of a point group (C1, Cn, Dn, T, O, I, I1-I4) about voxel B//2."""
    return _like(source, symmetrise_map(_tensor(source), operators(symbol)))


def flip_hand(source: Map) -> Map:
    """The mirror image: z -> -z about voxel B//2. In an even box the plane z = -B/2 has no mate and stays."""
    flipped = source.data[::-1]
    return replace(source, data=np.ascontiguousarray(np.roll(flipped, 1, 0) if source.box % 2 == 0 else flipped))


def _tensor(source: Map) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(source.data, dtype=np.float32))


def _like(source: Map, data: torch.Tensor) -> Map:
    return replace(source, data=data.numpy(force=True).astype(np.float32))


def _on_grid(source: Map, data: torch.Tensor, pixel: float) -> Map:
    """A map whose centre voxel stays where it was in space; an origin of 0 stays 0 (it says nothing)."""
    move = source.box // 2 * source.pixel_size - data.shape[-1] // 2 * pixel
    x, y, z = source.origin
    origin = (x + move, y + move, z + move) if any(source.origin) else source.origin
    return Map(data.numpy(force=True).astype(np.float32), pixel, origin)
