"""Where the transforms of many images are kept: exactly in the computer's memory, in half precision on a GPU."""

import torch
from torch import Tensor

TOP = 2.0**14
"""The largest value of an image in half precision: a factor of 4 below the largest there is, and 2^28 above the smallest that keeps 11 bits."""


class Exact:
    """(n, P) complex64."""

    bytes_each = 8

    def __init__(self, images: int, pixels: int) -> None:
        self.values = torch.empty(images, pixels, dtype=torch.complex64)

    def put(self, at: Tensor, values: Tensor) -> None:
        """Keep values (m, P) as images `at` (m,)."""
        self.values[at] = values

    def get(self, at: Tensor, pixels: int | None) -> Tensor:
        """Images `at` (m,) on the first `pixels` of the band, (m, pixels) complex64."""
        return self.values[:, :pixels][at]


class Half:
    """(n, P, 2) float16 and a scale for each image: errors of up to 2^-11 of each value."""

    bytes_each = 4

    def __init__(self, images: int, pixels: int, device: str) -> None:
        self.values = torch.empty(images, pixels, 2, dtype=torch.float16, device=device)
        self.scale = torch.empty(images, device=device)

    def put(self, at: Tensor, values: Tensor) -> None:
        """Keep values (m, P) as images `at` (m,)."""
        parts = torch.view_as_real(values)
        scale = parts.abs().amax((1, 2)).clamp(min=1e-30) / TOP
        self.values[at] = (parts / scale[:, None, None]).half()
        self.scale[at] = scale

    def get(self, at: Tensor, pixels: int | None) -> Tensor:
        """Images `at` (m,) on the first `pixels` of the band, (m, pixels) complex64."""
        return torch.view_as_complex(self.values[:, :pixels][at].float() * self.scale[at][:, None, None])


Store = Exact | Half


def empty_store(images: int, pixels: int, device: str) -> Store:
    """Room for `images` transforms of `pixels`, not yet filled."""
    return Exact(images, pixels) if device == "cpu" else Half(images, pixels, device)
