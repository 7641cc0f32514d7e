"""The list of independent Fourier pixels of an image up to a radius, on which everything of the likelihood lives."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Band:
    """P independent pixels of the half plane of a (B, B) image, in the order of their shells; pixel 0 is the origin.

    k (P, 2) float32 image frequencies in 1/(B a); flat (P,) int64 positions in the (B, B//2+1) half plane; conjugate (P,) is where
    the half plane stores the mate. shell (P,) int64 and shell_start (S+1,) int64 are in shells of the MODEL, 1/(B_model a_model),
    so a prefix of the pixels is a band of smaller radius. to_model (2, 2) maps k to model frequencies k' = to_model @ k.
    """

    box: int
    k: Tensor
    flat: Tensor
    shell: Tensor
    shell_start: Tensor
    to_model: Tensor

    def __len__(self) -> int:
        return len(self.k)

    @property
    def model_k(self) -> Tensor:
        """(P, 2) float32: k in units of the model's frequencies, magnification included."""
        return self.k @ self.to_model.T

    def upto(self, shell: int) -> int:
        """Number of pixels of the prefix with shells 0 .. shell."""
        return int(self.shell_start[min(shell + 1, len(self.shell_start) - 1)])

    def to(self, device: torch.device | str) -> "Band":
        return Band(self.box, *(t.to(device) for t in (self.k, self.flat, self.shell, self.shell_start, self.to_model)))

    def gather(self, spectra: Tensor) -> Tensor:
        """(N, B, B//2+1) half planes -> (N, P)."""
        return spectra.reshape(spectra.shape[0], -1)[:, self.flat]

    def scatter(self, values: Tensor) -> Tensor:
        """(N, P) -> (N, B, B//2+1) half planes, zero elsewhere, Hermitian on the column x = 0."""
        half = self.box // 2 + 1
        out = torch.zeros(values.shape[0], self.box * half, dtype=values.dtype, device=values.device)
        out[:, self.flat] = values
        column = (self.k[:, 0] == 0) & (self.k[:, 1] != 0) & (self.k[:, 1].abs() * 2 < self.box)
        mate = (-self.k[column, 1].long()) % self.box * half
        out[:, mate] = values[:, column].conj()
        return out.view(-1, self.box, half)


@lru_cache(maxsize=32)
def make_band(box: int, shells: int, scale: float = 1.0, magnification: tuple[float, ...] = (1.0, 0.0, 0.0, 1.0)) -> Band:
    """The band of model shells 0..`shells` of images of `box` pixels; `scale` = (B_model a_model) / (B_image a_image).

    Pixels with x = 0, y < 0 are left out (they are the mates of y > 0); so is all beyond the image's Nyquist circle.
    """
    y, x = np.mgrid[-(box // 2) : box // 2 + 1, 0 : box // 2 + 1]
    radius = np.hypot(x, y)
    shell = np.floor(radius * scale + 0.5).astype(np.int64)
    keep = (shell <= shells) & (radius <= box / 2) & ~((x == 0) & (y < 0)) & (y > -(box // 2))
    x, y, shell = x[keep], y[keep], shell[keep]
    order = np.lexsort((np.arctan2(y, x), shell))
    x, y, shell = x[order], y[order], shell[order]
    start = np.searchsorted(shell, np.arange(shells + 2))
    matrix = np.array(magnification, dtype=np.float64).reshape(2, 2) * scale
    return Band(
        box, torch.tensor(np.stack([x, y], 1), dtype=torch.float32), torch.tensor(y % box * (box // 2 + 1) + x),
        torch.tensor(shell), torch.tensor(start), torch.tensor(matrix, dtype=torch.float32),
    )
