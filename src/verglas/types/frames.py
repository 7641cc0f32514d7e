"""A movie as its frames, whatever the file format."""

from pathlib import Path
from typing import Protocol

import numpy as np


class Frames(Protocol):
    """`count` frames of `shape` (ny, nx), rows in the order of an MRC file (TIFF rows are turned over on reading).

    For EER a frame is a fraction: the sum of a group of hardware frames.
    """

    path: Path
    count: int
    shape: tuple[int, int]

    def read(self, frame: int) -> np.ndarray:
        """One frame (ny, nx), from 0, in the type of the file (or wider), not gain-corrected; safe to call from several threads."""
        ...
