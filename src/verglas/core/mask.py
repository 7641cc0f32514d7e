"""Soft masks: spheres by formula, and shapes by distance from a binary set."""

import math
from typing import Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from verglas.core.shells import Device, Dims

Fill = Literal["zero", "background mean"]


def distance_from_centre(box: int, dims: Dims = 3, device: Device = None) -> Tensor:
    """Distance in px of every pixel from pixel B//2 of each axis: (B, [B,] B) float32."""
    squared = (torch.arange(box, device=device, dtype=torch.float32) - box // 2) ** 2
    total = squared
    for _ in range(dims - 1):
        total = total[None] + squared.reshape(-1, *([1] * total.dim()))
    return total.sqrt_()


def soft_sphere(box: int, radius: float, edge: float, dims: Dims = 3, device: Device = None) -> Tensor:
    """Mask (B, [B,] B) float32: 1 up to `radius` R, 0 from R + w, w = `edge` (px); a raised cosine between."""
    r = distance_from_centre(box, dims, device)
    if edge <= 0:
        return (r <= radius).to(torch.float32)
    r.neg_().add_(radius + edge).div_(edge).clamp_(0.0, 1.0)
    return r.mul_(math.pi).cos_().mul_(-0.5).add_(0.5)


def apply_soft_sphere(data: Tensor, radius: float, edge: float, fill: Fill = "zero", dims: Dims = 3) -> Tensor:
    """Maps (..., B, B, B), or images (..., B, B) with dims=2, blended to `fill` outside a soft sphere (sizes in px).

    "background mean": for each image m = sum (1 - w) x / sum (1 - w) with w the mask; result w x + (1 - w) m
    (RELION's zero_mask). "zero": m = 0.
    """
    inside = soft_sphere(data.shape[-1], radius, edge, dims, data.device).to(data.dtype)
    if fill == "zero":
        return data * inside
    axes = tuple(range(-dims, 0))
    outside = 1.0 - inside
    mean = (data * outside).sum(axes, keepdim=True) / outside.sum().clamp(min=1e-6)
    return mean.lerp(data, inside)


def extend(binary: np.ndarray, pixels: float) -> np.ndarray:
    """The set grown by every voxel closer to it than `pixels`; a negative number shrinks it likewise. bool."""
    if pixels > 0:
        return np.asarray(_distance(binary) < pixels)
    if pixels < 0:
        return ~np.asarray(_distance(~binary) < -pixels)
    return binary.astype(bool)


def soften(binary: np.ndarray, edge: float) -> np.ndarray:
    """Float32: 1 in the set, 0.5 + 0.5 cos(pi d / w) at distance d < w = `edge` (px) from its nearest voxel, then 0."""
    if edge <= 0:
        return binary.astype(np.float32)
    d = np.minimum(_distance(binary), edge)
    return (0.5 + 0.5 * np.cos(np.pi * d / edge)).astype(np.float32)


def largest_component(binary: np.ndarray) -> np.ndarray:
    """The largest face-connected part of the set; all false if the set is empty."""
    label, number = ndimage.label(binary)
    if number == 0:
        return np.zeros_like(binary, dtype=bool)
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    return np.asarray(label == sizes.argmax())


def _distance(binary: np.ndarray) -> np.ndarray:
    """Distance in px of every voxel to the nearest one of the set (0 inside it; infinite if the set is empty)."""
    if not binary.any():
        return np.full(binary.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~binary.astype(bool)))
