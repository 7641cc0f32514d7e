"""Background to mean 0 and standard deviation 1: what lies outside a circle around the box centre."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dust:
    """Pixels beyond so many standard deviations of the background become noise; None: none are. White: above the mean, black: below."""

    white: float | None = None
    black: float | None = None


def background(box: int, radius: float) -> Tensor:
    """(B, B) bool: pixels at r > radius from pixel (B/2, B/2)."""
    axis = torch.arange(box) - box // 2
    return axis[:, None] ** 2 + axis[None] ** 2 > radius**2


def mean_and_sigma(images: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (N,) float64 over the background of images (N, B, B)."""
    values = images.flatten(1)[:, outside.flatten()].double()
    return values.mean(1), values.std(1, correction=0)


def without_ramp(images: Tensor, outside: Tensor) -> Tensor:
    """Images minus the plane a x + b y + c that fits their background best (least squares, float64). (N, B, B) -> (N, B, B)."""
    box = images.shape[-1]
    axis = torch.arange(box, dtype=torch.float64) - box // 2
    plane = torch.stack((axis.expand(box, box), axis[:, None].expand(box, box), torch.ones(box, box, dtype=torch.float64))).flatten(1)
    seen = plane[:, outside.flatten()]
    weights = images.flatten(1)[:, outside.flatten()].double() @ torch.linalg.pinv(seen)
    return images - (weights @ plane).to(images.dtype).view_as(images)


def normalise(images: Tensor, outside: Tensor, ramp: bool = True) -> tuple[Tensor, Tensor]:
    """(y, sigma) with y = (x - plane - mean) / sigma, mean and sigma of the background; flat images (sigma 0) are not divided.

    (N, B, B) -> (N, B, B) of the same type, and sigma (N,) float64. `ramp` False: no plane is taken away.
    """
    level = without_ramp(images, outside) if ramp else images
    mean, sigma = mean_and_sigma(level, outside)
    scale = torch.where(sigma > 1e-10, 1.0 / sigma, 1.0)
    return (level - mean.to(level.dtype)[:, None, None]) * scale.to(level.dtype)[:, None, None], sigma


def without_dust(images: Tensor, outside: Tensor, dust: Dust, generator: torch.Generator) -> Tensor:
    """Pixels above mean + white sigma or below mean - black sigma replaced by draws of N(mean, sigma) of the background."""
    mean, sigma = (value.to(images.dtype)[:, None, None] for value in mean_and_sigma(images, outside))
    bad = torch.zeros_like(images, dtype=torch.bool)
    if dust.white is not None:
        bad |= images > mean + dust.white * sigma
    if dust.black is not None:
        bad |= images < mean - dust.black * sigma
    noise = torch.randn(images.shape, generator=generator, dtype=images.dtype)
    return torch.where(bad, mean + sigma * noise, images)
