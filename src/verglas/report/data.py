"""What a report shows, as frozen data read from one job folder. Lengths in Å, angles in radians or as named."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

State = Literal["running", "finished", "failed", "aborted", "killed", "unknown"]
NAN = float("nan")


@dataclass(frozen=True)
class InputFile:
    """One input of the job: its path as given, size in bytes and (start of the) checksum."""

    path: str
    size: int
    sha256: str
    hashed: str = ""


@dataclass(frozen=True)
class Record:
    """Who ran what: from job.json, markers and events. `params`: (name, value) pairs in the order of the file."""

    job: str = ""
    version: str = ""
    command: str = ""
    started: str = ""
    seconds: float = NAN
    peak_memory_gb: float = NAN
    params: tuple[tuple[str, str], ...] = ()
    resources: tuple[tuple[str, str], ...] = ()
    hardware: tuple[tuple[str, str], ...] = ()
    inputs: tuple[InputFile, ...] = ()
    warnings: tuple[str, ...] = ()

    def param(self, name: str) -> str:
        """The value of one parameter as text, "" when it is unknown."""
        return dict(self.params).get(name, "")


@dataclass(frozen=True)
class Iteration:
    """Numbers of one iteration; NaN where the folder does not say. `fsc` (S,): shell k is at k / (box * pixel)."""

    number: int
    resolution: float = NAN
    current_size: float = NAN
    healpix_order: float = NAN
    angular_step_deg: float = NAN
    offset_range: float = NAN
    offset_step: float = NAN
    accuracy_rot_deg: float = NAN
    accuracy_trans: float = NAN
    ave_pmax: float = NAN
    effective_poses: float = NAN
    significant: float = NAN
    change_angles_deg: float = NAN
    change_offsets: float = NAN
    particles: float = NAN
    seconds: tuple[tuple[str, float], ...] = ()
    fsc: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def total_seconds(self) -> float:
        """Wall time of the iteration in s, NaN when not recorded."""
        return dict(self.seconds).get("total", sum(value for _, value in self.seconds) or NAN)


@dataclass(frozen=True)
class Model:
    """The newest model: shell spectra (S,), groups (G,), general numbers."""

    box: int
    pixel_size: float
    final: bool
    iteration: int
    resolution: float
    ave_pmax: float
    norm_average: float
    sigma_offset: float
    accuracy_rot_deg: float
    accuracy_trans: float
    fsc: np.ndarray
    tau2: np.ndarray
    group_names: tuple[str, ...]
    group_counts: np.ndarray
    group_scales: np.ndarray

    @property
    def nyquist(self) -> float:
        """The finest resolution the pixels allow, 2 pixels, in Å."""
        return 2.0 * self.pixel_size


@dataclass(frozen=True)
class ParticleColumns:
    """The newest particle table, columns (N,) or (N, 2|3), empty (size 0) where the file has no such column."""

    angles: np.ndarray
    origin: np.ndarray
    defocus: np.ndarray
    half: np.ndarray
    norm: np.ndarray
    pmax: np.ndarray
    significant: np.ndarray
    duplicates: int
    duplicates_across_halves: int
    micrographs: int
    optics: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.angles)


@dataclass(frozen=True)
class MapViews:
    """Central slices and projections of one map, three each, (B, B) float32, seen along z, y, x.

    surfaces: shaded RGBA pictures seen along the same axes, surface_width Å wide; only of the first map.
    """

    name: str
    title: str
    box: int
    pixel_size: float
    slices: tuple[np.ndarray, ...]
    projections: tuple[np.ndarray, ...]
    surfaces: tuple[np.ndarray, ...] = ()
    surface_width: float = NAN


@dataclass(frozen=True)
class PostProcess:
    """Content of postprocess.star; curves (S,) over `frequency` 1/Å, empty when absent; Guinier columns over 1/Å²."""

    resolution: float
    b_factor: float
    mask: str
    randomise_from: float
    frequency: np.ndarray
    corrected: np.ndarray
    unmasked: np.ndarray
    masked: np.ndarray
    randomised: np.ndarray
    guinier: tuple[tuple[str, np.ndarray], ...]
    guinier_x: np.ndarray
    fit: tuple[float, float]
    mask_fraction: float = NAN


@dataclass(frozen=True)
class Coverage:
    """How evenly the views fill Fourier space; see `coverage.fourier_coverage`."""

    evenness: float
    lowest: float
    empty: float
    symmetry: str


@dataclass(frozen=True)
class ReportData:
    """Everything one page needs. `missing`: plain sentences on what could not be read."""

    folder: str
    state: State
    record: Record
    iterations: tuple[Iteration, ...]
    model: Model | None
    particles: ParticleColumns | None
    maps: tuple[MapViews, ...]
    postprocess: PostProcess | None
    coverage: Coverage | None
    symmetry: str
    settings: tuple[tuple[str, str], ...]
    join_resolution: float
    converged: bool | None
    missing: tuple[str, ...]

    @property
    def resolution(self) -> float:
        """The headline in Å: masked and corrected when post-processed, else of the newest model or iteration."""
        if self.postprocess is not None and np.isfinite(self.postprocess.resolution):
            return self.postprocess.resolution
        if self.model is not None and (self.model.final or not self.iterations):
            return self.model.resolution
        return self.iterations[-1].resolution if self.iterations else NAN
