"""What a classification with fixed poses believes: one consensus, a difference of each class from it, sizes, noise and scales."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from verglas.core.projection import Reference, prepare_reference


@dataclass(frozen=True)
class Model:
    """Class k has the map `consensus` (m, m, m) + differences[k] (K, m, m, m), share prior[k] of the particles, sigma2 (G, S) of the noise
    per real component, and each particle its scale (N,) of mean 1.

    `by_half` (2, K, m, m, m): the differences that each half of the particles shows. The particles of one half are compared with what
    the other half shows, so that no image is compared with its own noise.
    """

    consensus: np.ndarray
    differences: np.ndarray
    by_half: np.ndarray
    prior: np.ndarray
    sigma2: np.ndarray
    scale: np.ndarray

    @property
    def classes(self) -> int:
        return len(self.differences)

    @property
    def maps(self) -> np.ndarray:
        """(K, m, m, m)."""
        return self.consensus + self.differences

    def with_differences(self, differences: np.ndarray) -> "Model":
        """Other class maps, of equal sizes."""
        count, same = len(differences), differences.astype(np.float32)
        return replace(self, differences=same, by_half=np.stack((same, same)), prior=np.full(count, 1.0 / count))


@dataclass(frozen=True)
class References:
    """Padded transforms, ready to be cut, of the consensus and of the K differences that particles of each half are compared with."""

    consensus: Reference
    differences: tuple[tuple[Reference, ...], tuple[Reference, ...]]


def references(model: Model, padding: float, shells: int) -> References:
    """Of shells 0 .. `shells`."""
    first = prepare_reference(torch.from_numpy(model.consensus), padding, shells)
    one, two = (tuple(prepare_reference(torch.from_numpy(d), padding, shells) for d in model.by_half[other]) for other in (1, 0))
    return References(first, (one, two))


def only_consensus(model: Model) -> Model:
    """Without classes."""
    return replace(model, differences=model.differences[:0], by_half=model.by_half[:, :0])
