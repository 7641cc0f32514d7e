"""A block of images with everything the likelihood and the sums need, on the pixels of one band."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from verglas.core.ctf import CtfOptions
from verglas.methods.refine.images import Geometry, Spectra, contrast
from verglas.types import Particles


@dataclass(frozen=True)
class Batch:
    """N images of one optics group on P pixels. s_g C is the contrast (scale, CTF and gain), X the transform of the image.

    a = s_g C X / sigma2 (masked X), b = (s_g C)^2 / sigma2; x and weight are the same for the back-projection, where X is unmasked
    (and CTF-premultiplied data enter with X / sigma2 and C^2 / sigma2). power (N, S) of the masked images; centre (N, 2) Å.
    """

    rows: np.ndarray
    a: Tensor
    b: Tensor
    x: Tensor
    weight: Tensor
    power: Tensor
    centre: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, images: np.ndarray) -> "Batch":
        """Some of the images (n,)."""
        if len(images) == len(self):
            return self
        at = torch.from_numpy(images)
        return Batch(self.rows[images], **{name: column[at.to(column.device)] for name, column in vars(self).items() if name != "rows"})


def make_batch(
    rows: np.ndarray, spectra: Spectra, particles: Particles, geo: Geometry, norm: np.ndarray,
    model: tuple[np.ndarray, np.ndarray], options: CtfOptions,
) -> Batch:
    """`rows` index `particles`; norm (N,) multiplies the images; model = (sigma2 (S,) of the group, scale per scale group)."""
    sigma2, scale = model
    c = contrast(geo, particles.take(rows), scale, options)
    inverse = torch.from_numpy(1.0 / np.maximum(sigma2, 1e-30)).to(c)[geo.band.shell]
    f = torch.from_numpy(norm).to(c)[:, None]
    masked, whole = spectra.masked, spectra.whole
    if geo.group.ctf_premultiplied:
        x, weight = whole * (f * inverse), c.abs() * inverse
    else:
        x, weight = whole * (c * (f * inverse)), c * c * inverse
    b = c * c * inverse
    return Batch(rows, masked * (c * (f * inverse)), b, x, weight, spectra.power * f**2, spectra.centre)


def unweighted(batch: Batch, sigma2: np.ndarray, shell: Tensor) -> tuple[Tensor, Tensor]:
    """(s_g C X, (s_g C)^2) without the noise weighting, for the cross-correlation of a first iteration."""
    s = torch.from_numpy(sigma2).to(batch.b)[shell]
    return batch.a * s, batch.b * s
