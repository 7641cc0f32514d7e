"""What one iteration of a classification hands to the next; frozen, numpy at rest."""

from dataclasses import dataclass

import numpy as np

from verglas.methods.refine.state import Alignment, Sampling


@dataclass(frozen=True)
class Classes:
    """K references and what goes with them. maps (K, B, B, B), or (K, 1, B, B) in 2D; tau2 and ssnr (K, S); prior (K, D).

    The rest as in a refinement's model: sigma2 (G, S), scale (Q,), sigma2_offset Å^2. accuracy (K, 2): rad and Å; inf where unknown.
    """

    maps: np.ndarray
    tau2: np.ndarray
    ssnr: np.ndarray
    sigma2_reference: np.ndarray
    prior: np.ndarray
    sigma2: np.ndarray
    scale: np.ndarray
    sigma2_offset: float
    average_norm: float
    average_pmax: float
    log_likelihood: float
    accuracy: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """(K,) fractions of the particles."""
        return np.asarray(self.prior.sum(1))


@dataclass(frozen=True)
class Momentum:
    """Moments of the gradient on the padded half volumes to Nyquist: first (K, 2, D, D, H) complex64, second (K, D, D, H) float32."""

    first: np.ndarray
    second: np.ndarray


@dataclass(frozen=True)
class Sides:
    """Two random halves of the particles and the references of each: side (N,) 0 or 1, maps (2, K, B, B, B), the other half's for each."""

    side: np.ndarray
    maps: np.ndarray


@dataclass(frozen=True)
class Progress:
    """Changes since the iteration before: angles (rad), offsets (Å), fraction of the particles that switched class; what was used.

    replaced: the class that was given up, -1 for none.
    """

    angles: float = 999.0
    offsets: float = 999.0
    switched: float = 1.0
    subset: int = 0
    step_size: float = 0.0
    tau: float = 0.0
    replaced: int = -1


@dataclass(frozen=True)
class ClassState:
    """After `iteration` iterations. classes (N,) int64 numbers each particle's class from 0; seen (N,) whether it was ever searched."""

    iteration: int
    box: int
    pixel_size: float
    model: Classes
    alignment: Alignment
    classes: np.ndarray
    seen: np.ndarray
    sampling: Sampling
    current_size: int
    resolution_shell: int
    without_gain: int = 0
    momentum: Momentum | None = None
    sides: Sides | None = None
    progress: Progress = Progress()
    finished: bool = False

    @property
    def resolution(self) -> float:
        """Å, of the best class."""
        return self.box * self.pixel_size / max(self.resolution_shell, 1)

    @property
    def flat(self) -> bool:
        return self.model.maps.shape[1] == 1
