"""What one iteration hands to the next. Everything is frozen numpy, so a state can be saved, restored and compared bit for bit."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Model:
    """The model of one half set. S shells 0 .. B//2, G optics groups, Q scale groups, D grid directions.

    sigma2 (G, S) and tau2 (S,) are variances per real component; ssnr (S,) is data-versus-prior; sigma2_offset in Å^2.
    """

    map: np.ndarray
    sigma2: np.ndarray
    tau2: np.ndarray
    ssnr: np.ndarray
    sigma2_reference: np.ndarray
    scale: np.ndarray
    direction_prior: np.ndarray
    sigma2_offset: float
    average_norm: float
    average_pmax: float
    log_likelihood: float


@dataclass(frozen=True)
class Alignment:
    """Per particle: angles (N, 3) rad, origin (N, 2) Å, norm, pmax, significant, log_likelihood (N,)."""

    angles: np.ndarray
    origin: np.ndarray
    norm: np.ndarray
    pmax: np.ndarray
    significant: np.ndarray
    log_likelihood: np.ndarray


@dataclass(frozen=True)
class Sampling:
    """Search grids: HEALPix `order` of the coarse directions, translations in Å (coarse spacing), perturbation in coarse steps.

    `sigma` (rad) > 0 restricts each particle to orientations near its last one: a Gaussian prior of this width.
    """

    order: int
    offset_range: float
    offset_step: float
    perturbation: float = 0.0
    sigma: float = 0.0


@dataclass(frozen=True)
class Changes:
    """Average change of poses in an iteration: angles (rad), offsets (Å)."""

    angles: float
    offsets: float


NEVER = 999.0


@dataclass(frozen=True)
class Schedule:
    """The three clocks: resolution, sampling, convergence. Resolutions as shells; accuracies in rad and Å."""

    resolution_shell: int
    current_size: int
    increment: int = 10
    high_fsc_at_limit: bool = False
    without_gain: int = 0
    without_change: int = 0
    smallest: Changes = Changes(NEVER, NEVER)
    last: Changes = Changes(NEVER, NEVER)
    accuracy_angle: float = NEVER
    accuracy_offset: float = NEVER
    fine_enough: bool = False
    converged: bool = False


@dataclass(frozen=True)
class State:
    """After `iteration` iterations. `fsc` (S,) of the half maps; `average` is the joined map, of the last iteration only.

    `home` (N, 2) Å is where the particles were when the refinement began; None if that is not known.
    """

    iteration: int
    box: int
    pixel_size: float
    models: tuple[Model, Model]
    alignment: Alignment
    sampling: Sampling
    schedule: Schedule
    fsc: np.ndarray
    average: np.ndarray | None = None
    unfiltered: tuple[np.ndarray, np.ndarray] | None = None
    home: np.ndarray | None = None

    @property
    def resolution(self) -> float:
        """Å, RELION's current resolution (from the signal-to-noise ratio)."""
        return self.box * self.pixel_size / max(self.schedule.resolution_shell, 1)

    @property
    def finished(self) -> bool:
        return self.average is not None
