"""run_itNNN_sampling.star: the grids of orientations and shifts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from verglas.io.star import Table, read_star, write_star
from verglas.io.star_columns import Source, block_of, require_values

BLOCK, DIRECTIONS = "sampling_general", "sampling_directions"
REQUIRED = ("rlnIs3DSampling", "rlnIs3DTranslationalSampling", "rlnPsiStep", "rlnOffsetRange", "rlnOffsetStep", "rlnSamplingPerturbFactor")
REQUIRED_3D = ("rlnHealpixOrder", "rlnSymmetryGroup", "rlnTiltAngleLimit")
ANGLES = ("rlnAngleRot", "rlnAngleTilt")


@dataclass(frozen=True)
class SamplingStar:
    """general: label -> value (angles in degrees, offsets in Å); directions (D, 2) float64: rot and tilt in degrees, (0, 2) in 2D."""

    general: Mapping[str, object]
    directions: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))


def read_sampling(path: Path | str) -> SamplingStar:
    """Read and check for what RELION's own reader needs."""
    tables = read_star(path)
    source = block_of(tables, BLOCK, str(path))
    _check(source)
    if DIRECTIONS not in tables:
        return SamplingStar(source.table.values())
    directions = Source(tables[DIRECTIONS], str(path), DIRECTIONS)
    return SamplingStar(source.table.values(), np.stack([directions.numbers(label) for label in ANGLES], axis=1))


def _check(source: Source) -> None:
    require_values(source, REQUIRED)
    if source.table.values()["rlnIs3DSampling"]:
        require_values(source, REQUIRED_3D)


def write_sampling(path: Path | str, sampling: SamplingStar, comment: str = "") -> None:
    """Write atomically; raises when a value that RELION's reader needs is missing."""
    general = Table.of_values(dict(sampling.general))
    _check(Source(general, str(path), BLOCK))
    blocks = {BLOCK: general}
    if len(sampling.directions):
        blocks[DIRECTIONS] = Table({label: sampling.directions[:, i] for i, label in enumerate(ANGLES)})
    write_star(path, blocks, comment)
