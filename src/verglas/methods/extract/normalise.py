"""Background to mean 0 and standard deviation 1: what lies outside a circle around the box centre."""

from dataclasses import dataclass

import torch
from torch import Tensor

FLAT = 1e-10
"""An image whose background deviates less than this from a plane holds nothing."""


@dataclass(frozen=True)
class Dust:
    """Pixels beyond so many standard deviations of the background become noise; None: none are. White: above the mean, black: below."""

    white: float | None = None
    black: float | None = None


def background(box: int, radius: float) -> Tensor:
    """(B, B) bool: pixels at r > radius from pixel (B/2, B/2)."""
    axis = torch.arange(box) - box // 2
    return axis[:, None] ** 2 + axis[None] ** 2 > radius**2


def normalise(images: Tensor, outside: Tensor, ramp: bool = True) -> tuple[Tensor, Tensor]:
    """(y, sigma): y = (x - p) / sigma, with p the plane a x + b y + c that fits the background best and sigma what it leaves of it.

    Least squares in float64. `ramp` False: p = c, the mean of the background. Flat images (sigma 0) are not divided.
    (N, B, B) -> (N, B, B) of the same type, and sigma (N,) float64.
    """
    box, where = images.shape[-1], outside.flatten().nonzero().squeeze(1)
    axis = torch.arange(box, dtype=torch.float64) - box // 2
    basis = torch.stack((torch.ones(box, box, dtype=torch.float64), axis.expand(box, box), axis[:, None].expand(box, box))).flatten(1)
    basis = basis if ramp else basis[:1]
    seen, values = basis[:, where], images.flatten(1)[:, where].double()
    weights = values @ seen.T @ torch.linalg.inv(seen @ seen.T)
    sigma = (values - weights @ seen).square_().mean(1).sqrt_()
    scale = torch.where(sigma > FLAT, 1.0 / sigma, 1.0).to(images.dtype)
    level = torch.addmm(images.flatten(1), weights.to(images.dtype), basis.to(images.dtype), alpha=-1)
    return level.mul_(scale[:, None]).view_as(images), sigma


def without_dust(images: Tensor, outside: Tensor, dust: Dust, seed: int) -> Tensor:
    """Pixels above mean + white sigma or below mean - black sigma replaced by draws of N(mean, sigma) of the background.

    Image i (N, B, B) draws with the seed `seed` + i, so that it does not matter which images are worked on together.
    """
    values = images.flatten(1)[:, outside.flatten()].double()
    mean, sigma = (one.to(images.dtype)[:, None, None] for one in (values.mean(1), values.std(1, correction=0)))
    bad = torch.zeros_like(images, dtype=torch.bool)
    if dust.white is not None:
        bad |= images > mean + dust.white * sigma
    if dust.black is not None:
        bad |= images < mean - dust.black * sigma
    generator, noise = torch.Generator(), torch.empty_like(images)
    for i, one in enumerate(noise):
        one.normal_(generator=generator.manual_seed(seed + i))
    return torch.where(bad, mean + sigma * noise, images)
