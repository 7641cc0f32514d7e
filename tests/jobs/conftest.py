"""Small maps on disk that the job tests share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verglas.io.mrc import write_map
from verglas.types import Map


def blob(box: int = 32, pixel: float = 3.0, seed: int = 1) -> Map:
    """Smooth asymmetric density: a few Gaussians in the middle half of the box."""
    rng = np.random.default_rng(seed)
    axis = np.arange(box) - box // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    data = np.zeros((box,) * 3)
    for cz, cy, cx in rng.uniform(-box / 6, box / 6, (8, 3)):
        data += np.exp(-((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) / 6.0)
    return Map(data.astype(np.float32), pixel)


@pytest.fixture
def volume() -> Map:
    return blob()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """saved(name, map) writes it and gives its path."""

    def save(name: str, content: Map) -> Path:
        write_map(tmp_path / name, content)
        return tmp_path / name

    return save


@pytest.fixture
def halves(volume: Map) -> tuple[Map, Map]:
    """The same density with independent noise that grows with frequency only slightly."""
    rng = np.random.default_rng(2)
    noise = [rng.normal(0, 0.1, volume.data.shape).astype(np.float32) for _ in range(2)]
    return replace(volume, data=volume.data + noise[0]), replace(volume, data=volume.data + noise[1])
