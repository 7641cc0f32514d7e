"""One micrograph of extract: its stack of particle images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from verglas.errors import DataError
from verglas.io.kept import kept
from verglas.runtime.resources import torch_threads
from verglas.types import Defocus, OpticsGroup

if TYPE_CHECKING:
    from verglas.jobs.extract import ExtractParams
    from verglas.methods.extract import CtfFilter


@dataclass(frozen=True)
class Windows:
    """What the workers need of the plan: micrograph i has pixels[i] Å and the particles from bounds[i] to bounds[i + 1], at xy (N, 2) px.

    group (N,): optics group by position; defocus (N, 6): the columns of Defocus.
    """

    names: np.ndarray
    stacks: np.ndarray
    pixels: np.ndarray
    bounds: np.ndarray
    xy: np.ndarray
    group: np.ndarray
    defocus: np.ndarray

    def of(self, index: int) -> np.ndarray:
        """(n, 2) px: the particles of one micrograph."""
        return self.xy[self.bounds[index] : self.bounds[index + 1]]

    def checksum(self, index: int) -> int:
        """Tells whether a micrograph that is done was done with the same coordinates."""
        return crc32(np.ascontiguousarray(self.of(index)).tobytes())

    def defocus_of(self, index: int) -> Defocus:
        """Of the particles of one micrograph."""
        rows = self.defocus[self.bounds[index] : self.bounds[index + 1]]
        return Defocus(**dict(zip(Defocus.__dataclass_fields__, rows.T)))


@kept
def read_windows(path: Path) -> Windows:
    """The plan, read once by each worker."""
    with np.load(path) as file:
        return Windows(**{name: file[name] for name in Windows.__dataclass_fields__})


@dataclass(frozen=True)
class ExtractOne:
    """Work of `each`: item i of the plan in the file `plan` (see Windows)."""

    plan: Path
    project: Path
    params: "ExtractParams"
    optics: tuple[OpticsGroup, ...]

    def __call__(self, index: int) -> dict[str, object]:
        """Its own threads share the images: operations on a few of them are too short for torch's."""
        import torch

        threads = torch.get_num_threads()
        with torch_threads(1):
            return self._extract(index, threads)

    def _extract(self, index: int, threads: int) -> dict[str, object]:
        from verglas.io.mrc import StackWriter, read_volume
        from verglas.jobs.extract_input import recipe_of
        from verglas.methods.extract import FLAT, images

        windows = read_windows(self.plan)
        xy, pixel = windows.of(index), float(windows.pixels[index])
        recipe = recipe_of(self.params, pixel)
        path = self.project / str(windows.names[index])
        micrograph = read_volume(path)[0]
        if len(micrograph) != 1:
            raise DataError(f"{len(micrograph)} sections, expected one image", where=str(path), remedy="give micrographs, not movies")
        if not np.isfinite(micrograph).all():
            raise DataError("the micrograph holds values that are not numbers", where=str(path), remedy="make it again, or leave it out")
        stack = self.plan.parent / str(windows.stacks[index])
        stack.parent.mkdir(parents=True, exist_ok=True)
        sigmas: list[np.ndarray] = []
        with StackWriter(stack, pixel * recipe.box / recipe.rescale, "float16" if self.params.float16 else "float32") as writer:
            for block, sigma in images(micrograph[0], xy, recipe, self._filter(windows, index, pixel), index, threads):
                writer.append(block.numpy())
                sigmas.append(sigma.numpy())
        every = np.concatenate(sigmas)
        return {"particles": len(xy), "checksum": windows.checksum(index), "sigma": round(float(np.median(every)), 6),
                "flat": int((every <= FLAT).sum())}

    def _filter(self, windows: Windows, index: int, pixel: float) -> "CtfFilter | None":
        """What --ctf asks for."""
        from verglas.methods.extract import CtfFilter

        if self.params.ctf == "none":
            return None
        groups = np.unique(windows.group[windows.bounds[index] : windows.bounds[index + 1]])
        if len(groups) > 1:
            raise DataError(f"its particles are in {len(groups)} optics groups, expected one", where=str(windows.names[index]),
                            remedy="extract them without --ctf")
        box = self.params.ctf_box or 2 * self.params.box
        return CtfFilter(box, pixel, self.optics[int(groups[0])], windows.defocus_of(index), self.params.ctf == "flip")
