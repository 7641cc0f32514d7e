"""Movies and micrographs as frozen columns of N rows."""

from dataclasses import dataclass, replace

import numpy as np

from verglas.types.optics import OpticsGroup
from verglas.types.particles import Defocus


@dataclass(frozen=True)
class Micrographs:
    """N movies (`movies` True) or micrographs; name (N,) text is the file as written in the STAR file, relative to the project.

    optics[optics_index[i]] is the optics group of row i; its pixel_size is that of the micrograph, which differs from original_pixel_size after
    binning, and its box is 0. defocus is None before CTF estimation. `extra` holds every other column by its label.
    """

    optics: tuple[OpticsGroup, ...]
    name: np.ndarray
    optics_index: np.ndarray
    extra: dict[str, np.ndarray]
    defocus: Defocus | None = None
    movies: bool = False

    def __len__(self) -> int:
        return len(self.name)

    def take(self, rows: np.ndarray) -> "Micrographs":
        """The given rows (index or boolean mask), optics unchanged."""
        return replace(
            self, name=self.name[rows], optics_index=self.optics_index[rows], extra={k: v[rows] for k, v in self.extra.items()},
            defocus=None if self.defocus is None else self.defocus.take(rows),
        )


@dataclass(frozen=True)
class Coordinates:
    """N picked particles of one micrograph. xy (N, 2) px of the micrograph, (0, 0) the centre of the first pixel of its array; psi (N,) rad.

    fom (N,): figure of merit; class_number (N,): the template, from 1 (0: none). `extra`: other columns by label.
    """

    xy: np.ndarray
    fom: np.ndarray
    class_number: np.ndarray
    psi: np.ndarray
    extra: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.xy)

    def take(self, rows: np.ndarray) -> "Coordinates":
        return Coordinates(self.xy[rows], self.fom[rows], self.class_number[rows], self.psi[rows], {k: v[rows] for k, v in self.extra.items()})
