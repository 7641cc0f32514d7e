"""A cubic density map."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Map:
    """data (B, B, B) float32 indexed [z, y, x], centre at voxel B // 2; pixel_size in Å; origin of the MRC header in Å (x, y, z)."""

    data: np.ndarray
    pixel_size: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def box(self) -> int:
        return int(self.data.shape[0])
