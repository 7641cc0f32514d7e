"""What a report shows, as frozen data read from one job folder. Lengths in Å, angles in radians or as named."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from verglas.report.micrograph_data import Processed

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
    """Numbers of one iteration; NaN or empty where the folder does not say. `fsc` (S,): shell k is at k / (box * pixel).

    change_classes: share of the particles that switched; class_sizes (K,) shares; class_resolution (K,) Å; class_flow (K, K) particles from
    the class of the row to that of the column. subset: particles used; step_size, tau: of a gradient descent; ess, kl: of fixed poses.
    """

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
    change_classes: float = NAN
    subset: float = NAN
    step_size: float = NAN
    tau: float = NAN
    ess: float = NAN
    kl: float = NAN
    rms_density_change: float = NAN
    particles: float = NAN
    seconds: tuple[tuple[str, float], ...] = ()
    fsc: np.ndarray = field(default_factory=lambda: np.zeros(0))
    class_sizes: np.ndarray = field(default_factory=lambda: np.zeros(0))
    class_resolution: np.ndarray = field(default_factory=lambda: np.zeros(0))
    class_flow: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

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
    class_number: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))

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
    """How evenly the views fill Fourier space; see `directions.fourier_coverage`."""

    evenness: float
    lowest: float
    empty: float
    symmetry: str


@dataclass(frozen=True)
class ClassRow:
    """One class of the newest model; share 0..1 of all particles; `members` (n,): its rows of the particle table.

    average (B, B): what a class is in 2D; views: in 3D; both absent when there is no such file, or too many classes to show.
    """

    number: int
    share: float
    resolution: float
    accuracy_rot_deg: float
    accuracy_trans: float
    completeness: float
    members: np.ndarray
    coverage: Coverage | None = None
    average: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    views: MapViews | None = None


@dataclass(frozen=True)
class Flow:
    """counts (K, K): particles that were in the class of the row at iteration `before` and in that of the column at `after`."""

    before: int
    after: int
    counts: np.ndarray

    @property
    def moved(self) -> float:
        """Share of the particles that switched."""
        return 1.0 - float(np.trace(self.counts)) / max(float(self.counts.sum()), 1e-30)


@dataclass(frozen=True)
class Seeds:
    """How far independent starts agree: fsc (R, R) of each with each, or (pairs, S) curves; resolution (R,) or (S,) Å."""

    fsc: np.ndarray
    resolution: np.ndarray

    @property
    def each_with_each(self) -> bool:
        """fsc is a matrix over seeds (symmetric, ones on its diagonal), not curves over shells."""
        rows, columns = self.fsc.shape
        return rows == columns and np.allclose(np.diag(self.fsc), 1.0, atol=0.02) and np.allclose(self.fsc, self.fsc.T, atol=0.02)


@dataclass(frozen=True)
class Classes:
    """A classification: rows by class number. initial: a starting model is made; stages: its map at the first, a middle and the last iteration.

    scales: edges (n + 1,) and counts (n,) of a histogram of the scales of single particles, both empty when there is none.
    batches: the fast iterations on batches, before the full ones.
    """

    dimensions: int
    initial: bool
    iteration: int
    pixel_size: float
    rows: tuple[ClassRow, ...]
    counted: bool
    flows: tuple[Flow, ...] = ()
    stages: tuple[MapViews, ...] = ()
    seeds: Seeds | None = None
    scales: tuple[np.ndarray, np.ndarray] = field(default_factory=lambda: (np.zeros(0), np.zeros(0)))
    batches: tuple[Iteration, ...] = ()

    @property
    def by_size(self) -> tuple[ClassRow, ...]:
        """The rows, largest first."""
        return tuple(sorted(self.rows, key=lambda row: -np.nan_to_num(row.share)))


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
    classes: Classes | None = None
    micrographs: Processed | None = None

    @property
    def resolution(self) -> float:
        """The headline in Å: masked and corrected when post-processed, else of the newest model or iteration."""
        if self.postprocess is not None and np.isfinite(self.postprocess.resolution):
            return self.postprocess.resolution
        if self.model is not None and (self.model.final or not self.iterations):
            return self.model.resolution
        return self.iterations[-1].resolution if self.iterations else NAN
