"""How the specimen moved during one movie, as corrections: what is added to a position in a frame to lie over the first frame."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PatchTracks:
    """Measurements for diagnosis, O rows: frame (O,) from 0, xy (O, 2) px centre of the patch, shift (O, 2) px beyond the global one."""

    frame: np.ndarray
    xy: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class MotionTrack:
    """Motion of one movie of `shape` (ny, nx) unbinned pixels and `frames` frames in the file; all shifts and coordinates in unbinned px, (x, y).

    shifts (F, 2): global, row i for frame first_frame + i of the file (from 0), NaN where a frame was not observed; the first row is 0.
    local (2, 18): coefficients of the cubic model for x and y (`core.local_motion`), or None. hot (H, 2): hot pixels found.
    dose_rate and pre_exposure in e/Å² (per frame; before the first). EER: upsampling and grouping, 0 for other formats.
    """

    movie: str
    shape: tuple[int, int]
    frames: int
    shifts: np.ndarray
    pixel_size: float
    voltage_kv: float
    dose_rate: float = 0.0
    pre_exposure: float = 0.0
    first_frame: int = 0
    binning: float = 1.0
    local: np.ndarray | None = None
    hot: np.ndarray | None = None
    patches: PatchTracks | None = None
    gain: str = ""
    defects: str = ""
    eer_upsampling: int = 0
    eer_grouping: int = 0
